"""A tiny network that tells road from sky, for the tests of stages that follow `features`."""

from pathlib import Path

import numpy as np
import torch

from bismap.data.images import read_image
from bismap.models.inputs import normalize
from bismap.models.network import DeepLabV3Plus, build_network
from bismap.models.weights import save_network

from .small_domains import NAMES

NETWORK = {
    "backbone": "small",
    "width": 4,
    "output_stride": 16,
    "aspp_channels": 8,
    "aspp_rates": [2, 4, 6],
    "low_level_channels": 4,
    "decoder_channels": 8,
    "dropout": 0.1,
}


def make_model(path: Path, images: Path) -> DeepLabV3Plus:
    """Save a random network whose classifier is the least-squares fit to sky above road on ``images``."""
    torch.manual_seed(0)
    network = build_network(NETWORK, len(NAMES)).eval()
    pixels = torch.from_numpy(np.stack([read_image(file) for file in sorted(images.iterdir())]))
    with torch.no_grad():
        features = network.features(normalize(pixels, "cpu"))
        rows = features.permute(0, 2, 3, 1).flatten(0, 2)
        upper = torch.arange(features.shape[2]) < features.shape[2] // 2
        sky = upper[None, :, None].expand(len(pixels), -1, features.shape[3]).flatten().float()
        wanted = torch.stack([1 - sky, sky, torch.full_like(sky, -1)], 1)
        solution = torch.linalg.lstsq(torch.cat([rows, torch.ones(len(rows), 1)], 1), wanted, driver="gelsd").solution
        network.classifier[1].weight.copy_(solution[:-1].T[:, :, None, None])
        network.classifier[1].bias.copy_(solution[-1])
    save_network(path, network, {"classes": list(NAMES)})
    return network
