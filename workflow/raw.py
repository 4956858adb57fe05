"""Names, sizes and times of raw files: all that the main process looks at of a data set."""

from collections import Counter
from pathlib import Path

from bismap.config import Config
from bismap.config.model import Dataset
from bismap.data.layouts import RawFile, describe, list_raw
from bismap.data.listing import identity, stamped
from bismap.errors import BismapError
from workflow.scope import RESULTS, split_seed


class RawData:
    """The raw data sets and weight files that a configuration names."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._listed: dict[str, list[RawFile]] = {}
        self._counted: dict[str, Counter[str]] = {}

    def dataset(self, name: str) -> Dataset:
        return self.config.datasets[split_seed(name)[0]]

    def root(self, name: str) -> str:
        """Folder of a data set: the configured one, or where it is rendered to."""
        dataset = self.dataset(name)
        return f"{RESULTS}/datasets/{name}/raw" if dataset.render else dataset.root

    def manifest(self, name: str) -> list[str]:
        """Manifest of a rendered data set; nothing for one on disk."""
        return [f"{self.root(name)}.csv"] if self.dataset(name).render else []

    def files(self, name: str) -> list[RawFile]:
        """All images of a data set on disk by names, listed once.

        Raises:
            BismapError: if its folder is missing, saying how it must look.
        """
        if name not in self._listed:
            dataset = self.dataset(name)
            root = Path(dataset.root)
            if not root.is_dir():
                raise BismapError(
                    f"data set `{name}` is missing: there is no folder {root} "
                    f"(setting datasets.{name}.root).\nIt must look like this:\n{describe(dataset.layout)}"
                )
            self._listed[name] = list_raw(dataset.layout, root)
        return self._listed[name]

    def count(self, name: str, split: str) -> int:
        """Number of images of a split, from the configuration or the names of the files on disk.

        Raises:
            BismapError: if the folder is missing or holds no image of that split.
        """
        dataset = self.dataset(name)
        if dataset.render:
            images = dataset.render.images.get(split, 0)
        else:
            if name not in self._counted:
                self._counted[name] = Counter(file.split for file in self.files(name))
            images = self._counted[name][split]
        if not images:
            raise BismapError(f"data set `{name}` has no image of split `{split}` in {self.root(name)}")
        return images

    def cache(self, name: str) -> Path:
        """Folder in which the index keeps what it saw of a data set on disk."""
        return RESULTS / ".store" / ".cache" / "index" / name

    def listing(self, name: str) -> str | None:
        """What a data set on disk goes by: another name where content, names or splits changed; None if rendered."""
        dataset = self.dataset(name)
        if dataset.render:
            return None
        root = Path(dataset.root)
        return identity(dataset.layout, root, stamped(dataset.layout, root, self.files(name)), self.cache(name))

    def weights_file(self, name: str) -> Path:
        """Path of a configured weights file.

        Raises:
            BismapError: if it is missing, saying where to get it and where to put it.
        """
        weights = self.config.weights[name]
        path = Path(weights.file)
        if not path.is_file():
            raise BismapError(
                f"weights `{name}` are missing: put the file at {path} (setting weights.{name}.file). "
                f"Where to get it: {weights.source}"
            )
        return path
