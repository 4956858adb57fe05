"""The tables and figures of docs/study.md. Differences are paired by seed, with 95 % intervals by Student's t."""

from collections.abc import Iterator, Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy.stats import t as student
from study_data import ALPHAS, ASSIGNMENTS, DATA, DEVELOPMENT, FOLDER, MIXTURES, ROUND_2, THRESHOLDS

mpl.use("svg")
import matplotlib.pyplot as plt

SHARES = (0.2, 0.4, 0.6, 0.8)
REGIONS = {"all": "all pixels", "head": "head classes", "tail": "tail classes", "border": "near a border"}


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


def tail_table(curves: pd.DataFrame) -> Iterator[str]:
    """Of each data set: pixels of tail classes with their own label, at shares of *all* pixels."""
    tail = curves[curves["region"] == "tail"]
    tail = tail.assign(right=tail["labelled_share"] * tail["accuracy"])
    for data in DATA:
        mine = tail[tail["data"] == data]
        if mine.empty:
            continue
        rows = [
            [MIXTURES.get(label, f"`{label}`"), *(_cell(mine, label, share, "right") for share in SHARES)]
            for label in (*ASSIGNMENTS, *MIXTURES)
        ]
        head = [f"at {share:.0%}" for share in SHARES]
        yield f"**{data}, pixels of tail classes with the right label**, % of them\n\n" + markdown([" ", *head], rows)


def mixture_table(curves: pd.DataFrame) -> Iterator[str]:
    """The 2 x 2 study's mixtures against each other: mIoU of all pixels, paired."""
    pairs = {
        "K = 8 less K = 1, anisotropic": ("maps", "single"),
        "K = 8 less K = 1, isotropic": ("isotropic", "single_isotropic"),
        "anisotropic less isotropic, K = 8": ("maps", "isotropic"),
        "anisotropic less isotropic, K = 1": ("single", "single_isotropic"),
    }
    rows = []
    for data in DATA:
        mine = curves[(curves["data"] == data) & (curves["region"] == "all")]
        for title, labels in pairs.items():
            cells = []
            for share in SHARES:
                one, other = (at_share(mine[mine["label"] == label], share, "miou") for label in labels)
                cells.append(interval((one - other).dropna()))
            rows.append([title, data, *cells])
    yield "**Mixtures against each other**, mIoU, paired\n\n" + markdown(
        ["", "data", *(f"at {share:.0%}" for share in SHARES)], rows
    )


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


def _threshold(run: str, experiment: str) -> str:
    """A run's threshold in an experiment, as its tables call it."""
    return f"alpha {ALPHAS[experiment]}" if run == _retrained("ias") else THRESHOLDS[experiment]


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
        head = ["", *(f"{THRESHOLDS[name]} (alpha {alpha})" for name, alpha in ALPHAS.items())]
        yield f"**Thresholds, demo, seed {DEVELOPMENT}**: mIoU retrained\n\n" + markdown(head, rows)


ALONE = "without_target"
"""The student of `gpa_stm` that sees no target (benchmarks/without_target.py)."""

TABLE_4 = {
    "gpa": "baseline",
    "gpa_stm": "+ STM",
    ALONE: "+ STM, 400 steps more",
    "gpa_maps": "+ MAPs",
    "gpa_stm_maps": "+ STM + MAPs",
    "bismap": "+ consistency",
    "bismap_distilled": "+ distillation",
}
EXTENDED = {
    "gpa_stm": "gpa",
    ALONE: "gpa_stm",
    "gpa_maps": "gpa",
    "gpa_stm_maps": "gpa_stm",
    "bismap": "gpa_stm_maps",
    "bismap_distilled": "bismap",
}
"""The row of Table 4 that each one adds something to."""

Reference = Mapping[str, str]
"""Of a run, the one that it is compared with."""


def run_tables(runs: pd.DataFrame) -> Iterator[str]:
    """Tables 3, 4 and 5 in the paper's form, and the second round, as far as there are runs."""
    chosen = chosen_thresholds(runs)
    table_3 = {run: f"`{run.removeprefix('gpa_stm_')}` ({_threshold(run, chosen[run])})" for run in chosen}
    table_3 |= {"gpa_stm": "their teacher", ALONE: "as many steps without the target"}
    taught = dict.fromkeys(("gpa_stm_maps", "bismap", "bismap_distilled"), "gpa_stm")
    as_long = dict.fromkeys(("gpa_stm_maps", "bismap"), ALONE)
    for data in DATA:
        mine = runs[(runs["data"] == data) & (runs["seed"] != DEVELOPMENT)]
        at_chosen = mine["experiment"] == mine["run"].map({"gpa_stm": "study", ALONE: "study"} | chosen)
        against = _all_against(_retrained("maps"), table_3) | _all_against(ALONE, table_3)
        yield from _table(f"Table 3, {data}", mine[at_chosen], table_3, against)
        study = mine[mine["experiment"] == "study"]
        also = {"less the row that it adds to": EXTENDED, "less + STM": taught, "less + STM, 400 steps more": as_long}
        yield from _table(f"Table 4, {data}", study, TABLE_4, _all_against("gpa", TABLE_4) | also)
        warm = {run: TABLE_4[run] for run in ("gpa", "gpa_stm")}
        yield from _table(f"Row 2 on all seeds, {data}", study, warm, _all_against("gpa", warm))
        for run in map(_retrained, ("maps", "cas")):
            own = mine[mine["run"] == run].assign(run=lambda frame: frame["experiment"])
            if own["experiment"].nunique() > 1:
                title = f"Table 5, {data}, `{run}` by labelled share"
                yield from _table(title, own, THRESHOLDS, _all_against("study", THRESHOLDS))
        yield from _maps_against_cas(data, mine)
        for run in map(_retrained, ("maps", "posterior")):
            own = mine[mine["experiment"] == chosen.get(run)]
            if (own["run"] == run + ROUND_2).any():
                names = {run: f"first round ({THRESHOLDS[chosen[run]]})", run + ROUND_2: "second round"}
                yield from _table(f"Second round, {data}, `{run}`", own, names, _all_against(run, names))


def _all_against(run: str, names: Mapping[str, str]) -> dict[str, Reference]:
    """The column of a table whose rows are all compared with one of them; none if that is missing."""
    return {f"less {names[run]}": {other: run for other in names if other != run}} if run in names else {}


def _table(title: str, runs: pd.DataFrame, names: Mapping[str, str], against: Mapping[str, Reference]) -> Iterator[str]:
    """One row a run, over the seeds that all of them have; a column of paired differences each in ``against``."""
    mine = runs[runs["run"].isin(names)]
    wide = mine.pivot(index="seed", columns="run", values="miou").dropna()
    if wide.empty or not any(other in wide for reference in against.values() for other in reference.values()):
        return
    shares = mine[mine["seed"].isin(wide.index)].groupby("run")["labelled_share"].mean()
    rows = []
    for run in (run for run in names if run in wide):
        pairs = [(run, reference.get(run)) for reference in against.values()]
        share = "" if np.isnan(shares[run]) else f"{shares[run]:.0%}"
        differences = [interval(wide[one] - wide[other]) if other in wide else "" for one, other in pairs]
        rows.append([names[run], share, f"{100 * wide[run].mean():.1f}", *differences])
    head = ["", "pixels labelled", "mIoU", *(f"{name}, paired" for name in against)]
    yield f"**{title}** ({len(wide)} seeds)\n\n" + markdown(head, rows)


def _maps_against_cas(data: str, runs: pd.DataFrame) -> Iterator[str]:
    """Densities against anchors in training, at the same labelled share."""
    of = {name: runs[runs["run"] == _retrained(name)] for name in ("maps", "cas")}
    wide = {name: mine.pivot(index="seed", columns="experiment", values="miou") for name, mine in of.items()}
    differences = (wide["maps"] - wide["cas"]).dropna(axis="columns", how="all").dropna()
    rows = [[name, interval(differences[share])] for share, name in THRESHOLDS.items() if share in differences]
    if len(rows) > 1:
        rows.append(["mean of them", interval(differences.mean(axis="columns"))])
        head = ["", "mIoU, `maps` less `cas`, paired"]
        yield f"**Table 5, {data}, at the same share** ({len(differences)} seeds)\n\n" + markdown(head, rows)


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


def odds_table(variants: pd.DataFrame) -> Iterator[str]:
    """What each change adds to the odds of the paper's mixtures, paired."""
    columns = {"accuracy": "accuracy", "miou": "mIoU", "tail_miou": "tail mIoU"}
    found = variants[(variants["seed"] != DEVELOPMENT) & variants["variant"].str.startswith("odds")]
    found = found[~found["variant"].str.contains("smoothed (?!2)")]
    rows = []
    for variant in (name for name in found["variant"].unique() if name != "odds"):
        for data in DATA:
            row = [variant, data]
            for share in (0.4, 0.6):
                mine = found[(found["data"] == data) & (found["share"] == share)]
                for column in columns:
                    wide = mine.pivot(index="seed", columns="variant", values=column)
                    row.append(interval((wide[variant] - wide["odds"]).dropna()))
            rows.append(row)
    head = [f"{title} at {share:.0%}" for share in (0.4, 0.6) for title in columns.values()]
    yield "**Variants of the odds, less the plain odds**, paired\n\n" + markdown(["", "data", *head], rows)


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


def halves_table(halves: pd.DataFrame, runs: pd.DataFrame) -> Iterator[str]:
    """Training on the pixels of high and of low weight, paired, and on all of them with weight 1."""
    rows = []
    whole = runs[(runs["run"] == "gpa") & (runs["experiment"] == "study")]
    for (data, split), mine in halves.groupby(["data", "split"], sort=False):
        wide = mine.pivot(index="seed", columns="half", values="miou").reindex(columns=["high", "low"]).dropna()
        wide["all"] = whole[whole["data"] == data].set_index("seed")["miou"]
        if len(wide):
            means = [f"{100 * wide[half].mean():.1f}" for half in ("high", "low", "all")]
            pairs = (("high", "low"), ("high", "all"))
            differences = [interval((wide[one] - wide[other]).dropna()) for one, other in pairs]
            rows.append([data, split, *means, *differences, str(len(wide))])
    head = ["data", "split", "mIoU, high half", "low half", "all (`gpa`)", "high less low, paired", "high less all"]
    yield "**Halves of the source's pixels**\n\n" + markdown([*head, "seeds"], rows)


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
