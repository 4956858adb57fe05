"""What Snakemake takes to plan the whole of `gta`, and to find that nothing is left to do.

    python benchmarks/planning.py [--images 24966] [--rounds 3]

The data sets are folders of empty files with the true names, which is all that a plan looks at. Nothing is trained:
for the second figure every output of the plan is made as an empty file and declared up to date (``--touch``).
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TARGET = "results/gta/bismap_distilled.json"
SPLITS = {"train": 2975, "val": 500}


def make_files(folder: Path, images: int) -> None:
    """GTA5 with ``images`` images, Cityscapes and the weights' files, all empty."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    missing = set(config["datasets"]["gta5"]["missing_pairs"])
    for number in range(1, images + 1):
        if f"{number:05d}" not in missing:
            for kind in ("images", "labels"):
                _touch(folder / f"data/gta5/{kind}/{number:05d}.png")
    for split, count in SPLITS.items():
        for number in range(count):
            stem = f"{split}/city/city_{number:06d}_000000"
            _touch(folder / f"data/cityscapes/leftImg8bit/{stem}_leftImg8bit.png")
            _touch(folder / f"data/cityscapes/gtFine/{stem}_gtFine_labelIds.png")
    for weights in config["weights"].values():
        _touch(folder / weights["file"])


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--configfile", ROOT / "config.yaml", "--cores", "2", *arguments, "--", TARGET]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)


def finish(folder: Path) -> int:
    """Make every output of the plan, empty; returns their number."""
    lines = snakemake(folder, "--summary").stdout.splitlines()
    outputs = [folder / line.split("\t")[0] for line in lines if line.startswith("results/")]
    for path in outputs:
        _touch(path)
    snakemake(folder, "--touch")
    return len(outputs)


def timed(folder: Path, rounds: int, *arguments: str) -> tuple[float, float, str]:
    """Median wall seconds and processor seconds, and what was printed."""
    wall, busy = [], []
    for _ in range(rounds):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = snakemake(folder, *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall.append(time.perf_counter() - start)
        busy.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(wall), statistics.median(busy), done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24_966)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        make_files(folder, args.images)
        plan = timed(folder, args.rounds, "--dry-run")
        jobs = next(line.split()[1] for line in plan[2].splitlines() if line.startswith("total"))
        outputs = finish(folder)
        idle = timed(folder, args.rounds)
        assert "Nothing to be done" in idle[2], idle[2]
    finally:
        shutil.rmtree(folder)
    print(f"### Planning `gta`, {args.images:,} + {SPLITS['train']:,} + {SPLITS['val']} images\n")
    print("| command | wall time | processor time | asked for |\n|---|---:|---:|---:|")
    print(f"| `snakemake -n {TARGET}`, {jobs} jobs | {plan[0]:.1f} s | {plan[1]:.1f} s | 5 s |")
    print(
        f"| `snakemake {TARGET}`, all {outputs} outputs there | {idle[0]:.1f} s | {idle[1]:.1f} s | 5 s |\n", flush=True
    )


if __name__ == "__main__":
    main()
