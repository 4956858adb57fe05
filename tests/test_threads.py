"""Threads that compute alone leave the others as they were."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from bismap.threads import one_thread_each


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_has_one_thread_and_others_keep_theirs(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = Barrier(threads)

        def look(_: int) -> int:
            together.wait(10)
            return torch.get_num_threads()

        assert list(one_thread_each().map(look, range(threads))) == [1] * threads
        assert torch.get_num_threads() == threads
        with ThreadPoolExecutor(1) as fresh:
            assert fresh.submit(torch.get_num_threads).result() == threads
    finally:
        torch.set_num_threads(before)
