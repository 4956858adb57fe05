"""weights: convert a configured file of pre-trained weights, after checking that it is the one meant."""

import logging

from bismap.errors import BismapError
from bismap.job import Job
from bismap.models.importing import import_checkpoint
from bismap.models.weights import file_sha256

log = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write weights.safetensors and the report of matched and unmatched tensors beside it.

    Raises:
        BismapError: if the file's digest does not begin with the configured one, or if a tensor of the network is
            missing in it or one in it has no place.
    """
    source, wanted = job.input("checkpoint"), job.settings["sha256"]
    if wanted is not None and not (found := file_sha256(source)).startswith(wanted):
        raise BismapError(f"{source}: sha256 is {found}, expected {wanted}...; get the file anew")
    report = import_checkpoint(source, job.settings["kind"], job.out / "weights.safetensors")
    log.info("%s", report)
