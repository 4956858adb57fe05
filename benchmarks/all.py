"""All comparisons, one process after the other, into docs/performance.md.

    python benchmarks/all.py [--write]

Prints the sections; ``--write`` puts them between the two marks of docs/performance.md. Needs an idle machine.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from comparison import machine

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured by benchmarks/all.py: begin -->", "<!-- end -->"
COMPARISONS = ("gmm", "densities", "stylize", "kmeans", "feature_store", "images", "planning", "scaling")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    args = parser.parse_args()
    parts = [f"Machine: {machine()}\n"]
    print(parts[0], flush=True)
    for name in COMPARISONS:
        command = [sys.executable, HERE / f"{name}.py"]
        if args.write and name == "scaling":
            command += ["--figure", PAGE.with_name("scaling.svg")]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        parts.append(done.stdout)
        print(done.stdout, flush=True)
    if args.write:
        before, rest = PAGE.read_text().split(BEGIN)
        after = rest.split(END)[1]
        sections = "\n".join(parts).strip()
        PAGE.write_text(f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}")


if __name__ == "__main__":
    main()
