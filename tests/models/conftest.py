"""A network small enough to run many times."""

from collections.abc import Iterator

import pytest
import torch

from bismap.models.network import DeepLabV3Plus, build_network

SMALL = {
    "backbone": "small",
    "width": 4,
    "output_stride": 16,
    "aspp_channels": 8,
    "aspp_rates": [1, 2],
    "low_level_channels": 4,
    "decoder_channels": 8,
    "dropout": 0.1,
}
PAPER = {
    "backbone": "resnet101",
    "output_stride": 16,
    "aspp_channels": 256,
    "aspp_rates": [6, 12, 18],
    "low_level_channels": 48,
    "decoder_channels": 256,
    "dropout": 0.1,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_settings() -> dict:
    return dict(SMALL)


@pytest.fixture
def small_net() -> DeepLabV3Plus:
    """Three classes, random weights, batch statistics of one random batch, in evaluation mode."""
    net = build_network(SMALL, 3)
    net(torch.randn(2, 3, 32, 48))
    return net.eval()


@pytest.fixture(scope="session")
def paper_net() -> DeepLabV3Plus:
    """The paper's network for 19 classes: shapes only, no numbers."""
    with torch.device("meta"):
        return build_network(PAPER, 19)
