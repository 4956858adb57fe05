"""The published figures are those of the paper."""

import pytest

from bismap.errors import BismapError
from bismap.inspect.tables.kinds import PUBLISHED_AS
from bismap.inspect.tables.published import PUBLISHED, read_published

CITY = ["road", "sidewalk", "building", "wall", "fence", "pole", "light", "sign", "vegetation", "terrain", "sky",
        "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]  # fmt: skip


@pytest.fixture(scope="module")
def sources():
    return read_published(PUBLISHED)


def test_rows_read_off_the_paper(sources):
    values = [76.8, 34.6, 68.2, 22.7, 21.4, 40.1, 44.1, 26.5, 85.4, 29.4, 74.6, 67.4, 27.6, 87.9, 37.7, 47.5, 34.3,
              29.2, 24.7]  # fmt: skip
    wanted = dict(zip(CITY, values, strict=True)) | {"mIoU19": 46.3}
    assert sources["BiSMAP Table 1"]["GPA(baseline)"] == wanted
    assert sources["BiSMAP Table 2"]["BiSMAP*(ours)"]["mIoU13"] == 62.8
    assert {method: row["mIoU19"] for method, row in sources["BiSMAP Table 3"].items()} == {
        "CAs-PLA": 54.9, "IAS-PLA": 55.4, "MAPs-PLA": 57.3,
    }  # fmt: skip
    assert [row["mIoU19"] for row in sources["BiSMAP Table 4"].values()] == [46.3, 48.2, 56.4, 57.3, 57.7, 61.2]
    assert sources["BiSMAP Table 5"]["MAPs threshold 50"] == {"pseudo-label share %": 77.5, "mIoU19": 57.1}


@pytest.mark.parametrize(("source", "mean"), [("BiSMAP Table 1", "mIoU19"), ("BiSMAP Table 2", "mIoU13")])
def test_each_mean_is_that_of_its_classes(sources, source, mean):
    for method, figures in sources[source].items():
        classes = [value for name, value in figures.items() if name != mean]
        assert len(classes) == int(mean.removeprefix("mIoU"))
        assert sum(classes) / len(classes) == pytest.approx(figures[mean], abs=0.12), method  # of rounded values


def test_names_that_differ_from_ours_are_those_of_the_file(sources):
    measures = {name for figures in sources.values() for method in figures.values() for name in method}
    assert set(PUBLISHED_AS.values()) <= measures
    assert set(CITY) <= measures


def test_another_table_is_refused(tmp_path):
    (tmp_path / "p.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BismapError, match=r"p\.csv: no table of published figures"):
        read_published(tmp_path / "p.csv")
