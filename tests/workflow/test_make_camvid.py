"""The script that makes `data/camvid`: its result is a data set that `index` accepts."""

import subprocess
import sys

import numpy as np
from PIL import Image

from bismap.data.index import check_dataset
from tests.workflow.runs import ROOT

SCRIPT = ROOT / "workflow/scripts/make_camvid.py"
NAMES = {"train": ["0001TP_006690", "0006R0_f00930", "0016E5_00390"], "test": ["0001TP_008550", "Seq05VD_f00000"]}


def _segnet(root):
    rng = np.random.default_rng(0)
    for part, stems in NAMES.items():
        for folder in (part, f"{part}annot"):
            (root / folder).mkdir(parents=True)
        for stem in stems:
            Image.fromarray(rng.integers(0, 256, (360, 480, 3), np.uint8)).save(root / part / f"{stem}.png")
            label = np.repeat(np.arange(12, dtype=np.uint8), 30)[:, None].repeat(480, 1)
            Image.fromarray(label).save(root / f"{part}annot" / f"{stem}.png")
    return root


def _make(source, out):
    return subprocess.run([sys.executable, SCRIPT, source, out], capture_output=True, text=True)


def test_the_result_is_a_data_set(tmp_path):
    done = _make(_segnet(tmp_path / "CamVid"), tmp_path / "camvid")
    assert done.returncode == 0, done.stderr
    index = check_dataset("folder", tmp_path / "camvid", [], 1, None)
    found = {row.file.id: row.file.split for row in index.rows}
    assert found == {
        "train__0001TP_006690": "dusk_adapt",
        "train__0006R0_f00930": "day_train",
        "train__0016E5_00390": "day_train",
        "test__0001TP_008550": "dusk_eval",
    }
    label = np.array(Image.open(tmp_path / "camvid/labels/train/0001TP_006690.png"))
    assert label.shape == (240, 320)
    assert label[-1, 0] == 255
    assert np.unique(label).tolist() == [*range(11), 255]


def test_another_folder_is_refused(tmp_path):
    done = _make(tmp_path, tmp_path / "camvid")
    assert done.returncode
    assert "gives no image for day_train, dusk_adapt, dusk_eval" in done.stderr
