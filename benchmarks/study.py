"""The study of docs/study.md: collect what the runs of its experiments ended in, and say what it shows.

    python benchmarks/study.py collect RESULTS SEED [SEED ...]
    python benchmarks/study.py report

``collect`` reads RESULTS/study_{demo,camvid}*-s{SEED}/ and puts what it finds into docs/study/curves.csv and runs.csv;
rows of a seed that is there already are replaced, so that the study can go on over several sittings. ``report`` makes
the tables between the marks of docs/study.md, and the figures beside those files.

Differences are paired by seed; their intervals hold 95 % by Student's t.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy.stats import t as student

mpl.use("svg")
import matplotlib.pyplot as plt

PAGE = Path(__file__).parents[1] / "docs" / "study.md"
FOLDER = PAGE.with_suffix("")
CURVES, RUNS, VARIANTS, HALVES, EMA = (
    FOLDER / f"{name}.csv" for name in ("curves", "runs", "variants", "halves", "ema")
)
DEVELOPMENT = 0
"""Seed of `demo` that settings were chosen on; in no mean."""
BEGIN, END = "<!-- made by benchmarks/study.py: begin -->", "<!-- end -->"

DATA = ("demo", "camvid")
ASSIGNMENTS = ("maps", "posterior", "cas", "softmax", "ias")
MIXTURES = {"single_isotropic": "K = 1, isotropic", "single": "K = 1, anisotropic", "isotropic": "K = 8, isotropic"}
THRESHOLDS = {"share30": "30 %", "share45": "45 %", "study": "60 %", "share80": "80 %"}
"""Experiments of one data set that differ in the thresholds: the share wanted, but for `ias` (see config.yaml)."""
ROUND_2 = "_round2"
SHARES = (0.2, 0.4, 0.6, 0.8)
REGIONS = {"all": "all pixels", "head": "head classes", "tail": "tail classes", "border": "near a border"}


def collect(results: Path, seeds: Sequence[int]) -> None:
    """Add what there is of the seeds to both tables."""
    replace(CURVES, list(_curves(results, seeds)), ["data", "label", "seed"])
    replace(RUNS, list(_runs(results, seeds)), ["data", "experiment", "run", "seed"])


def _experiments(data: str) -> Iterator[tuple[str, str]]:
    """Suffix and name of each experiment on a data set; the study's own has none."""
    for suffix in ("", *MIXTURES, *(name for name in THRESHOLDS if name != "study")):
        yield suffix, f"study_{data}" + (f"_{suffix}" if suffix else "")


def _curves(results: Path, seeds: Sequence[int]) -> Iterator[dict]:
    for data in DATA:
        for suffix, experiment in _experiments(data):
            for seed in seeds:
                wanted = "maps.curve.csv" if suffix in MIXTURES else "*.curve.csv"
                for path in sorted((results / _name(experiment, seed) / "gpa_stm/pseudo_labels").glob(wanted)):
                    label = suffix if suffix in MIXTURES else path.name.partition(".")[0]
                    table = pd.read_csv(path)
                    if label != "ias":  # every second point will do
                        table = table[table["setting"].isin(table["setting"].unique()[1::2])]
                    for row in table.round(4).to_dict("records"):
                        yield {"data": data, "label": label, "seed": seed} | row


def _runs(results: Path, seeds: Sequence[int]) -> Iterator[dict]:
    for data in DATA:
        for suffix, experiment in _experiments(data):
            for seed in seeds:
                for path in sorted((results / _name(experiment, seed)).glob("*.json")):
                    found = json.loads(path.read_text())
                    row = {"data": data, "experiment": suffix or "study", "run": path.stem, "seed": seed}
                    row |= {"miou": found["miou"]["miou"], "pixel_accuracy": found["pixel_accuracy"]}
                    row["labelled_share"] = _labelled_share(path)
                    yield {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}


def _labelled_share(run: Path) -> float | None:
    """Of the pseudo-labels that a run named after its teacher and assignment learnt from; None of another."""
    first_round = run.stem.removesuffix(ROUND_2)
    teacher, _, assignment = first_round.rpartition("_")
    teacher = teacher if first_round == run.stem else first_round
    quality = run.parent / teacher / f"pseudo_labels/{assignment}.json"
    return json.loads(quality.read_text())["labelled_share"] if quality.exists() else None


def _name(experiment: str, seed: int) -> str:
    return experiment if seed == DEVELOPMENT else f"{experiment}-s{seed}"


def replace(path: Path, rows: list[dict], keys: list[str]) -> None:
    """Add rows to a table; they take the place of all that have the same ``keys`` there."""
    found = pd.DataFrame(rows)
    if path.exists():
        old = pd.read_csv(path)
        known = pd.MultiIndex.from_frame(found[keys])
        found = pd.concat([old[~pd.MultiIndex.from_frame(old[keys]).isin(known)], found])
    found.sort_values(keys, kind="stable").to_csv(path, index=False, lineterminator="\n")


def interval(values: Sequence[float]) -> str:
    """'mean ± half the 95 % interval' in per cent, of paired differences."""
    values = 100 * np.asarray(values)
    if len(values) < 2:
        return f"{values.mean():+.1f}"
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.1f} ± {half:.1f}"


def at_share(curves: pd.DataFrame, share: float, column: str) -> "pd.Series[float]":
    """By seed, a column of one label's curve at a labelled share, between its points; NaN beyond them."""

    def of(curve: pd.DataFrame) -> float:
        curve = curve.sort_values("share")
        return float(np.interp(share, curve["share"], curve[column], left=np.nan, right=np.nan))

    return curves.groupby("seed")[["share", column]].apply(of)


def curve_tables(curves: pd.DataFrame) -> Iterator[str]:
    """Of each data set and region: every label at shares of *all* pixels, and the paired difference to `maps`."""
    labels = [*ASSIGNMENTS, *MIXTURES]
    for data in DATA:
        for region, title in REGIONS.items():
            mine = curves[(curves["data"] == data) & (curves["region"] == region)]
            if mine.empty:
                continue
            # How much of a region is labelled differs by label; of all pixels it is the share itself.
            columns = {"accuracy": "accuracy", "miou": "mIoU"}
            columns |= {} if region == "all" else {"labelled_share": "labelled"}
            rows = []
            for label in labels:
                cells = [_cell(mine, label, share, column) for share in SHARES for column in columns]
                rows.append([MIXTURES.get(label, f"`{label}`"), *cells])
            head = [f"{name} at {share:.0%}" for share in SHARES for name in columns.values()]
            seeds = mine["seed"].nunique()
            yield f"**{data}, {title}** ({seeds} seeds)\n\n" + markdown([" ", *head], rows)


def ias_table(curves: pd.DataFrame, alpha: float = 0.2) -> Iterator[str]:
    """Every label at the share that `ias` labels with its published constants, seed by seed, less `ias`."""
    for data in DATA:
        mine = curves[(curves["data"] == data) & curves["region"].isin(["all", "tail"])]
        ias = mine[(mine["label"] == "ias") & (mine["setting"] == alpha)].set_index(["region", "seed"])
        if ias.empty:
            continue
        rows = []
        for label in (*ASSIGNMENTS, *MIXTURES):
            row = [MIXTURES.get(label, f"`{label}`")]
            for region in ("all", "tail"):
                own = mine[(mine["label"] == label) & (mine["region"] == region)]
                for column in ("accuracy", "miou"):
                    target = ias.loc[region]
                    found = pd.Series(
                        {seed: at_share(one, target["share"][seed], column)[seed] for seed, one in own.groupby("seed")}
                    )
                    both = found.index.intersection(target.index)
                    mean = f"{100 * found.loc[both].mean():.1f}" if len(both) else "–"
                    difference = found.loc[both] - target.loc[both, column]
                    row.append(mean if label == "ias" or not len(both) else f"{mean} ({interval(difference)})")
            rows.append(row)
        head = [f"{name}, {region}" for region in ("all pixels", "tail") for name in ("accuracy", "mIoU")]
        shares = 100 * ias.loc["all", "share"]
        yield (
            f"**{data}, at the share that `ias` labels with its published constants** ({shares.min():.0f} to "
            f"{shares.max():.0f} % of the pixels; differences to `ias`)\n\n" + markdown(["", *head], rows)
        )


def _cell(curves: pd.DataFrame, label: str, share: float, column: str) -> str:
    """Mean over the seeds that all labels have, and the difference to `maps`."""
    own = at_share(curves[curves["label"] == label], share, column)
    paper = at_share(curves[curves["label"] == "maps"], share, column)
    seeds = own.index.intersection(paper.index)
    own, paper = own.loc[seeds], paper.loc[seeds]
    if own.empty or own.isna().any() or paper.isna().any():
        return "–"
    mean = f"{100 * own.mean():.1f}"
    return mean if label == "maps" else f"{mean} ({interval(own - paper)})"


def chosen_thresholds(runs: pd.DataFrame) -> dict[str, str]:
    """Of each assignment's run, the experiment whose threshold scored best on the development seed of `demo`."""
    tuned = runs[(runs["data"] == DATA[0]) & (runs["seed"] == DEVELOPMENT) & runs["experiment"].isin(THRESHOLDS)]
    best = tuned.sort_values("miou").groupby("run").last()
    return {run: best["experiment"][run] for run in map(_retrained, ASSIGNMENTS) if run in best.index}


def _retrained(assignment: str) -> str:
    return f"gpa_stm_{assignment}"


def tuning_table(runs: pd.DataFrame) -> Iterator[str]:
    """What the thresholds of Table 3 were chosen by."""
    tuned = runs[(runs["data"] == DATA[0]) & (runs["seed"] == DEVELOPMENT)]
    wide = tuned.pivot(index="run", columns="experiment", values="miou").reindex(columns=[*THRESHOLDS])
    rows = []
    for assignment in ASSIGNMENTS:
        if _retrained(assignment) in wide.index:
            own = wide.loc[_retrained(assignment)]
            cells = ["–" if np.isnan(value) else f"{100 * value:.1f}" for value in own]
            best = int(np.nanargmax(own))
            rows.append([f"`{assignment}`", *cells[:best], f"**{cells[best]}**", *cells[best + 1 :]])
    if rows:
        head = ["", "30 % (alpha 0.1)", "45 % (0.2)", "60 % (0.5)", "80 % (1)"]
        yield f"**Thresholds, demo, seed {DEVELOPMENT}**: mIoU retrained\n\n" + markdown(head, rows)


def run_tables(runs: pd.DataFrame) -> Iterator[str]:
    """Tables 3, 4 and 5 in the paper's form, and the second round, as far as there are runs."""
    table_4 = {
        "gpa": "baseline",
        "gpa_stm": "+ STM",
        "gpa_maps": "+ MAPs",
        "gpa_stm_maps": "+ STM + MAPs",
        "bismap": "+ consistency",
        "bismap_distilled": "+ distillation",
    }
    chosen = chosen_thresholds(runs)
    table_3 = {run: f"`{run.removeprefix('gpa_stm_')}` ({THRESHOLDS[chosen[run]]})" for run in chosen}
    table_3["gpa_stm"] = "their teacher"
    for data in DATA:
        mine = runs[(runs["data"] == data) & (runs["seed"] != DEVELOPMENT)]
        at_chosen = mine["experiment"] == mine["run"].map({"gpa_stm": "study"} | chosen)
        yield from _table(f"Table 3, {data}", mine[at_chosen], table_3, _retrained("maps"))
        study = mine[mine["experiment"] == "study"]
        yield from _table(f"Table 4, {data}", study, table_4, "gpa")
        yield from _table(
            f"Row 2 on all seeds, {data}", study, {run: table_4[run] for run in ("gpa", "gpa_stm")}, "gpa"
        )
        for run in map(_retrained, ("maps", "cas")):
            own = mine[mine["run"] == run].assign(run=lambda frame: frame["experiment"])
            if own["experiment"].nunique() > 1:
                yield from _table(f"Table 5, {data}, `{run}` by labelled share", own, THRESHOLDS, "study")
        for run in map(_retrained, ("maps", "posterior")):
            own = mine[mine["experiment"] == chosen.get(run)]
            if (own["run"] == run + ROUND_2).any():
                names = {run: f"first round ({THRESHOLDS[chosen[run]]})", run + ROUND_2: "second round"}
                yield from _table(f"Second round, {data}, `{run}`", own, names, run)


def _table(title: str, runs: pd.DataFrame, names: dict[str, str], against: str) -> Iterator[str]:
    """One row a run, over the seeds that all of them have."""
    mine = runs[runs["run"].isin(names)]
    wide = mine.pivot(index="seed", columns="run", values="miou").dropna()
    if wide.empty or against not in wide:
        return
    shares = mine[mine["seed"].isin(wide.index)].groupby("run")["labelled_share"].mean()
    rows = []
    for run in (run for run in names if run in wide):
        difference = "" if run == against else interval(wide[run] - wide[against])
        share = "" if np.isnan(shares[run]) else f"{shares[run]:.0%}"
        rows.append([names[run], share, f"{100 * wide[run].mean():.1f}", difference])
    head = ["", "pixels labelled", "mIoU", f"less {names[against]}, paired"]
    yield f"**{title}** ({len(wide)} seeds)\n\n" + markdown(head, rows)


def variant_tables(variants: pd.DataFrame) -> Iterator[str]:
    """Every variant of the mixture score at two labelled shares, less the paper's, paired."""
    columns = {"accuracy": "accuracy", "miou": "mIoU", "tail_miou": "tail mIoU"}
    for data in DATA:
        mine = variants[(variants["data"] == data) & (variants["seed"] != DEVELOPMENT)]
        mine = mine[~mine["variant"].str.contains("smoothed (?!2)")]  # what was tried on the development seed
        if mine.empty:
            continue
        paper, rows = mine["variant"].iloc[0], []
        for variant in mine["variant"].unique():
            row = [variant]
            for share in (0.4, 0.6):
                for column in columns:
                    wide = mine[mine["share"] == share].pivot(index="seed", columns="variant", values=column)
                    mean = f"{100 * wide[variant].mean():.1f}"
                    row.append(mean if variant == paper else f"{mean} ({interval(wide[variant] - wide[paper])})")
            rows.append(row)
        head = [f"{title} at {share:.0%}" for share in (0.4, 0.6) for title in columns.values()]
        yield f"**Variants, {data}** ({mine['seed'].nunique()} seeds)\n\n" + markdown([" ", *head], rows)


def smoothing_table(variants: pd.DataFrame) -> Iterator[str]:
    """What the smoothing was chosen by: the development seed alone."""
    mine = variants[(variants["data"] == DATA[0]) & (variants["seed"] == DEVELOPMENT)]
    mine = mine[mine["variant"].str.match("odds$|odds, smoothed")].set_index(["variant", "share"])
    rows = []
    for variant in mine.index.unique("variant"):
        found = [mine.loc[(variant, share)] for share in (0.4, 0.6)]
        rows.append([variant, *(f"{100 * one[column]:.1f}" for one in found for column in ("accuracy", "miou"))])
    if rows:
        head = [f"{title} at {share}" for share in ("40%", "60%") for title in ("accuracy", "mIoU")]
        yield f"**Smoothing, demo, seed {DEVELOPMENT}**\n\n" + markdown(["", *head], rows)


def transfer_table(variants: pd.DataFrame, share: float = 0.6) -> Iterator[str]:
    """What a threshold that keeps ``share`` on the development seed keeps elsewhere, and how true that is."""
    rows = []
    for variant in ("density (paper)", "density against the source's", "odds", "odds, smoothed 2"):
        own = variants[variants["variant"] == variant]
        chosen = own[(own["seed"] == DEVELOPMENT) & (own["share"] == share)]["threshold"]
        if chosen.empty:
            return
        row = [variant, f"{chosen.iloc[0]:.2f}"]
        for data in DATA:
            mine = own[(own["data"] == data) & (own["seed"] != DEVELOPMENT)]
            found = mine.groupby("seed")[["threshold", "share", "accuracy"]].apply(_at_threshold, chosen.iloc[0])
            shares = 100 * found["share"]
            row += [f"{shares.mean():.0f} ({shares.min():.0f} to {shares.max():.0f})"]
            row += [f"{100 * found['accuracy'].mean():.1f}"]
        rows.append(row)
    head = [f"{data}: {what}" for data in DATA for what in ("share kept", "accuracy")]
    yield f"**One threshold for all data**, that keeps {share:.0%} on `demo`, seed {DEVELOPMENT}\n\n" + markdown(
        ["score", "threshold", *head], rows
    )


def _at_threshold(curve: pd.DataFrame, threshold: float) -> pd.Series:
    curve = curve.sort_values("threshold")
    return pd.Series({name: np.interp(threshold, curve["threshold"], curve[name]) for name in ("share", "accuracy")})


def halves_table(halves: pd.DataFrame) -> Iterator[str]:
    """Training on the pixels of high and of low weight, paired."""
    rows = []
    for (data, split), mine in halves.groupby(["data", "split"], sort=False):
        wide = mine.pivot(index="seed", columns="half", values="miou").reindex(columns=["high", "low"]).dropna()
        if len(wide):
            means = [f"{100 * wide[half].mean():.1f}" for half in ("high", "low")]
            rows.append([data, split, *means, interval(wide["high"] - wide["low"]), str(len(wide))])
    head = ["data", "split", "mIoU, high half", "mIoU, low half", "high less low, paired", "seeds"]
    yield "**Halves of the source's pixels**\n\n" + markdown(head, rows)


def ema_table(ema: pd.DataFrame) -> Iterator[str]:
    """The mean teacher of `bismap` as the final model, against its student, paired."""
    rows = []
    for data in DATA:
        wide = ema[ema["data"] == data].pivot(index="seed", columns="weights", values="miou")
        if len(wide):
            means = [f"{100 * wide[weights].mean():.1f}" for weights in ("student", "ema")]
            rows.append([data, *means, interval(wide["ema"] - wide["student"]), str(len(wide))])
    head = ["data", "mIoU, student", "mIoU, average", "average less student, paired", "seeds"]
    yield "**Averaged weights as the final model, `bismap`**\n\n" + markdown(head, rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def draw(curves: pd.DataFrame, data: str) -> None:
    """Accuracy and mIoU of labelled pixels against the share labelled, of all pixels and of the tail classes."""
    mpl.rcParams |= {"svg.hashsalt": "bismap", "svg.fonttype": "none", "font.size": 8}
    figure, axes = plt.subplots(2, 3, figsize=(9.5, 5.2), layout="constrained")
    panels = [("all", "accuracy"), ("tail", "accuracy"), ("border", "accuracy"), ("all", "miou"), ("tail", "miou"),
              ("border", "miou")]  # fmt: skip
    for axis, (region, column) in zip(axes.flat, panels, strict=True):
        for label, style in zip((*ASSIGNMENTS, *MIXTURES), _styles(), strict=True):
            mine = curves[(curves["data"] == data) & (curves["region"] == region) & (curves["label"] == label)]
            shares = np.linspace(0.1, 1, 19)
            means = [at_share(mine, share, column).mean(skipna=False) if len(mine) else np.nan for share in shares]
            axis.plot(shares, means, label=MIXTURES.get(label, label), **style)
        axis.set(xlabel="share of pixels labelled", title=f"{column.replace('miou', 'mIoU')}, {REGIONS[region]}")
        axis.grid(color="0.92")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=8, frameon=False)
    figure.savefig(FOLDER / f"curves_{data}.svg", metadata={"Date": None})


def _styles() -> Iterator[dict]:
    # Okabe and Ito's colours, which the colour-blind tell apart.
    for color in ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7"):
        yield {"color": color}
    for dash in (":", "--", "-."):
        yield {"color": "0.5", "linestyle": dash}


def report() -> None:
    """Write tables into the page and figures beside the tables."""
    curves, runs = pd.read_csv(CURVES), pd.read_csv(RUNS)
    curves = curves[curves["seed"] != DEVELOPMENT]
    parts = []
    for data in DATA:
        draw(curves, data)
        parts.append(f"![Quality of pseudo-labels on {data}](study/curves_{data}.svg)\n")
    parts += [*curve_tables(curves), *ias_table(curves), *tuning_table(runs), *run_tables(runs)]
    others = {
        VARIANTS: (smoothing_table, variant_tables, transfer_table),
        HALVES: (halves_table,),
        EMA: (ema_table,),
    }
    for path, tables in others.items():
        if path.exists():
            parts += [part for table in tables for part in table(pd.read_csv(path))]
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
