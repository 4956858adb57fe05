"""Lloyd's steps on a CPU, of which only the distances are computed that may matter.

A cell gets at most as much nearer to a centre, or farther from it, as the centre moves. So each cell keeps an upper
bound on the distance to its own centre and a lower one for each of the others (Elkan, "Using the triangle
inequality to accelerate k-means", ICML 2003), and what they decide is not computed. Sums change by the cells that
change their centre. The result is that of plain Lloyd's steps with distances in float32, but that a cell which is as
near to another centre keeps its own.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bismap.kernels import kernel

# Cells that a thread takes at once; does not change the result.
TASK_ROWS = 1024

_NONE = -1


def lloyd(cells: np.ndarray, centres: np.ndarray, iterations: int, threads: int) -> np.ndarray:
    """Centres ``[J, d]`` float32 after ``iterations`` steps from ``centres``, or at a fixed point before.

    Each step assigns every cell to its nearest centre and moves the centres to the means of their cells; one
    without cells stays where it is. Memory besides the cells: J + 3 values for each of them.

    Args:
        cells: ``[n, d]`` float32, finite.
        centres: ``[J, d]`` float32.
        threads: on which it runs; the result is the same for any number.
    """
    steps = _Steps.start(np.ascontiguousarray(cells), np.ascontiguousarray(centres), threads)
    for _ in range(iterations):
        if not steps.assign():
            break
        steps.move()
    return steps.centres


@dataclass
class _Steps:
    """Where Lloyd's steps stand.

    Attributes:
        label: ``[n]`` nearest centre; `_NONE` at first.
        upper: ``[n]``, at least the distance to it.
        lower: ``[n, J]``, at most the distances to the others; infinite for the own one.
        drift: ``[J]``, how far each centre moved in the last step.
        sums, sizes: ``[J, d]`` float64 and ``[J]``, of each centre's cells.
    """

    cells: np.ndarray
    centres: np.ndarray
    label: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    drift: np.ndarray
    sums: np.ndarray
    sizes: np.ndarray
    threads: int

    @classmethod
    def start(cls, cells: np.ndarray, centres: np.ndarray, threads: int) -> "_Steps":
        n, j = len(cells), len(centres)
        return cls(
            cells,
            centres,
            label=np.full(n, _NONE, np.int32),
            upper=np.full(n, np.inf, np.float32),
            lower=np.zeros((n, j), np.float32),
            drift=np.zeros(j, np.float32),
            sums=np.zeros(centres.shape),
            sizes=np.zeros(j, np.int64),
            threads=threads,
        )

    def assign(self) -> bool:
        """Find each cell's nearest centre and bring the sums up to date; whether any cell changed its centre."""
        before = self.label.copy()

        def task(first: int) -> None:
            rows = slice(first, first + TASK_ROWS)
            _assign(self.cells[rows], self.centres, self.drift, self.label[rows], self.upper[rows], self.lower[rows])

        self._run(task, range(0, len(self.cells), TASK_ROWS))
        changed = np.flatnonzero(before != self.label)
        self._transfer(changed, before[changed], self.label[changed])
        return len(changed) > 0

    def _transfer(self, rows: np.ndarray, old: np.ndarray, new: np.ndarray) -> None:
        np.add.at(self.sizes, new, 1)
        np.subtract.at(self.sizes, old[old != _NONE], 1)
        # A thread takes some columns of all rows: a sum has the order of the rows, whatever the number of threads.
        width = -(-self.cells.shape[1] // self.threads)
        starts = range(0, self.cells.shape[1], width)
        self._run(lambda c: _transfer(self.cells, rows, old, new, self.sums, c, c + width), starts)

    def _run(self, task: Callable[[int], None], starts: Iterable[int]) -> None:
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(task, starts))

    def move(self) -> None:
        """Each centre to the mean of its cells."""
        held = self.sizes > 0
        moved = self.centres.copy()
        moved[held] = self.sums[held] / self.sizes[held, None]
        self.drift = np.sqrt(np.square(moved.astype(np.float64) - self.centres).sum(1)).astype(np.float32)
        self.centres = moved


@kernel
def _assign(cells, centres, drift, label, upper, lower):
    """Bring the bounds of cells up to date and compute what they leave open."""
    for i in range(len(cells)):
        if label[i] != _NONE:
            upper[i] += drift[label[i]]
        least = np.float32(np.inf)
        for j in range(len(centres)):
            lower[i, j] -= drift[j]
            least = min(least, lower[i, j])
        if least < upper[i]:
            _settle(cells[i], centres, label, upper, lower, i)


@kernel
def _settle(cell, centres, label, upper, lower, i):
    own, distance = label[i], upper[i]
    if own != _NONE:
        distance = _distance(cell, centres[own])
    for j in range(len(centres)):
        if lower[i, j] < distance:
            other = _distance(cell, centres[j])
            lower[i, j] = other
            if other < distance:
                if own != _NONE:
                    lower[i, own] = distance
                own, distance = j, other
    lower[i, own] = np.inf
    label[i], upper[i] = own, distance


@kernel
def _distance(a, b):
    total = np.float32(0)
    for k in range(len(a)):
        gap = a[k] - b[k]
        total += gap * gap
    return np.sqrt(total)


@kernel
def _transfer(cells, rows, old, new, sums, first, last):
    """Move the values ``first`` to ``last - 1`` of some cells from one sum to another."""
    for r in range(len(rows)):
        cell = cells[rows[r], first:last]
        if old[r] != _NONE:
            left = sums[old[r], first:last]
            for k in range(len(cell)):
                left[k] -= cell[k]
        joined = sums[new[r], first:last]
        for k in range(len(cell)):
            joined[k] += cell[k]
