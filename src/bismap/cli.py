"""Command line: one verb per stage, and the tools around them. ``bismap --help`` imports neither torch nor numpy."""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bismap.errors import BismapError
from bismap.job_log import FORMAT
from bismap.processes import Processes
from bismap.verbs import VERBS, Verb

STORE = Path("results/.store")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Bad input is printed without a traceback."""
    args = _parser().parse_args(argv)
    _log_to(getattr(args, "log", None), Processes.of_environment().first)
    try:
        return args.run(args) or 0
    except BismapError as error:
        logging.getLogger("bismap").error("bismap %s: %s", args.verb, error)
        return 1
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        logging.getLogger("bismap").exception("bismap %s: %s", args.verb, error)
        return 1
    except Exception:
        logging.getLogger("bismap").exception("bismap %s stopped by an unexpected error", args.verb)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bismap", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        _add_stage(verbs.add_parser(name.replace("_", "-"), aliases=_alias(name), help=verb.help), name, verb)
    _add_tools(verbs)
    return parser


def _alias(name: str) -> list[str]:
    return [name] if "_" in name else []


def _add_stage(parser: argparse.ArgumentParser, name: str, verb: Verb) -> None:
    parser.description = f"{verb.help[0].upper()}{verb.help[1:]}."
    parser.add_argument("--cfg", required=True, metavar="JSON", help='what decides the result: {"settings": {...}}')
    parser.add_argument(
        "--setup", default="{}", metavar="JSON", help='what does not: {"roots": {...}, "device": "auto", ...}'
    )
    for flag, meaning in verb.inputs.items():
        parser.add_argument(_flag(flag), nargs="*", type=Path, default=[], metavar="FILE", help=meaning)
    for flag, file in verb.outputs.items():
        parser.add_argument(_flag(flag), required=True, type=Path, metavar="LINK", help=f"public path of {file}")
    if verb.sharded:
        parser.add_argument("--shard", default="0-of-1", metavar="I-of-N", help="which part to do (from 0)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default 1)")
    parser.add_argument("--store", type=Path, default=STORE, metavar="DIR", help=f"the store (default {STORE})")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log file; else the log goes to stderr")
    parser.set_defaults(run=_run_stage, stage=name)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _run_stage(args: argparse.Namespace) -> None:
    from bismap.runner import Request, run
    from bismap.store import Store

    _end_cleanly_on_signals()
    verb = VERBS[args.stage]
    request = Request(
        verb=args.stage,
        **_cfg(args.cfg),
        setup=_json("--setup", args.setup),
        inputs={name: getattr(args, name) for name in verb.inputs},
        outputs={name: getattr(args, name) for name in verb.outputs},
        shard=_shard(args.shard) if verb.sharded else (0, 1),
        threads=args.threads,
    )
    run(request, Store(args.store))


def _end_cleanly_on_signals() -> None:
    """SIGTERM unwinds, so that private folders and locks go; SIGUSR1, a scheduler's warning, is for trainings only."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _cfg(text: str) -> dict[str, Any]:
    cfg = _json("--cfg", text)
    if not isinstance(cfg.get("settings"), dict):
        raise BismapError('--cfg needs the form {"settings": {...}}')
    # `code`, which the rules add, is for Snakemake's eyes: what counts is the code that runs.
    return {"settings": cfg["settings"], "packages": bool(cfg.get("packages", False))}


def _json(flag: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BismapError(f"{flag} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise BismapError(f"{flag} must be a JSON object, not {text}")
    return value


def _shard(text: str) -> tuple[int, int]:
    try:
        part, count = (int(number) for number in text.split("-of-"))
    except ValueError as error:
        raise BismapError(f"--shard {text}: expected I-of-N, such as 0-of-4") from error
    if not 0 <= part < count:
        raise BismapError(f"--shard {text}: the part must lie in 0..{count - 1}")
    return part, count


def _add_tools(verbs: Any) -> None:
    store = verbs.add_parser("store", help="list, prune and check finished work; accept a code change")
    store.add_argument("action", choices=("list", "prune", "check", "accept-code"))
    store.add_argument(
        "stage", nargs="?", help="the stage whose code or package change is harmless, or `all` (accept-code)"
    )
    store.add_argument("--limit-gb", type=float, metavar="GB", help="prune until at most this is held")
    store.add_argument("--remove", action="store_true", help="remove what is damaged, so that it is made anew (check)")
    store.add_argument("--store", type=Path, default=STORE, metavar="DIR", help="default: %(default)s")
    store.set_defaults(run=_run_store)

    convert = verbs.add_parser("import-checkpoint", help="turn a foreign .pth/.pkl into safetensors, safely")
    convert.add_argument("source", type=Path, help="the foreign file")
    convert.add_argument("destination", type=Path, help="the .safetensors file to write")
    convert.add_argument("--kind", required=True, help="torchvision, simclr, bismaps or proda (docs/weights.md)")
    convert.add_argument("--allow-unused", action="store_true", help="accept tensors that have no place here")
    convert.set_defaults(run=_run_import)

    look = verbs.add_parser("status", help="where an experiment stands, its scores, and where to look")
    look.add_argument("folder", type=Path, help="such as results/demo")
    look.add_argument("--watch", action="store_true", help="go on showing it until it is finished or stands still")
    look.set_defaults(run=_run_status)

    config = verbs.add_parser("config", help="check config.yaml and show an experiment's settings")
    config.add_argument("--file", type=Path, default=Path("config.yaml"))
    config.add_argument("--experiment", help="print the settings of this experiment, merged")
    config.add_argument("--schema", action="store_true", help="print the JSON schema instead")
    config.set_defaults(run=_run_config)


def _run_store(args: argparse.Namespace) -> None:
    from bismap.store import Store
    from bismap.store_tools import damaged, held, prune, unfinished

    store = Store(args.store)
    if args.action == "accept-code":
        from bismap.code import accept, held_stages

        for stage in held_stages(store) if args.stage == "all" else [args.stage or ""]:
            current, former = accept(store, stage)
            same = current == former
            print(
                f"{stage}: "
                + ("the newest result is by today's code" if same else f"code {current} now counts as {former}")
            )
        return
    if args.action == "check":
        found = damaged(store, args.remove)
        for item, files in found:
            print(f"{item.stage} {item.key} ({item.use}): damaged {', '.join(files)}")
        if found and not args.remove:
            raise BismapError(f"{len(found)} damaged results; `bismap store check --remove` has them made anew")
        print(f"{len(found)} damaged results {'removed' if found else 'found'}")
        return
    pruning = args.action == "prune"
    if pruning and args.limit_gb is None:
        raise BismapError("store prune: give --limit-gb, the size down to which the oldest unused work is removed")
    entries = prune(store, int(args.limit_gb * 1e9)) if pruning else held(store)
    for item in entries:
        print(f"{item.bytes / 1e6:10.1f} MB  {item.stage:<20} {item.key}  {item.use}")
    print(f"{sum(item.bytes for item in entries) / 1e9:.3f} GB {'removed' if pruning else 'held'}")
    if left := unfinished(store):
        print(f"{left / 1e9:.3f} GB besides, states of unfinished jobs, in {store.root / '.state'}")


def _run_import(args: argparse.Namespace) -> None:
    from bismap.models.importing import import_checkpoint

    report = import_checkpoint(args.source, args.kind, args.destination, allow_unused=args.allow_unused)
    print(report)


def _run_status(args: argparse.Namespace) -> int:
    from bismap.status.watch import print_status, watch

    return (watch if args.watch else print_status)(args.folder)


def _run_config(args: argparse.Namespace) -> None:
    from bismap.config import json_schema, load_config

    if args.schema:
        print(json_schema(), end="")
        return
    config = load_config(args.file)
    names = [args.experiment] if args.experiment else list(config.experiments)
    print(json.dumps({name: config.resolved(name) for name in names}, indent=2))


def _log_to(file: Path | None, first: bool) -> None:
    """Log to ``file`` (errors to stderr, too), or all to stderr; of several processes, the others tell errors only."""
    logger = logging.getLogger("bismap")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers.clear()
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(console)
    if file is not None or not first:
        console.setLevel(logging.WARNING)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        if first:
            file.write_text("")
        handler = logging.FileHandler(file, delay=True)
        handler.setLevel(logging.INFO if first else logging.ERROR)
        handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(handler)
