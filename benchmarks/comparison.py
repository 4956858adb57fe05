"""What the comparisons share: forms of one computation timed in turns, their ratios, memory, the machine.

A benchmark calls `compare` with its forms (ours first) after it has checked that they agree, and prints the
section of docs/performance.md that `Section` makes of it. ``python benchmarks/all.py`` runs all of them.
"""

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Form = Callable[[], object]
# Seconds before each run, in which the worker threads of the form before it stop spinning.
PAUSE = 0.3
# Seconds that a form's turn lasts at least.
TURN = 1.0
PACKAGES = ("torch", "numpy", "numba", "scikit-learn", "scikit-image", "faiss-gpu", "zarr", "pillow", "snakemake")


def compare(forms: Mapping[str, Form], rounds: int, scale: Mapping[str, float] | None = None) -> dict[str, float]:
    """Median seconds of each form; they take turns, so that a slow spell of the machine meets all of them.

    Args:
        forms: what to time, by name; each is run once before, for what is made at first use.
        rounds: how often each is run.
        scale: factor on the seconds of forms that were run on a part only.
    """
    for form in forms.values():
        form()
    taken = [{name: a_turn(form) for name, form in forms.items()} for _ in range(rounds)]
    medians = {name: statistics.median(turn[name] for turn in taken) for name in forms}
    return {name: seconds * (scale or {}).get(name, 1.0) for name, seconds in medians.items()}


def a_turn(form: Form) -> float:
    """Seconds of one run, by as many as fill a turn: the first after a pause meets a processor that has to wake."""
    time.sleep(PAUSE)
    start, runs = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < TURN:
        form()
        runs += 1
    return taken / runs


@dataclass(frozen=True)
class Work:
    """What a form cannot do without: operations in matrix products, bytes to or from memory."""

    fp32: float = 0.0
    fp64: float = 0.0
    bytes: float = 0.0

    def __str__(self) -> str:
        amounts = ((self.fp32 / 1e9, "GFLOP in float32"), (self.fp64 / 1e9, "GFLOP in float64"))
        parts = [f"{amount:.1f} {unit}" for amount, unit in amounts if amount]
        return ", ".join([*parts, f"{self.bytes / 2**20:.0f} MB of memory traffic"])

    def seconds(self) -> float:
        """At this machine's rates: products and traffic side by side."""
        rates = measure_rates()
        return max(self.fp32 / rates.fp32 + self.fp64 / rates.fp64, self.bytes / rates.traffic)


@dataclass(frozen=True)
class Rates:
    """Operations a second in matrix products of 2048 x 2048, and bytes a second that a copy reads and writes."""

    fp32: float
    fp64: float
    traffic: float


@cache
def measure_rates() -> Rates:
    """What the machine does now."""
    import torch

    a, b = torch.randn(2, 2048, 2048)
    wide = a.double(), b.double()
    source, target = torch.ones(2, 256 << 20, dtype=torch.uint8)
    forms = {"fp32": lambda: a @ b, "fp64": lambda: wide[0] @ wide[1], "copy": lambda: target.copy_(source)}
    taken = compare(forms, 5)
    return Rates(2 * 2048**3 / taken["fp32"], 2 * 2048**3 / taken["fp64"], 2 * len(source) / taken["copy"])


@dataclass
class Section:
    """One benchmark's part of docs/performance.md.

    Attributes:
        title: what is measured, at which size.
        required: least ratio to ours that the project asks for, by peer.
        unit: what a run is divided by, with the number of them in a run (``("an image", 10)``).
        notes: lines under the table: agreement, memory.
        floor: of one unit of ours.
    """

    title: str
    required: dict[str, float] = field(default_factory=dict)
    unit: tuple[str, float] = ("a run", 1)
    notes: list[str] = field(default_factory=list)
    floor: Work | None = None

    def print(self, seconds: dict[str, float]) -> None:
        """Markdown of the table, ours first, and the notes."""
        ours = next(iter(seconds.values()))
        name, number = self.unit
        print(f"### {self.title}\n\n| form | time {name} | ours is faster by | asked for |\n|---|---:|---:|---:|")
        for form, taken in seconds.items():
            ratio = "" if taken is ours else f"{taken / ours:.1f} ×"
            asked = f"{self.required[form]:g} ×" if form in self.required else ""
            print(f"| {form} | {duration(taken / number)} | {ratio} | {asked} |")
        print()
        for note in self.notes:
            print(f"- {note}")
        if self.floor:
            least = self.floor.seconds()
            print(
                f"- Floor: {self.floor}; at the machine's rates {duration(least)}, {least / ours * number:.0%} of ours."
            )
        print(flush=True)


def duration(seconds: float) -> str:
    """Seconds as text, three digits, in the unit that suits them."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"


def memory_above_imports(function: Callable[..., object], *args: object) -> float:
    """Most MB that a fresh process held while it ran ``function(*args)``, above what it held after its imports."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (function, *args))


def _measured(function: Callable[..., object], *args: object) -> float:
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    function(*args)
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    """A line of /proc/self/status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def machine() -> str:
    """The processor, its measured rates, and the versions: one paragraph."""
    import torch

    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    rates = measure_rates()
    found = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, torch with {torch.get_num_threads()} threads: "
        f"{rates.fp32 / 1e9:.0f} GFLOP/s in fp32 and {rates.fp64 / 1e9:.0f} in fp64 (matrix products of 2048 x 2048), "
        f"copies {rates.traffic / 2**31:.1f} GiB/s. Python {platform.python_version()}, {found}."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
