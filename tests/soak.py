"""Soak test: start the demo workflow, kill its process tree at a random moment, start again, until it is through.

    python tests/soak.py --kills 50

An undisturbed run comes first; the killed ones, in folders of their own, must end with the same JSON, byte for byte.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
RESULT = Path("results/demo/bismap_distilled.json")
OPTIONS = ["--cores", "2", "--rerun-incomplete", "--set-threads", "train=1", "extractor=1"]


def snakemake(folder: Path, *arguments: str) -> list[str]:
    snakefile = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [sys.executable, "-m", "snakemake", *snakefile, *arguments]


def start(folder: Path) -> subprocess.Popen:
    log = (folder / "snakemake.log").open("ab")
    command = snakemake(folder, *OPTIONS, "--", str(RESULT))
    return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def kill_tree(process: subprocess.Popen, number: int) -> None:
    """Signal Snakemake and all that it has started, and wait until they are gone."""
    main = psutil.Process(process.pid)
    tree = [main, *main.children(recursive=True)]
    for member in tree:
        try:
            member.send_signal(number)
        except psutil.NoSuchProcess:
            continue
    for member in psutil.wait_procs(tree, timeout=30)[1]:
        member.kill()
    process.wait()


def run_killed(folder: Path, dice: random.Random, shortest: float, longest: float, kills: Counter, enough: int) -> None:
    """Start, kill, start again, until the result is there; once there were enough kills, let it finish."""
    while True:
        process = start(folder)
        try:
            limit = None if kills.total() >= enough else dice.uniform(shortest, longest)
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            number = dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            kill_tree(process, number)
            kills[number.name] += 1
            print(f"kill {kills.total()}: {number.name} after {limit:.1f} s", flush=True)
            subprocess.run(snakemake(folder, "--unlock", str(RESULT)), cwd=folder, capture_output=True, check=True)
            continue
        if status:
            raise SystemExit(f"Snakemake failed: see {folder / 'snakemake.log'} and {folder / 'results/logs'}")
        return


def project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "config.yaml", folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="kills at least (default 50)")
    parser.add_argument("--seconds", type=float, nargs=2, default=(2.0, 25.0), help="a kill comes after so many")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="bismap-soak-"))
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    dice, kills, rounds, began = random.Random(args.seed), Counter(), 0, time.monotonic()
    undisturbed = project(folder / "undisturbed")
    if start(undisturbed).wait():
        raise SystemExit(f"the undisturbed run failed: see {undisturbed / 'snakemake.log'}")
    expected = (undisturbed / RESULT).read_bytes()
    alone = time.monotonic() - began
    equal = True
    while kills.total() < args.kills:
        rounds += 1
        killed = project(folder / f"killed{rounds}")
        run_killed(killed, dice, *args.seconds, kills, args.kills)
        equal &= (killed / RESULT).read_bytes() == expected
    report = {
        "kills": dict(kills),
        "runs": rounds,
        "equal": equal,
        "undisturbed_s": round(alone),
        "killed_s": round(time.monotonic() - began - alone),
    }
    print(json.dumps(report))
    if not equal:
        raise SystemExit("a killed run ended with another JSON than the undisturbed one")


if __name__ == "__main__":
    main()
