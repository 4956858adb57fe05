"""Peak memory of every stage at the real image sizes, beside what its rule asks for.

    python benchmarks/memory.py FOLDER [--images 8] [--networks small|real] [--shard 4] [--batch 1] [--until bismap]

Renders GTA5-sized and Cityscapes-sized images, runs the workflow's own rules on them in FOLDER (which must
not exist), and prints the peak memory of each rule's jobs: the proportional set size (pages shared by n
processes count 1/n) of a job's process and its workers together, sampled five times a second. Run it with
two values of ``--shard`` to see that a stage's memory does not grow with its shard, and with two of
``--batch`` to see what a crop more costs a training; ``--until`` ends with the training of an earlier run.
"""

import argparse
import re
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml

ROOT = Path(__file__).parents[1]
EXPERIMENT = "memory"
EVERYTHING = ("bismap_distilled.json", "bismap/overview.png", "gpa_stm/pseudo_labels/maps.json")
SIZES = {"source": (1914, 1052), "target": (2048, 1024)}
ASKED = re.compile(r"^rule (\w+):.*?mem_mb=(\d+)", re.MULTILINE | re.DOTALL)


def project(images: int, shard: int, batch: int, real: bool) -> dict[str, Any]:
    """config.yaml with one more experiment: `gta` on rendered images, trainings of two steps."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    for domain, (width, height) in SIZES.items():
        splits = {"train": images} | ({"val": images} if domain == "target" else {})
        raw["datasets"][f"memory_{domain}"] = raw["datasets"]["gta5" if domain == "source" else "cityscapes"] | {
            "root": None,
            "missing_pairs": [],
            "render": {"domain": domain, "seed": 0, "width": width, "height": height, "images": splits},
        }
    both = {"iterations": 2, "lr": 1e-4, "batch_source": batch, "batch_target": batch}
    settings = {
        "training": {"warmup": {"iterations": 2, "lr": 1e-4, "batch_source": 2 * batch},
                     "retrain": both, "distill": both, "warmup_iterations": 1},
        "pseudo_labels": {"density": None, "share": 0.2},
    }  # fmt: skip
    starts = {"imagenet": "random", "simclr": "random"}
    if real:
        raw["weights"]["simclr_resnet152_sk"] |= {"file": "extractor.pth"}
    else:
        own = raw["experiments"]["demo"]["settings"]
        settings |= {"network": own["network"], "extractor": own["extractor"]}
        settings["extractor"]["pretrain"] |= {"iterations": 2}
    raw["experiments"][EXPERIMENT] = raw["experiments"]["gta"] | {
        "source": {"dataset": "memory_source", "split": "train"},
        "target": {"dataset": "memory_target", "adapt": "train", "evaluate": "val"},
        "device": "cpu", "shard_images": shard, "starts": starts, "settings": settings,
    }  # fmt: skip
    return raw


def write_extractor(path: Path) -> None:
    """Random weights of the ResNet-152 with selective kernels."""
    from bismap.extractor.network import Recipe, new_extractor

    recipe = Recipe({"backbone": "simclr_resnet152", "max_pool_padding": "same"}, 32, "none")
    torch.save(new_extractor(recipe, 0, "cpu").backbone.state_dict(), path)


def watch(workflow: subprocess.Popen) -> dict[str, list[int]]:
    """Peak memory of every job of a running workflow, MB, by rule or, for `train`, by run."""
    peaks: dict[tuple[str, int], int] = {}
    while workflow.poll() is None:
        for process in psutil.Process(workflow.pid).children(recursive=True):
            with suppress(psutil.Error):
                name = job_name(process.cmdline())
                if name and job_name(process.parent().cmdline()) is None:
                    used = sum(memory(part) for part in [process, *process.children(recursive=True)])
                    peaks[name, process.pid] = max(peaks.get((name, process.pid), 0), used // 2**20)
        time.sleep(0.2)
    found = defaultdict(list)
    for (name, _), peak in peaks.items():
        found[name].append(peak)
    return found


def job_name(command: list[str]) -> str | None:
    """The rule whose `python -m bismap STAGE ...` this is, with the run for `train`; None for other processes."""
    if command[1:3] != ["-m", "bismap"]:
        return None
    if command[3] != "train":
        return command[3].replace("-", "_")
    return f"train {Path(command[command.index('--model') + 1]).parent.name}"


def memory(process: psutil.Process) -> int:
    """Proportional set size of a process, bytes; 0 when it has just ended."""
    with suppress(psutil.Error):
        return process.memory_full_info().pss
    return 0


def asked() -> dict[str, int]:
    """mem_mb of every rule."""
    return {rule: int(mb) for path in (ROOT / "rules").glob("*.smk") for rule, mb in ASKED.findall(path.read_text())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=8, help="images per domain and split")
    parser.add_argument("--networks", choices=("small", "real"), default="small")
    parser.add_argument("--shard", type=int, default=4, help="images a shard")
    parser.add_argument("--batch", type=int, default=1, help="crops of either domain a step")
    parser.add_argument("--until", metavar="RUN", help="end with this run's training (default: with everything)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    real = args.networks == "real"
    config = args.folder / "config.yaml"
    config.write_text(yaml.safe_dump(project(args.images, args.shard, args.batch, real), sort_keys=False))
    if real:
        write_extractor(args.folder / "extractor.pth")
    names = [f"{args.until}/model.safetensors"] if args.until else EVERYTHING
    targets = [f"results/{EXPERIMENT}/{name}" for name in names]
    workflow = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", args.folder,
         "--configfile", config, "--cores", "2", "--quiet", "all", "--", *targets],
    )  # fmt: skip
    found = watch(workflow)
    limits = asked()
    print(f"networks {args.networks}, {args.images} images per split, shards of {args.shard}, batch {args.batch}")
    for name, values in sorted(found.items()):
        print(f"{name:32s} peak {max(values):6d} MB of {limits[name.split()[0]]:6d} MB asked ({len(values)} jobs)")
    sys.exit(workflow.returncode)


if __name__ == "__main__":
    main()
