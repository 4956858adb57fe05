"""The mean teacher."""

import copy

import torch
from torch import nn

from bismap.training.ema import MeanTeacher


def test_parameters_move_and_buffers_are_copied(tiny_net):
    teacher = MeanTeacher(tiny_net, decay=0.999)
    before = copy.deepcopy(teacher.net.state_dict())
    with torch.no_grad():
        for p in tiny_net.parameters():
            p.add_(1.0)
        tiny_net.backbone[1].running_mean.fill_(5.0)
    teacher.update(tiny_net)
    for name, p in teacher.net.named_parameters():
        torch.testing.assert_close(p, 0.999 * before[name] + 0.001 * (before[name] + 1.0))
    assert (teacher.net.backbone[1].running_mean == 5.0).all()


def test_forward_uses_batch_statistics_without_dropout_and_leaves_no_trace(tiny_net):
    teacher = MeanTeacher(tiny_net, decay=0.9)
    before = copy.deepcopy(dict(teacher.net.named_buffers()))
    x = 3.0 + torch.randn(2, 3, 16, 16)
    torch.manual_seed(1)
    first = teacher.net(x)
    torch.manual_seed(2)
    assert torch.equal(first, teacher.net(x))
    assert not first.requires_grad
    normalised = teacher.net.backbone[:2](x)
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(8), atol=1e-5, rtol=0)
    for name, buffer in teacher.net.named_buffers():
        if "running" in name:
            assert torch.equal(buffer, before[name])


def test_student_is_untouched(tiny_net):
    MeanTeacher(tiny_net, decay=0.9)
    assert all(p.requires_grad for p in tiny_net.parameters())
    assert tiny_net.backbone[1].momentum == nn.BatchNorm2d(1).momentum
    assert tiny_net.training


def test_distance_is_relative(tiny_net):
    teacher = MeanTeacher(tiny_net, decay=0.9)
    assert teacher.distance(tiny_net) == 0.0
    with torch.no_grad():
        for p in tiny_net.parameters():
            p.mul_(2.0)
    assert abs(teacher.distance(tiny_net) - 0.5) < 1e-6
