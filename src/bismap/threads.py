"""Threads that each compute alone."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch


def one_thread_each() -> ThreadPoolExecutor:
    """As many threads as torch has, each with single-threaded torch operations: no barriers, no order of sums.

    They are kept, as a thread's first matrix product costs more than a small one does.
    """
    return _pool(torch.get_num_threads())


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    started = Barrier(threads + 1)

    def alone() -> None:
        torch.get_num_threads()  # a thread's first question sets it to the default: after it, ours stays
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, initializer=alone)
    for _ in range(threads):
        pool.submit(int)  # each starts a thread, since none is idle before all have started
    started.wait()
    torch.set_num_threads(threads)  # `alone` changed the default of threads to come
    return pool
