"""Versions of the packages whose numerics a result depends on. Cheap to import: nothing is loaded to be asked."""

import hashlib
import importlib.metadata
from functools import cache

from bismap.fingerprint import foreign_imports

# Name in `import` -> the distributions that provide it.
_DISTRIBUTIONS = {
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "faiss": ("faiss-gpu", "faiss-cpu"),
    "sklearn": ("scikit-learn",),
    "numpy": ("numpy",),
    "numba": ("numba", "llvmlite"),
    "scipy": ("scipy",),
    "PIL": ("pillow",),
    "imagecodecs": ("imagecodecs",),
    "zarr": ("zarr",),
    "pandas": ("pandas",),
    "matplotlib": ("matplotlib",),
}


def versions() -> dict[str, str]:
    """Installed version of every package that some stage computes with."""
    return {name: version for names in _DISTRIBUTIONS.values() for name in names if (version := _version(name))}


def versions_of(module: str) -> dict[str, str]:
    """Installed version of every package that a module of ours or what it imports here computes with."""
    used = {name for imported in foreign_imports(module) for name in _DISTRIBUTIONS.get(imported, ())}
    return {name: version for name, version in versions().items() if name in used}


def fingerprint_of(module: str) -> str:
    """Hash (8 hex digits) of ``versions_of``."""
    text = " ".join(f"{name}={version}" for name, version in sorted(versions_of(module).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
