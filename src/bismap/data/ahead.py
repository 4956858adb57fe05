"""Files read by threads ahead of the one who computes on them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """``function(item)`` of each item, in order; at most ``2 * threads`` results wait in memory."""
    with ThreadPoolExecutor(threads) as pool:
        todo = iter(items)
        waiting = deque(pool.submit(function, item) for item in islice(todo, 2 * threads))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(todo, 1))
