"""Training state: newest whole one, the last two kept, nothing executed."""

import json
import logging
import pickle

import pytest
import torch

from bismap import state
from bismap.errors import BismapError


def make(step: int) -> dict:
    return {"step": step, "net": {"w": torch.full((3,), float(step))}}


def test_newest_is_loaded_and_two_are_kept(tmp_path):
    assert state.load_newest(tmp_path) is None
    for step in (5, 10, 200):
        state.save(tmp_path, step, make(step))
    assert state.load_newest(tmp_path)["step"] == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000010.json", "step-00000010.pt", "step-00000200.json", "step-00000200.pt"
    ]  # fmt: skip
    assert json.loads((tmp_path / "step-00000200.json").read_text())["step"] == 200


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lose_sidecar(path):
    path.with_suffix(".json").unlink()


@pytest.mark.parametrize("damage", [truncate, flip_byte, lose_sidecar])
def test_a_damaged_state_does_not_count(tmp_path, damage, caplog):
    for step in (5, 10):
        state.save(tmp_path, step, make(step))
    damage(tmp_path / "step-00000010.pt")
    with caplog.at_level(logging.WARNING):
        assert state.load_newest(tmp_path)["step"] == 5
    assert "step-00000010.pt" in caplog.text


def test_a_failed_write_leaves_the_earlier_state(tmp_path, monkeypatch):
    state.save(tmp_path, 5, make(5))

    def full(_state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(BismapError, match=r"step-00000010\.pt.*No space left"):
        state.save(tmp_path, 10, make(10))
    assert state.load_newest(tmp_path)["step"] == 5
    assert not list(tmp_path.glob("*.tmp"))


class Payload:
    def __reduce__(self):
        return print, ("executed",)


def test_loading_executes_nothing(tmp_path, capsys):
    state.save(tmp_path, 5, {"step": Payload()})
    with pytest.raises(pickle.UnpicklingError):
        state.load_newest(tmp_path)
    assert "executed" not in capsys.readouterr().out
