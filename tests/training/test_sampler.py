"""The order of images: a permutation an epoch, by position only."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bismap.training.sampler import image_index


@settings(max_examples=40, deadline=None)
@given(images=st.integers(1, 40), epoch=st.integers(0, 50), seed=st.integers(0, 5))
def test_each_epoch_is_a_permutation(images, epoch, seed):
    first = epoch * images
    order = [image_index(seed, "source", images, first + place) for place in range(images)]
    assert sorted(order) == list(range(images))


def test_epochs_domains_and_seeds_differ():
    def order(seed: int, domain: str, epoch: int) -> list[int]:
        return [image_index(seed, domain, 30, epoch * 30 + place) for place in range(30)]

    orders = [order(0, "source", 0), order(0, "source", 1), order(0, "target", 0), order(1, "source", 0)]
    assert len({tuple(o) for o in orders}) == 4


def test_positions_can_be_asked_in_any_order():
    forward = [image_index(3, "target", 7, p) for p in range(100)]
    backward = [image_index(3, "target", 7, p) for p in reversed(range(100))]
    assert forward == backward[::-1]
