from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bismap.errors import BismapError
from bismap.stylize.files import choose_reference


class File(NamedTuple):
    id: str
    image: Path = Path()


REFERENCES = [File(f"t{i:03d}") for i in range(20)]


@given(st.permutations(REFERENCES), st.integers(0, 3), st.text(max_size=5))
def test_reference_does_not_depend_on_order(references, seed, name):
    assert choose_reference(name, references, seed) == choose_reference(name, REFERENCES, seed)


def test_references_are_spread_evenly():
    chosen = [choose_reference(f"{i:05d}", REFERENCES, 0).id for i in range(4000)]
    counts = np.array([chosen.count(reference.id) for reference in REFERENCES])
    assert ((counts - 200) ** 2 / 200).sum() < 50  # chi-square with 19 degrees of freedom: p < 1e-4 above


def test_seed_matters():
    chosen = [[choose_reference(str(i), REFERENCES, seed).id for i in range(50)] for seed in (0, 1)]
    assert chosen[0] != chosen[1]


def test_no_reference_is_an_error():
    with pytest.raises(BismapError, match="no images"):
        choose_reference("a", [], 0)
