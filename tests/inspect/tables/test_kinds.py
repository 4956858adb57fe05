"""Tables of hand-made evaluations, to the letter; expected numbers are computed by hand."""

import csv
import io
import re

import pytest

from bismap.errors import BismapError
from bismap.inspect.tables.kinds import RowData, make_table
from bismap.inspect.tables.writers import to_csv, to_latex, to_markdown

from .reports import evaluation, quality

BASE = {"experiment": "demo", "name": "table1", "caption": "What is seen", "means": ["miou"], "published": None}


def row(label, run, evaluations, qualities=(), experiment="demo", **more):
    settings = {"label": label, "run": run, "experiment": experiment, "experiments": [experiment], **more}
    return RowData(settings, tuple(evaluations), tuple(qualities))


def of_classes(figures=None, **settings):
    rows = [
        row("GPA (baseline)", "gpa", [evaluation("demo", "gpa", 0.5, (0.9, 0.1, None)),
                                      evaluation("demo-s7", "gpa", 0.4, (0.8, 0.2, 0.3))]),
        row("ours_x", "x", [evaluation("demo", "x", 0.6, (0.86, 0.3, None)),
                            evaluation("demo-s7", "x", 0.44, (0.84, 0.5, None))]),
    ]  # fmt: skip
    return make_table(BASE | {"kind": "classes", "seeds": [0, 7]} | settings, rows, figures or {})


def ablation(rows=None, **settings):
    parts = [["stylized"], ["stylized", "transferability"], ["maps", "stylized"]]
    labels = ["baseline", "baseline+STM", "baseline+MAPs"]
    mious = [(0.4, 0.5), (0.45, 0.52), (0.3, 0.5)]
    made = [
        row(label, f"run_{place}", [evaluation("demo", "r", miou) for miou in two], parts=own)
        for place, (label, own, two) in enumerate(zip(labels, parts, mious, strict=True))
    ]
    published = {"baseline": {"mIoU": 46.3}, "baseline+STM": {"mIoU": 48.2}} if settings.get("published") else {}
    return make_table(BASE | {"kind": "ablation", "seeds": [0, 7]} | settings, rows or made, published)


def sweep(**settings):
    rows = [
        row("MAPs", "m", [evaluation("demo", "m", 0.571)], [quality(0.775, 0.91)], threshold={"density": 50.0}),
        row(
            "CAs", "c", [evaluation("demo_gap", "c", 0.532)], [quality(0.827, 0.9)], "demo_gap", threshold={"gap": 0.5}
        ),
    ]
    published = {"MAPs threshold 50": {"pseudo-label share %": 77.5, "mIoU": 57.1}} if settings.get("published") else {}
    return make_table(BASE | {"kind": "sweep", "seeds": [3]} | settings, rows, published)


def test_markdown_of_classes():
    # road: (90 + 80) / 2 and (86 + 84) / 2 are equal, and train has one number: there is no best.
    assert to_markdown(of_classes()) == (
        "**What is seen** (demo)\n"
        "\n"
        "| method | road | light | train | mIoU |\n"
        "| :--- | ---: | ---: | ---: | ---: |\n"
        "| GPA (baseline) | 85.0 ± 7.1 | 15.0 ± 7.1 | 30.0 (1) | 45.0 ± 7.1 |\n"
        "| ours\\_x | 85.0 ± 1.4 | **40.0** ± 14.1 | – | **52.0** ± 11.3 |\n"
        "\n"
        "Per cent, on the 40 images of split val. Mean ± standard deviation over n = 2 seeds (0, 7). A number in "
        "brackets: so many of the seeds have the class. A dash: no pixel of the class in the truth.\n"
    )


def test_csv_of_classes_has_a_row_for_each_number_in_full_precision():
    rows = list(csv.DictReader(io.StringIO(to_csv(of_classes()))))
    found = {(one["label"], one["column"]): one for one in rows}
    assert len(rows) == len(found) == 7
    assert ("ours_x", "train") not in found
    assert found["ours_x", "road"] == {
        "label": "ours_x", "experiment": "demo", "run": "x", "source": "measured", "column": "road",
        "mean_percent": "85.0", "std_percent": "1.4142135623730951", "n": "2",
    }  # fmt: skip
    assert found["GPA (baseline)", "train"]["std_percent"] == ""
    assert found["GPA (baseline)", "train"]["n"] == "1"
    assert found["GPA (baseline)", "traffic light"]["mean_percent"] == "15.0"


def test_published_rows_come_first_and_take_part_in_the_comparison():
    published = {"AdaSeg": {"road": 84.5, "light": 35.2, "mIoU": 42.4}}
    lines = to_markdown(of_classes(published, published="BiSMAP Table 1")).splitlines()
    assert lines[2] == "| method | source | road | light | train | mIoU |"
    assert lines[4] == "| AdaSeg | published | 84.5 | 35.2 | – | 42.4 |"
    assert lines[5] == "| GPA (baseline) | here | **85.0** ± 7.1 | 15.0 ± 7.1 | 30.0 (1) | 45.0 ± 7.1 |"
    assert lines[6].startswith("| ours\\_x | here | **85.0** ± 1.4 |")  # as good
    assert lines[-1].endswith("truth or not published. Published figures: BiSMAP Table 1.")
    assert "AdaSeg,,,BiSMAP Table 1,road,84.5,,\n" in to_csv(of_classes(published, published="BiSMAP Table 1"))


def test_the_means_asked_for_decide_the_classes():
    table = of_classes(means=["miou2"])
    assert [column.heading for column in table.columns] == ["road", "train", "mIoU2"]


def test_latex_of_classes():
    published = {"A_1 & 50 %": {"road": 86.5}}
    assert to_latex(of_classes(published, published="Table 1")).splitlines() == [
        "% needs the packages booktabs, graphicx and amssymb",
        r"\begin{table*}[t]",
        r"\centering",
        r"\caption{What is seen (demo). Per cent, on the 40 images of split val. "
        r"Mean $\pm$ standard deviation over n = 2 seeds (0, 7). A number in brackets: so many of the seeds have the "
        r"class. A dash: no pixel of the class in the truth or not published. Published figures: Table 1.}",
        r"\label{tab:demo-table1}",
        r"\resizebox{\textwidth}{!}{%",
        r"\begin{tabular}{llrrrr}",
        r"\toprule",
        r"method & source & \rotatebox{90}{road} & \rotatebox{90}{light} & \rotatebox{90}{train} & "
        r"\rotatebox{90}{mIoU} \\",
        r"\midrule",
        r"A\_1 \& 50 \% & published & \textbf{86.5} & -- & -- & -- \\",
        r"\midrule",
        r"GPA (baseline) & here & 85.0 {\scriptsize $\pm$ 7.1} & 15.0 {\scriptsize $\pm$ 7.1} & "
        r"30.0 {\scriptsize (1)} & 45.0 {\scriptsize $\pm$ 7.1} \\",
        r"ours\_x & here & 85.0 {\scriptsize $\pm$ 1.4} & \textbf{40.0} {\scriptsize $\pm$ 14.1} & -- & "
        r"\textbf{52.0} {\scriptsize $\pm$ 11.3} \\",
        r"\bottomrule",
        r"\end{tabular}%",
        "}",
        r"\end{table*}",
    ]


def test_an_ablation_marks_the_parts_and_pairs_gains_by_seed():
    # Means 45.0, 48.5, 40.0. Gains over the seeds: (5, 2) and (-10, 0).
    assert to_markdown(ablation(published="BiSMAP Table 4")).splitlines()[2:7] == [
        "| GPA | STM | MAPs-PLA | mIoU | gain | published mIoU |",
        "| :--- | :--- | :--- | ---: | ---: | ---: |",
        "| ✓ |  |  | 45.0 ± 7.1 | – | 46.3 |",
        "| ✓ | ✓ |  | **48.5** ± 4.9 | +3.5 ± 2.1 | **48.2** |",
        "| ✓ |  | ✓ | 40.0 ± 14.1 | −5.0 ± 7.1 | – |",
    ]
    rows = list(csv.DictReader(io.StringIO(to_csv(ablation(published="BiSMAP Table 4")))))
    assert [(one["column"], one["source"]) for one in rows if one["label"] == "baseline+STM"] == [
        ("miou", "measured"), ("gain in miou", "measured"), ("miou", "BiSMAP Table 4"),
    ]  # fmt: skip


def test_latex_of_an_ablation():
    lines = to_latex(ablation()).splitlines()
    assert lines[1] == r"\begin{table}[t]"
    assert (
        r"$\checkmark$ & $\checkmark$ &  & \textbf{48.5} {\scriptsize $\pm$ 4.9} & $+3.5$ {\scriptsize $\pm$ 2.1} \\"
        in lines
    )
    assert (
        r"$\checkmark$ &  & $\checkmark$ & 40.0 {\scriptsize $\pm$ 14.1} & $-5.0$ {\scriptsize $\pm$ 7.1} \\" in lines
    )


def test_rows_that_the_marks_do_not_tell_apart_are_labelled():
    rows = [
        row(f"round {n}", f"r{n}", [evaluation("demo", "r", 0.4 + n / 100)] * 2, parts=["distillation"]) for n in (1, 2)
    ]
    lines = to_markdown(ablation(rows)).splitlines()
    assert lines[2] == "| run | distillation | mIoU | gain |"
    assert lines[5] == "| round 2 | ✓ | **42.0** ± 0.0 | +1.0 ± 0.0 |"


def test_a_sweep_shows_threshold_share_accuracy_and_score():
    assert to_markdown(sweep(published="BiSMAP Table 5")).splitlines()[2:] == [
        "| method | threshold | labelled | right | mIoU | published labelled | published mIoU |",
        "| :--- | :--- | ---: | ---: | ---: | ---: | ---: |",
        "| MAPs | δ = 50 | 77.5 | 91.0 | **57.1** | 77.5 | 57.1 |",
        "| CAs | gap 0.5 | 82.7 | 90.0 | 53.2 | – | – |",
        "",
        "Per cent, on the 40 images of split val. One seed (3). A dash: nothing is published under the row's label. "
        "Published figures: BiSMAP Table 5. Labelled: share of the pixels adapted to that got a pseudo-label; right: "
        "share of these that are true.",
    ]
    assert r"MAPs & $\delta$ = 50 & 77.5 & 91.0 & \textbf{57.1} \\" in to_latex(sweep()).splitlines()
    assert "CAs,demo_gap,c,measured,accuracy_of_labelled,90.0,,1\n" in to_csv(sweep())


@pytest.mark.parametrize("table", [of_classes(), ablation(published="a"), sweep(published="b_c")])
def test_latex_is_balanced(table):
    text = to_latex(table)
    opened = re.findall(r"\\begin\{(.*?)\}", text)
    assert opened == re.findall(r"\\end\{(.*?)\}", text)[::-1]
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    columns = len(table.headings) + len(table.columns)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(table.lines) + 1
    assert {len(re.split(r"(?<!\\)&", line)) for line in rows} == {columns}
    assert text.isascii()


def test_a_gain_of_nothing_has_no_sign():
    rows = [row(f"{n}", "r", [evaluation("demo", "r", 0.4 - n / 10_000)] * 2, parts=[]) for n in (0, 2)]
    assert to_markdown(ablation(rows)).splitlines()[5] == "| 2 | 40.0 ± 0.0 | 0.0 ± 0.0 |"


def test_a_mean_that_no_evaluation_has_is_named():
    with pytest.raises(BismapError, match=r"demo/gpa\.json has no mean `miou16`; it has miou, miou2"):
        of_classes(means=["miou16"])
