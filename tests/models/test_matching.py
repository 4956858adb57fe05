"""Units of a state dict and their pairing."""

import torch
from torch import nn

from bismap.models.matching import match_units, units


def state(*layers: nn.Module) -> dict[str, torch.Tensor]:
    return nn.Sequential(*layers).state_dict()


def test_a_convolution_and_its_norm_are_one_unit():
    found = units(state(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)))
    assert [sorted(unit.names.values()) for unit in found] == [
        ["0.bias", "0.weight", "1.bias", "1.running_mean", "1.running_var", "1.weight"],
        ["3.bias", "3.weight"],
    ]


def test_a_norm_of_another_size_or_without_statistics_stands_alone():
    assert len(units(state(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(4)))) == 2
    assert len(units(state(nn.Conv2d(3, 8, 1), nn.GroupNorm(2, 8)))) == 2
    assert len(units(state(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.BatchNorm2d(8)))) == 2


def test_equal_shapes_are_paired_in_order():
    ours = units(state(nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)))
    theirs = units(state(nn.Linear(3, 8), nn.Conv2d(8, 8, 1), nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)))
    pairs, positions = match_units(ours, theirs)
    assert pairs == {
        "0.weight": "2.weight",
        "0.bias": "2.bias",
        "1.weight": "3.weight",
        "1.bias": "3.bias",
        "2.weight": "1.weight",
        "2.bias": "1.bias",
    }
    assert positions == [2, 3, 1]


def test_units_without_partner_are_left_out():
    pairs, positions = match_units(units(state(nn.Conv2d(3, 8, 3))), units(state(nn.Conv2d(3, 8, 1))))
    assert (pairs, positions) == ({}, [])
