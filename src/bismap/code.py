"""Code fingerprints as the store uses them: an edit declared harmless keeps the fingerprint it replaced."""

import json
from pathlib import Path

from bismap.errors import BismapError
from bismap.fingerprint import fingerprint
from bismap.packages import fingerprint_of
from bismap.store import ENTRY, Store
from bismap.verbs import VERBS

ACCEPTED = "accepted_code.json"


def code_of(stage: str, root: Path, packages: bool = False) -> str:
    """What a stage's code goes by: its fingerprint, or the older one that it was declared equal to.

    Args:
        stage: name of the stage.
        root: of the store, which holds what was declared equal.
        packages: whether another version of a package that the stage computes with counts as other code.
    """
    current = code_now(stage)[packages]
    return _accepted(root).get(current, current)


def accept(store: Store, stage: str) -> tuple[str, str]:
    """Declare today's code of ``stage`` and its packages equal in result to those of its newest entry.

    Returns the current fingerprint and the one that it stands for from now on.

    Raises:
        BismapError: if the store holds nothing of that stage.
    """
    if stage not in VERBS:
        raise BismapError(f"no stage `{stage}`; the stages are: {', '.join(VERBS)}")
    entries = sorted((store.root / stage).glob(f"*/{ENTRY}"), key=lambda path: path.stat().st_mtime)
    if not entries:
        raise BismapError(f"the store holds no result of `{stage}`: there is nothing to accept the code for")
    former = json.loads(entries[-1].read_text())["code"]
    accepted = _accepted(store.root) | dict.fromkeys(code_now(stage), former)
    accepted.pop(former, None)
    temporary = store.root / f"{ACCEPTED}.new"
    temporary.write_text(json.dumps(accepted, sort_keys=True, indent=1) + "\n")
    temporary.replace(store.root / ACCEPTED)
    return code_now(stage)[0], former


def held_stages(store: Store) -> list[str]:
    """Stages of which the store holds a result."""
    return [stage for stage in VERBS if any((store.root / stage).glob(f"*/{ENTRY}"))]


def code_now(stage: str) -> tuple[str, str]:
    """Today's code without and with the versions of its packages, whatever it was declared equal to."""
    module = f"bismap.stages.{stage}"
    code = fingerprint(module, *(["bismap.numerics"] if VERBS[stage].gpu else []))
    return code, f"{code}+{fingerprint_of(module)}"


def _accepted(root: Path) -> dict[str, str]:
    path = root / ACCEPTED
    return json.loads(path.read_text()) if path.is_file() else {}
