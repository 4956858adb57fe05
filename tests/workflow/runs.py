"""Run the real Snakefile in a folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from bismap.config.expand import merge
from bismap.verbs import VERBS
from tests.fixtures.miniatures import write_cityscapes, write_gta5, write_synthia

ROOT = Path(__file__).parents[2]

TINY = {
    "network": {"backbone": "small", "width": 8, "aspp_channels": 16, "aspp_rates": [1, 2, 3], "low_level_channels": 8,
                "decoder_channels": 16},
    "training": {
        "warmup": {"iterations": 40, "lr": 0.05, "batch_source": 4},
        "retrain": {"iterations": 6, "lr": 0.05, "batch_source": 2, "batch_target": 2},
        "distill": {"iterations": 6, "lr": 0.05, "batch_source": 2, "batch_target": 2},
        "head_lr_factor": 1.0, "warmup_iterations": 2, "crop": [64, 32], "scale": [0.8, 1.2],
        "log_every": 2, "save_every": 4, "consistency": {"rampup_iterations": 4},
    },
    "features": {"samples_per_class": 200},
    "source_prototypes": {"components": 2},
    "extractor": {
        "weights": None, "network": {"backbone": "small", "width": 8}, "output_stride": 16, "normalize": "imagenet",
        "input_size": [64, 32], "grid": [2, 4],
        "pretrain": {"iterations": 4, "batch": 4, "window": 24, "crop": 16, "min_area": 0.4, "jitter": 0.5,
                     "temperature": 0.2, "projection": 8, "lr": 1.0e-3, "weight_decay": 1.0e-4},
    },
    "target_prototypes": {"clusters": 5, "iterations": 5},
    "pseudo_labels": {"maps": {"density": None, "share": 0.6}},
    "predict": {"teach": {"scales": [0.75, 1.0], "flip": True}},
    "overview": {"images": 2, "thumb_width": 96},
    "qualitative": {"images": 2},
    "label_comparison": {"images": 2},
    "feature_embedding": {"samples_per_class": 9},
    "gallery": {"source_images": 2, "width": 64},
}  # fmt: skip

# Most of a small job's time is its start, which is serial; and sums of several threads differ in their last bits.
ONE_THREAD = [f"{rule}=1" for rule in VERBS]
RUNS = ("source_only", "gpa", "gpa_stm", "bismap", "bismap_distilled_round1", "bismap_distilled")


def targets(experiment: str) -> list[str]:
    """All that the six runs of an experiment end in."""
    results = f"results/{experiment}"
    return [*(f"{results}/{run}.json" for run in RUNS), f"{results}/bismap/overview.png",
            f"{results}/gpa_stm/pseudo_labels/maps.json"]  # fmt: skip


def tiny_config(experiment: str) -> dict:
    """config.yaml with one experiment made small enough for a miniature on a CPU; its rules stay what they are."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    own = raw["experiments"][experiment]
    own |= {"device": "cpu", "shard_images": 2, "starts": {"imagenet": "random", "simclr": "extractor"}}
    own["settings"] = merge(own.get("settings", {}), TINY)
    for side in ("source", "target"):
        raw["datasets"][own[side]["dataset"]] |= {"size": [96, 48], "scale_reference_width": 96}
    return raw


def write_project(folder: Path, experiment: str, raw: dict | None = None) -> None:
    """A project folder: config.yaml and the data of ``gta`` or ``synthia`` in miniature."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(raw or tiny_config(experiment), sort_keys=False))
    if experiment == "gta":
        write_gta5(folder / "data" / "gta5")
    else:
        write_synthia(folder / "data" / "synthia")
    write_cityscapes(folder / "data" / "cityscapes")


def snakemake(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the project's Snakefile in ``folder``, each job on one thread; its output is in ``stdout``."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, "--configfile", str(folder / "config.yaml"), "--set-threads", *ONE_THREAD, *arguments],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if check and done.returncode:
        logs = "\n".join(path.read_text()[-1500:] for path in (folder / "results").rglob("*.log"))
        raise AssertionError(f"snakemake failed:\n{done.stdout[-4000:]}\n{logs[-6000:]}")
    return done


def planned(folder: Path, target: str) -> set[str]:
    """Rules that a dry run would run."""
    lines = snakemake(folder, "-n", target).stdout.splitlines()
    if "Job stats:" not in lines:
        return set()
    table = lines[lines.index("Job stats:") + 3 :]
    return {line.split()[0] for line in table[: [row.split()[:1] for row in table].index(["total"])]}
