"""Threads that each compute alone."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


def one_thread_each() -> ThreadPoolExecutor:
    """As many threads as torch has, each with single-threaded torch operations: no barriers, no order of sums.

    They are kept, as a thread's first matrix product costs more than a small one does.
    """
    return _pool(torch.get_num_threads())


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    try:
        pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        for _ in pool.map(abs, range(threads)):
            pass
        return pool
    finally:
        torch.set_num_threads(threads)
