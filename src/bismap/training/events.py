"""Learning curves as TensorBoard's event files, while the training goes."""

from collections.abc import Mapping
from pathlib import Path

from bismap.errors import BismapError


class Events:
    """Event files in ``folder``, which earlier attempts may have written to.

    What an earlier attempt wrote of the steps from ``first`` on is hidden: a training that was killed and goes on from
    an older state does those steps again.

    Raises:
        BismapError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path, first: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise BismapError(
                "event files are asked for (`settings.training.tensorboard: true`), but TensorBoard cannot be loaded "
                f"({error}): `pip install tensorboard`, or set it to false, which reruns nothing"
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=first)

    def add(self, row: Mapping[str, float | None], prefix: str = "") -> None:
        """Write a point of each curve: ``row`` holds the 1-based ``step`` and a value a curve, None for no point."""
        for name, value in row.items():
            if name != "step" and value is not None:
                self._writer.add_scalar(prefix + name, value, int(row["step"]))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
