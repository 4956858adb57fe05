"""The commands of README.md and docs/ run: all blocks without a mark, in a copy of the project with a tiny `demo`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bismap.config.expand import merge
from tests.documents import CONVENTION, ROOT, Block, Page, pages, repository_files
from tests.workflow.runs import ONE_THREAD, TINY

pytestmark = pytest.mark.slow

TIMEOUT_S = 1800  # a hung command ends; on an idle machine each takes seconds, and the project a few minutes
MADE_BEFORE = ("results/demo/bismap_distilled.json", "results/demo/bismap/overview.png")  # as by `make demo`
ASKED = re.compile(r"^snakemake(?: --cores \d+)?((?: results/\S+)+)(?= *$| +#)", re.MULTILINE)
"""A line that asks for results and nothing else. All such lines run as one: Snakemake's start would be most of each."""
INTERPRETERS = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
PAGES = [page for page in pages() if any(block.is_run for block in page.blocks)]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A checkout of its own, in which a small `demo` is finished, with all results that the pages ask for."""
    folder = tmp_path_factory.mktemp("documents") / "bismap"
    for name in repository_files():
        if (ROOT / name).is_file():  # not what is about to be removed from git
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / "config.yaml").write_text(yaml.safe_dump(_tiny_demo(), sort_keys=False))
    with (folder / "profiles" / "default" / "config.yaml").open("a") as file:
        file.write(f"set-threads: [{', '.join(ONE_THREAD)}]\n")  # two jobs at a time, whatever they might use
    blocks = [block for page in PAGES for block in page.blocks if block.is_run and block.language == "sh"]
    asked = dict.fromkeys(match for block in blocks for match in ASKED.findall(block.text))
    done = _run(folder, "sh", f"snakemake --cores 2 {' '.join(MADE_BEFORE)}{''.join(asked)}")
    assert done.returncode == 0, done.stdout[-6000:]
    return folder


def _tiny_demo() -> dict:
    """config.yaml with fewer and smaller pictures, and trainings of a few steps."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    sizes = {"demo_game": (96, 56, {"train": 8}), "demo_photo": (96, 48, {"train": 4, "val": 3})}
    for name, (width, height, images) in sizes.items():
        raw["datasets"][name] |= {"size": [width, height], "scale_reference_width": width}
        raw["datasets"][name]["render"] |= {"width": width, "height": height, "images": images}
    demo = raw["experiments"]["demo"]
    demo["settings"] = merge(demo["settings"], TINY | {"pseudo_labels": {"cas": {"gap": None, "share": 0.6}}})
    return raw


def _run(folder: Path, language: str, text: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'src'}",
    }
    return subprocess.run(
        [*INTERPRETERS[language], text], cwd=folder, env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run(project, page):
    for block in page.blocks:
        if block.is_run:
            done = _run(project, block.language, ASKED.sub(r"ls -d\1", block.text))
            assert done.returncode == 0, _advice(page, block, done)


def _advice(page: Page, block: Block, done: subprocess.CompletedProcess[str]) -> str:
    return (
        f"{page.name}, line {block.line}: this block ended with status {done.returncode} in a project with a tiny, "
        f"finished `demo`:\n\n{block.text}\n{done.stdout[-3000:]}\n"
        f"If the command is wrong, mend it. If it cannot work there, mark the block with what it needs, such as "
        f"```{block.language} needs=data; {CONVENTION} lists the marks."
    )
