"""Two tiny data sets with their index files, and jobs on them, for the tests of stages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bismap.job import Job
from bismap.store import write_manifest

NAMES = ("road", "sky", "tree")
SIZE = (64, 32)


def make_domain(root: Path, name: str, images: int, shade: int) -> None:
    """Write images, labels and index of a data set; upper half sky, lower half road."""
    folder = root / name
    for part in ("images", "labels", "index"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(shade)
    lines = ["id,image,label,split,height,width,pixels_0,pixels_1,pixels_2"]
    for number in range(images):
        label = np.repeat([1, 0], SIZE[1] // 2)[:, None] * np.ones(SIZE[0], int)
        label[0, 0] = 255
        colours = np.array([[60, 60, 60], [90, 140, 200]])[label % 2] + shade
        image = np.clip(colours + rng.integers(-30, 30, (*label.shape, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{name}{number}.png")
        Image.fromarray(label.astype(np.uint8)).save(folder / "labels" / f"{name}{number}.png")
        files = f"images/{name}{number}.png,labels/{name}{number}.png"
        lines.append(f"{name}{number},{files},train,{SIZE[1]},{SIZE[0]},1024,1023,0")
    (folder / "index" / "index.csv").write_text("\n".join(lines) + "\n")
    classes = {"layout": "folder", "classes": NAMES, "palette": [[1, 2, 3]] * 3}
    classes["label_map"] = {"0": 0, "1": 1, "2": 2, "255": 255}
    (folder / "index" / "classes.json").write_text(json.dumps(classes))


def make_job(root: Path, out: str, settings: dict[str, Any], **inputs: Any) -> Job:
    """A job on the domains below ``root`` that writes to ``root / out``."""
    for folder in (root / out, root / "state" / out):
        folder.mkdir(parents=True)
    shard = (int(Path(out).name[0]), int(Path(out).name[-1])) if "-of-" in out else (0, 1)
    index = {f"{name}_index": (root / name / "index" / "index.csv",) for name in ("source", "target")}
    return Job(
        settings=settings,
        out=root / out,
        state=root / "state" / out,
        inputs=index | {name: tuple(files) for name, files in inputs.items()},
        roots={"source": root / "source", "target": root / "target"},
        shard=shard,
    )


def publish(job: Job) -> Path:
    """The manifest beside the job's folder, as the store links it."""
    write_manifest(job.out)
    public = job.out.with_suffix(".csv")
    public.symlink_to(job.out / "manifest.csv")
    return public
