"""Most confident classes: the softmax upsampled, and what 16 bits keep of it."""

import numpy as np
import torch
import torch.nn.functional as F

from bismap.pseudo_labels.confidences import CONFIDENCE_GRID, most_confident_classes


def test_probabilities_are_those_of_the_upsampled_softmax():
    logits = torch.randn(5, 6, 9, generator=torch.Generator().manual_seed(0)) * 3
    classes, confidence = most_confident_classes(logits, (33, 21))
    up = F.interpolate(logits.double()[None].softmax(1), (21, 33), mode="bilinear", align_corners=True)[0]
    np.testing.assert_array_equal(classes, up.argmax(0))
    np.testing.assert_allclose(confidence, up.amax(0), atol=1e-6)


def test_what_sixteen_bits_keep():
    given = np.array([1 / 19, 0.9, 0.99, 0.999, 0.9999, 1.0], np.float32)
    codes = CONFIDENCE_GRID.encode(given)
    assert (np.diff(codes.astype(int)) > 0).all()
    np.testing.assert_allclose(CONFIDENCE_GRID.decode(codes), given, atol=2**-16)
