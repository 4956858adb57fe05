"""The weights stage."""

import hashlib

import pytest

from bismap.errors import BismapError
from bismap.job import Job
from bismap.stages import weights


def test_another_file_than_the_configured_one_is_refused(tmp_path):
    file = tmp_path / "resnet101.pth"
    file.write_bytes(b"something else")
    settings = {"kind": "torchvision", "sha256": "5d3b4d8f"}
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(BismapError, match=f"sha256 is {found}, expected 5d3b4d8f"):
        weights.run(Job(settings, tmp_path, tmp_path, {"checkpoint": (file,)}))
