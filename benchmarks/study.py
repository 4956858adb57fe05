"""The study of docs/study.md: collect what the runs of its experiments ended in, and say what it shows.

    python benchmarks/study.py collect RESULTS SEED [SEED ...]
    python benchmarks/study.py report

``collect`` reads RESULTS/study_{demo,camvid}*-s{SEED}/ and puts what it finds into docs/study/curves.csv and runs.csv;
rows of a seed that is there already are replaced, so that the study can go on over several sittings. ``report`` makes
the tables between the marks of docs/study.md, and the figures beside those files.
"""

import argparse
from pathlib import Path

import pandas as pd
import study_tables as tables
from study_data import CURVES, DATA, DEVELOPMENT, EMA, HALVES, PAGE, RUNS, VARIANTS, WITHOUT_TARGET, collect

BEGIN, END = "<!-- made by benchmarks/study.py: begin -->", "<!-- end -->"


def report() -> None:
    """Write tables into the page and figures beside the tables."""
    paths = (CURVES, RUNS, VARIANTS, HALVES, EMA, WITHOUT_TARGET)
    curves, runs, variants, halves, ema, alone = map(pd.read_csv, paths)
    curves = curves[curves["seed"] != DEVELOPMENT]
    for data in DATA:
        tables.draw(curves, data)
    parts = [
        *(f"![Quality of pseudo-labels on {data}](study/curves_{data}.svg)\n" for data in DATA),
        *tables.curve_tables(curves),
        *tables.tail_table(curves),
        *tables.mixture_table(curves),
        *tables.ias_table(curves),
        *tables.tuning_table(runs),
        *tables.run_tables(pd.concat([runs, alone.assign(experiment="study", run=tables.ALONE)])),
        *tables.smoothing_table(variants),
        *tables.variant_tables(variants),
        *tables.odds_table(variants),
        *tables.transfer_table(variants),
        *tables.halves_table(halves, runs),
        *tables.ema_table(ema),
    ]
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{rest.split(END)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    adding = commands.add_parser("collect")
    adding.add_argument("results", type=Path)
    adding.add_argument("seeds", type=int, nargs="+")
    adding.set_defaults(run=lambda args: collect(args.results, args.seeds))
    commands.add_parser("report").set_defaults(run=lambda args: report())
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
