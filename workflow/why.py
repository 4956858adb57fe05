"""Why would a job run? ``python -m workflow.why results/gta/bismap_distilled.json`` says what changed since.

Snakemake's own reasons name one cause a job, and hold all settings before and now as two long texts. Here each job that
``snakemake -n`` lists is compared with the entry of the store that its output leads, or last led, to.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bismap.store import ENTRY, Store, content, entry_of
from bismap.verbs import VERBS
from workflow.scope import RESULTS

_JOB = re.compile(
    r"^Job \d+: (?P<job>.*)\nReason: (?P<reason>.*)\n"
    r"Shell command: (?:[A-Z_]+=\d+ )?python -m (?:torch.* )?bismap (?P<command>.*)$",
    re.MULTILINE,
)
_MISSING = object()


class Reason(NamedTuple):
    """A job that would run, and what changed for it, a line each; none where only what it reads will have changed.

    Where nothing that decides its result has changed, Snakemake's own reason stands there, such as a missing file.
    """

    job: str
    changes: list[str]


def reasons(plan: str, folder: Path) -> list[Reason]:
    """The jobs that a dry run lists, in its order.

    Args:
        plan: what ``snakemake -n -p`` prints.
        folder: in which it ran.
    """
    found = []
    for match in _JOB.finditer(plan):
        changes = list(_changes(shlex.split(match["command"]), folder))
        found.append(Reason(match["job"], changes or _own_causes(match["reason"])))
    return found


def _own_causes(reason: str) -> list[str]:
    """What Snakemake says, but for what other jobs cause."""
    return [part for part in reason.split("; ") if not part.startswith("Input files updated by another job")]


def differences(before: Any, now: Any, path: str) -> Iterator[str]:
    """One line for each leaf that differs: its path, old and new value."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            yield from differences(before.get(name, _MISSING), now.get(name, _MISSING), f"{path}.{name}")
    elif before != now:
        yield f"{path}: {_text(before)} -> {_text(now)}"


def _changes(command: Sequence[str], folder: Path) -> Iterator[str]:
    stage, flags = command[0].replace("-", "_"), _flags(command[1:])
    entry = _last_entry(folder, [flags[name][0] for name in VERBS[stage].outputs])
    if entry is None:
        yield "there is no result yet"
        return
    before, cfg = json.loads((entry / ENTRY).read_text()), json.loads(flags["cfg"][0])
    yield from differences(before["settings"], cfg["settings"], "settings")
    yield from differences(before["code"], cfg["code"], "code of the stage")
    part = flags.get("shard", ["0-of-1"])[0]
    yield from differences("{}-of-{}".format(*before["shard"]), part, "part")
    for name in VERBS[stage].inputs:
        yield from _input_changes(name, before["inputs"].get(name, []), [folder / path for path in flags.get(name, [])])


def _flags(tokens: Sequence[str]) -> dict[str, list[str]]:
    """Flags of a stage's command, with the values of each."""
    found: dict[str, list[str]] = {}
    for token in tokens:
        if token.startswith("--"):
            values = found.setdefault(token[2:].replace("-", "_"), [])
        else:
            values.append(token)
    return found


def _last_entry(folder: Path, outputs: Sequence[str]) -> Path | None:
    store = Store(folder / RESULTS / ".store")
    for output in outputs:
        public = folder / output
        last = public if public.exists() else store.last_good(public)
        if last is not None:
            return entry_of(last)
    return None


def _input_changes(name: str, before: Sequence[Mapping[str, str]], paths: Sequence[Path]) -> Iterator[str]:
    if len(before) != len(paths):
        yield f"input {name}: {len(before)} files -> {len(paths)} files"
        return
    for source, path in zip(before, paths, strict=True):
        # What is not there is made anew by another job that is listed.
        if path.exists() and content(path) != source.get("manifest", source.get("sha256")):
            yield f"input {name}: other content in {path.name}"


def _text(value: Any) -> str:
    return "nothing" if value is _MISSING else json.dumps(value)


def main(arguments: Sequence[str]) -> int:
    """Print the jobs that ``snakemake -n`` with these arguments lists, and what changed for each."""
    command = [sys.executable, "-m", "snakemake", "-n", "-p", *arguments]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(done.stdout, end="")
        return done.returncode
    found = reasons(done.stdout, Path())
    for item in found:
        if item.changes:
            print(item.job, *item.changes, sep="\n    ")
    following = sum(1 for item in found if not item.changes)
    print(f"{len(found)} jobs" + (f", {following} of them only because others run before them" if following else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
