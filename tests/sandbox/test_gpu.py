"""A GPU is handed in where the challenge grants it, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ProtocolError, Status
from harness.evaluation.session import Session
from harness.protocol.compose import load_challenge
from harness.sandbox import gpu, run, walls
from harness.sandbox.base import Limits
from harness.sandbox.cell import Cell
from tests.sandbox.helpers import TIERS, job

NODES = ["nvidia1", "nvidia2", "nvidiactl", "nvidia-modeset", "nvidia-uvm"]


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with two GPUs, of which a third was taken out."""
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in NODES:
        (folder / name).touch()
    monkeypatch.setattr(gpu, "DEV", folder)
    return folder


def options(limits: Limits) -> list[str]:
    with Cell() as cell:
        line = walls.bubblewrap(cell, Path("/"), limits, seccomp_fd=None, sync=None)
    return os.fsdecode(line).split("\0")


def test_only_who_is_granted_one_gets_one(dev: Path) -> None:
    granted, usual = options(Limits(gpu=True)), options(Limits())
    handed = [granted[i + 1] for i, word in enumerate(granted) if word == "--dev-bind"]
    assert handed == [str(dev / name) for name in ("nvidia1", "nvidiactl", "nvidia-uvm")]
    sealed = max(i for i, word in enumerate(granted[:-1]) if (word, granted[i + 1]) == ("--remount-ro", "/dev"))
    assert granted.index("--dev") < granted.index("--dev-bind") < sealed
    assert granted[granted.index("CUDA_VISIBLE_DEVICES") + 1] == "0"
    assert not [word for word in usual if "nvidia" in word or "CUDA" in word or word == "/sys"]


def test_a_machine_without_one_says_so(dev: Path, tmp_path: Path) -> None:
    (dev / "nvidia-uvm").unlink()  # the driver's module is not loaded
    challenge = load_challenge("selection_digits", ["limits.gpu=true"])
    assert challenge.modified
    with pytest.raises(ProtocolError, match=r"grants submissions a GPU.*no NVIDIA device") as caught:
        Session.open(challenge, runs_dir=tmp_path, device="cpu")
    assert "\n" not in str(caught.value)
    with pytest.raises(ProtocolError, match="no NVIDIA device"):
        run(job(tmp_path / "s", "", gpu=True), TIERS[0])


@pytest.mark.skipif("landlock" not in TIERS, reason="Landlock does not work here")
def test_weaker_tiers_cannot_hand_one_in(dev: Path, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="'landlock' cannot hand in"):
        run(job(tmp_path / "s", "", gpu=True), "landlock")


def test_nodes_without_a_driver_are_our_fault(dev: Path, tmp_path: Path) -> None:
    """The worker asks the driver before any of the submission's code is loaded."""
    if any(Path("/dev").glob("nvidia*")):
        pytest.skip("this machine has a driver")
    with pytest.warns(UserWarning, match="without isolation"):
        outcome = run(job(tmp_path / "s", "def select(task):\n    return [0]\n", gpu=True), "none")
    assert outcome.status is Status.HARNESS_ERROR
    assert "the driver shows none" in outcome.reason


def test_others_on_the_gpu_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for body, says in (
        (f"echo '{os.getpid()}, python'; echo '1, trainer, v2'", "1 trainer, v2"),
        (f"echo '{os.getpid()}, python'", ""),
        ("echo 'No devices were found'", ""),
        ("exit 9", "unknown"),
    ):
        fake.write_text(f"#!/bin/sh\n{body}\n")
        fake.chmod(0o755)
        assert gpu.foreign() == says or (says == "unknown" and says in gpu.foreign())


def test_challenges_without_one_keep_their_fingerprint() -> None:
    assert "gpu" not in load_challenge("selection_digits").pinned()["limits"]
    assert load_challenge("selection_digits", ["limits.gpu=true"]).pinned()["limits"]["gpu"] is True


@pytest.mark.gpu
@pytest.mark.skipif(not gpu.nodes(), reason="no CUDA device")
@pytest.mark.skipif("bubblewrap" not in TIERS, reason="bubblewrap does not work here")
def test_a_submission_computes_on_it(tmp_path: Path) -> None:
    source = """
    import torch

    def select(task):
        a = torch.arange(6.0, device="cuda").reshape(2, 3)
        return [torch.cuda.device_count(), *(a @ a.T).ravel().tolist()]
    """
    outcome = run(job(tmp_path / "s", source, gpu=True, memory_mb=8192, seconds=120.0), "bubblewrap")
    assert outcome.arrays is not None, outcome.reason
    np.testing.assert_allclose(outcome.arrays["indices"], [1, 5, 14, 14, 50])
    hidden = run(job(tmp_path / "t", source.replace("return", "assert False; return"), seconds=60.0), "bubblewrap")
    assert hidden.status is Status.CRASHED  # without the grant
    assert "AssertionError" not in hidden.reason
