"""Run one stage through the store: compute its key, work only if needed, link the public paths."""

import importlib
import itertools
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bismap.code import code_now, code_of
from bismap.devices import hold_device
from bismap.errors import BismapError
from bismap.fingerprint import forget
from bismap.job import Job
from bismap.job_log import Begin
from bismap.locks import this_process
from bismap.packages import versions
from bismap.processes import Processes
from bismap.store import ENTRY, MANIFEST, Store, content, entry_of, key_of, link, pinned, sha256_file
from bismap.verbs import VERBS, Verb

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """One stage job as asked for on the command line.

    Attributes:
        settings: what decides the result; part of the key.
        setup: what does not: ``roots`` (folders of raw data), ``device``, ``save_every``; ``images``, the number of
            those that are dealt to the stage's jobs.
        packages: whether the versions of the packages that the stage computes with are part of the key.
    """

    verb: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Sequence[Path]]
    outputs: Mapping[str, Path]
    setup: Mapping[str, Any] = field(default_factory=dict)
    packages: bool = False
    shard: tuple[int, int] = (0, 1)
    threads: int = 1


def run(request: Request, store: Store) -> Path:
    """Do the stage's work unless the store has it, link its public paths, and return its entry.

    Raises:
        BismapError: on bad input; nothing is committed or linked then.
    """
    processes = Processes.of_environment()
    if processes.size == 1:
        return _produce(request, store, processes)
    if not VERBS[request.verb].parallel:
        raise BismapError(f"{request.verb} is done by one process: start it without torchrun")
    processes.join()
    entry = _produce(request, store, processes) if processes.first else _assist(processes)
    processes.leave()
    return entry


def _produce(request: Request, store: Store, processes: Processes) -> Path:
    code, written = code_of(request.verb, store.root, request.packages), code_now(request.verb)
    # From here on what public paths lead to may change, by other jobs: this one keeps to what it has begun with.
    request = _pinned(request)
    contents = {name: [content(path) for path in paths] for name, paths in sorted(request.inputs.items())}
    traced = trace(request.inputs) if VERBS[request.verb].traced else {}
    key = key_of(request.settings, code, contents, {"shard": request.shard, "provenance": traced})
    log.info("%s", Begin(request.verb, key, this_process()))
    if store.has(request.verb, key):
        log.info("%s: already in the store as %s", request.verb, key)

    def work(out: Path, state: Path) -> None:
        _load(request.verb, written)
        processes.announce((request, out, state))
        _work(request, traced, processes, out, state)

    try:
        for public in request.outputs.values():
            store.claim(public, key)
        entry = store.produce(
            request.verb, key, work, _provenance(request, code, key), partial(_publish, request, store, key)
        )
    except Exception:
        for public in request.outputs.values():
            last = store.last_good(public)
            if last is not None:
                log.warning("%s: the last good result of %s is still at %s", request.verb, public, last)
        raise
    processes.announce(entry)
    return entry


def _pinned(request: Request) -> Request:
    roots = {name: str(pinned(Path(path))) for name, path in request.setup.get("roots", {}).items()}
    inputs = {name: [pinned(path) for path in paths] for name, paths in request.inputs.items()}
    return replace(request, inputs=inputs, setup={**request.setup, "roots": roots})


def _load(verb: str, written: tuple[str, str]) -> None:
    """Import the stage's code and make sure that it still is what the key was made of: a job may have waited for hours.

    Raises:
        BismapError: if it was edited meanwhile.
    """
    importlib.import_module(f"bismap.stages.{verb}")
    forget()
    if code_now(verb) != written:
        raise BismapError(f"the code of {verb} was edited while this job waited: start it again")


def _assist(processes: Processes) -> Path:
    """What every process but the first does: work with it, if it finds that there is work to do."""
    told = processes.announce(None)
    while isinstance(told, tuple):
        request, out, state = told
        _work(request, {}, processes, out, state)
        told = processes.announce(None)
    return told


def _work(request: Request, traced: Mapping[str, Any], processes: Processes, out: Path, state: Path) -> None:
    verb = VERBS[request.verb]
    threads = max(1, request.threads // processes.size)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    stage = importlib.import_module(f"bismap.stages.{request.verb}")
    make = partial(
        Job,
        settings=request.settings,
        inputs={name: tuple(paths) for name, paths in request.inputs.items()},
        roots={name: Path(path) for name, path in request.setup.get("roots", {}).items()},
        save_every=request.setup.get("save_every"),
        out=out,
        state=state,
        shard=request.shard,
        threads=threads,
        processes=processes,
        provenance=traced,
    )
    start = time.monotonic()
    if verb.gpu:
        _on_device(stage.run, make, request.setup.get("device", "auto"), threads, processes)
    else:
        stage.run(make(device="cpu"))
    log.info("%s: done in %.1f s", request.verb, time.monotonic() - start)


def _on_device(
    run_stage: Callable[[Job], None], make: Callable[..., Job], wanted: str, threads: int, processes: Processes
) -> None:
    from bismap.numerics import set_up

    set_up(threads)
    with hold_device(wanted, processes) as device:
        log.info("computing on %s with %d threads, process %d of %d", device, threads, processes.rank, processes.size)
        run_stage(make(device=device))


def _publish(request: Request, store: Store, key: str, entry: Path) -> None:
    verb = VERBS[request.verb]
    _publish_extras(verb, next(iter(request.outputs.values())), store, key, entry)
    for flag, public in request.outputs.items():
        file = entry / verb.outputs[flag]
        if not file.is_file():
            raise BismapError(f"{request.verb} did not write {verb.outputs[flag]} (entry {entry})")
        with store.if_newest(public, key) as mine:
            if not mine:  # as after a restart with other settings, while this job ran on
                log.warning("%s is left to a job that was started later; this result is kept at %s", public, entry)
                continue
            # The folder first: Snakemake takes the file as the sign that all is there.
            if verb.folder and flag == "manifest":
                link(public.with_suffix(""), entry)
            link(public, file)
            store.remember(public, file)


def _publish_extras(verb: Verb, public: Path, store: Store, key: str, entry: Path) -> None:
    """Link what the entry has of the stage's extras beside ``public``; links to another entry's go."""
    with store.if_newest(public, key) as mine:
        for name in verb.extras if mine else ():
            beside = public.with_name(name)
            if (entry / name).exists():
                link(beside, entry / name)
            elif beside.is_symlink():
                beside.unlink()


def _provenance(request: Request, code: str, key: str) -> dict[str, Any]:
    return {
        "stage": request.verb,
        "key": key,
        "settings": request.settings,
        "code": code,
        "shard": list(request.shard),
        "images": request.setup.get("images"),
        "inputs": {name: [_source(path) for path in paths] for name, paths in sorted(request.inputs.items())},
        "packages": versions(),
        "python": platform.python_version(),
    }


def _source(path: Path) -> dict[str, str]:
    entry = entry_of(path)
    if entry is None:
        return {"file": path.name, "sha256": sha256_file(path)}
    return {"stage": entry.parent.name, "key": entry.name, "manifest": sha256_file(entry / MANIFEST)}


def trace(inputs: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """Provenance of everything upstream of ``inputs``.

    Entries of one stage that differ only in their shard are one item: stage, settings, code, packages, and
    the keys and manifest hashes of its jobs. Of an entry that somebody has removed, only the hash is known (``gone``).
    """
    entries: dict[Path, dict[str, Any]] = {}
    files: dict[str, str] = {}
    gone: dict[str, str] = {}
    todo = [path for paths in inputs.values() for path in paths]
    while todo:
        path = todo.pop()
        entry = entry_of(path)
        if entry is None:
            files[path.name] = sha256_file(path)
        elif entry not in entries:
            entries[entry] = json.loads((entry / ENTRY).read_text())
            for source in itertools.chain.from_iterable(entries[entry]["inputs"].values()):
                if "file" in source:
                    files[source["file"]] = source["sha256"]
                elif upstream := entry_of(entry.parent.parent / source["stage"] / source["key"]):
                    todo.append(upstream)
                else:
                    gone[f"{source['stage']}/{source['key']}"] = source["manifest"]
    found = {"stages": _grouped(entries), "files": dict(sorted(files.items()))}
    return found | {"gone": dict(sorted(gone.items()))} if gone else found


def _grouped(entries: Mapping[Path, Mapping[str, Any]]) -> list[dict[str, Any]]:
    shared = ("stage", "settings", "code", "packages", "python")
    groups: dict[str, dict[str, Any]] = {}
    for entry, record in sorted(entries.items()):
        common = {name: record[name] for name in shared}
        group = groups.setdefault(json.dumps(common, sort_keys=True), common | {"jobs": {}})
        group["jobs"][record["key"]] = sha256_file(entry / MANIFEST)
    return [groups[name] for name in sorted(groups, key=lambda text: (groups[text]["stage"], text))]
