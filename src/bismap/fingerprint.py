"""Fingerprint of the code a stage runs: its import closure inside the package, as syntax trees.

Comments, docstrings and formatting are no part of a syntax tree once docstrings are dropped, so editing
them changes nothing; any other edit changes the fingerprint of exactly the stages that import the module,
directly or through others. Modules are parsed, never imported: reading a fingerprint does not load torch.
What only looks on (`OBSERVERS`) does not count; what lies in a package's folder ``assets`` (the page of the gallery)
counts by its bytes.
"""

import ast
import hashlib
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent

OBSERVERS = frozenset({"bismap.progress", "bismap.training.events", "bismap.training.validation"})
"""Modules that tell how a training goes and change no bit of its model (tests hold that): an edit of how models are
scored must not train them again."""

ASSETS = (".css", ".html", ".js")
"""Of a package's folder ``assets``; what an editor leaves beside them does not count."""

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def fingerprint(*modules: str) -> str:
    """Fingerprint (16 hex digits) of modules, e.g. ``"bismap.stages.train"``, and all they import here."""
    digest = hashlib.sha256()
    for name in sorted(frozenset().union(*map(closure, modules))):
        digest.update(f"{name}={_read(name).digest}\n".encode())
    return digest.hexdigest()[:16]


def forget() -> None:
    """Read all modules anew at the next fingerprint: they may have been edited meanwhile."""
    for cached in (fingerprint, closure, imports, _read):
        cached.cache_clear()


@cache
def closure(module: str) -> frozenset[str]:
    """Names of the package's modules that ``module`` imports, itself included, lazy imports as well, observers not."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in seen or name in OBSERVERS:
            continue
        seen.add(name)
        todo.extend(imports(name) - seen)
    return frozenset(seen)


@cache
def imports(module: str) -> frozenset[str]:
    """The package's modules that ``module`` imports itself, and the packages that hold them."""
    found = _read(module).imported
    with_parents = {".".join(name.split(".")[:n]) for name in found for n in range(1, name.count(".") + 2)}
    return frozenset(name for name in with_parents if _exists(name))


def foreign_imports(module: str) -> frozenset[str]:
    """Top-level names of what ``module`` and all it imports here take from elsewhere."""
    tops = {name.split(".")[0] for inside in closure(module) for name in _read(inside).imported}
    return frozenset(tops - {PACKAGE.name})


class _Module(NamedTuple):
    """What a module's text comes to.

    Attributes:
        imported: dotted names in its import statements; of ``from a import b``, both ``a`` and ``a.b``.
        digest: hash of its syntax tree without docstrings, and of the package's assets.
    """

    imported: frozenset[str]
    digest: str


@cache
def _read(module: str) -> _Module:
    path = _path(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree, found = ast.parse(path.read_bytes(), filename=str(path)), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    # The dump of a tree differs between Python versions, so the version belongs to the fingerprint.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(f"{version} {ast.dump(tree)}".encode())
    for asset in _assets(path):
        digest.update(f"{asset.name}={hashlib.sha256(asset.read_bytes()).hexdigest()}".encode())
    return _Module(frozenset(found), digest.hexdigest())


def _assets(path: Path) -> list[Path]:
    folder = path.parent / "assets"
    if path.name != "__init__.py" or not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in ASSETS)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _candidates(module: str) -> tuple[Path, Path]:
    stem = PACKAGE.parent.joinpath(*module.split("."))
    return stem / "__init__.py", stem.with_suffix(".py")


def _exists(module: str) -> bool:
    inside = module.split(".")[0] == PACKAGE.name
    return inside and any(path.is_file() for path in _candidates(module))


def _path(module: str) -> Path:
    for path in _candidates(module):
        if path.is_file():
            return path
    raise ModuleNotFoundError(f"no module {module} below {PACKAGE}")
