"""Code fingerprints as the store uses them: an edit declared harmless keeps the fingerprint it replaced."""

import json
from pathlib import Path

from bismap.errors import BismapError
from bismap.fingerprint import fingerprint
from bismap.store import ENTRY, Store
from bismap.verbs import VERBS

ACCEPTED = "accepted_code.json"


def accepted_fingerprint(module: str, root: Path) -> str:
    """Fingerprint of a module's closure, or the older one that it was declared equal to."""
    current = fingerprint(module)
    return _accepted(root).get(current, current)


def accept(store: Store, stage: str) -> tuple[str, str]:
    """Declare today's code of ``stage`` equal in result to the code of its newest entry.

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
    current = fingerprint(f"bismap.stages.{stage}")
    accepted = _accepted(store.root) | {current: former}
    accepted.pop(former, None)
    temporary = store.root / f"{ACCEPTED}.new"
    temporary.write_text(json.dumps(accepted, sort_keys=True, indent=1) + "\n")
    temporary.replace(store.root / ACCEPTED)
    return current, former


def _accepted(root: Path) -> dict[str, str]:
    path = root / ACCEPTED
    return json.loads(path.read_text()) if path.is_file() else {}
