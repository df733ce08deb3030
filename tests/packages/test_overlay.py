"""From requirements to a lock and an overlay, with real pip and hand-made wheels; hostile ones are refused by name."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import HarnessError, ProtocolError, Status, SubmissionError
from harness.packages import installer
from harness.packages.lock import Lock
from harness.packages.overlay import overlay
from harness.packages.provide import permit, provide
from harness.packages.resolve import resolve
from tests.packages.conftest import Wheel, installed_version

Source = Callable[[Path, str], Path]


def refusal(*requires: str) -> str:
    """The reason with which a submission that asks for these is refused."""
    with pytest.raises(SubmissionError) as caught:
        provide(requires, "any")
    assert caught.value.status is Status.INVALID_SUBMISSION
    return str(caught.value)


def test_wheels_are_locked_by_their_hashes_and_unpacked(wheel: Wheel, own_cache: Path) -> None:
    outer = wheel("tst_outer", "1.5", {"tst_outer.py": "import tst_inner\n"}, needs=["tst-inner>=2"])
    inner = wheel("tst_inner", "2.1", {"tst_inner/__init__.py": "X = 1\n"})
    wheel("tst_inner", "1.0", {"tst_inner/__init__.py": "X = 0\n"})
    lock = resolve(["tst.outer~=1.0", "numpy"])
    assert [(p.name, p.version, p.wheel) for p in lock.packages] == [
        ("tst-inner", "2.1", inner.name),
        ("tst-outer", "1.5", outer.name),
    ]
    assert [p.sha256 for p in lock.packages] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (inner, outer)
    ]
    folder = overlay(lock)
    assert folder == own_cache / "overlays" / lock.digest
    assert (folder / "tst_inner" / "__init__.py").read_text() == "X = 1\n"
    assert (folder / "tst_outer.py").is_file()
    assert not (folder / "numpy").exists()
    assert [path.name for path in folder.parent.iterdir()] == [lock.digest]
    assert f"tst-inner==2.1 --hash=sha256:{lock.packages[0].sha256}\n" in lock.requirements()


def test_the_same_requirements_come_to_the_same_lock_without_an_index(wheel: Wheel, index: Path) -> None:
    first = wheel("tst_a", "1.0", {"tst_a.py": ""})
    lock = resolve(["tst_a"])
    wheel("tst_a", "2.0", {"tst_a.py": ""})
    assert resolve(["tst_a"]) == lock
    newer = resolve(["tst_a"], fresh=True)
    assert newer.packages[0].version == "2.0"
    assert newer.digest != lock.digest
    overlay(lock)
    first.unlink()
    assert overlay(lock) is not None
    assert resolve(["tst_a"]) == newer


def test_what_the_harness_has_is_not_got_again(index: Path) -> None:
    lock = resolve([f"numpy=={installed_version('numpy')}", "scikit-learn>=1"])
    assert lock.packages == ()
    assert lock.digest == ""
    assert overlay(lock) is None


def test_a_contradiction_names_both_sides(wheel: Wheel) -> None:
    wheel("numpy", "1.26.0", {"numpy/__init__.py": ""})
    here = installed_version("numpy")
    assert f"numpy==1.26.0 is asked for, and the harness has numpy {here}" in refusal("numpy==1.26.0")
    wheel("tst_old", "1.0", {"tst_old.py": ""}, needs=["numpy<2"])
    said = refusal("tst_old")
    assert "tst-old 1.0 depends on numpy<2" in said.replace("_", "-")
    assert f"the harness has numpy=={here}" in said
    wheel("tst_new", "1.0", {"tst_new.py": ""}, needs=["tst_b==2"])
    for version in ("1.0", "2.0"):
        wheel("tst_b", version, {"tst_b.py": ""})
    said = refusal("tst_new", "tst_b==1")
    assert "asked for is tst" in said
    assert "depends on tst" in said


def test_what_is_not_there(wheel: Wheel, index: Path) -> None:
    assert "There is no package tst-nothing" in refusal("tst-nothing").replace("_", "-")
    wheel("tst_a", "1.0", {"tst_a.py": ""})
    said = refusal("tst_a>=9")
    assert "There is no tst_a>=9" in said
    assert "There is 1.0" in said
    (index / "tst_w-1.0-cp27-cp27m-win32.whl").touch()
    assert "no wheel for this Python and machine" in refusal("tst_w")


def test_a_source_archive_is_refused_before_any_of_its_code_runs(index: Path, tmp_path: Path, source: Source) -> None:
    archive = source(index, "tst_source")
    said = refusal("tst_source")
    assert "offered as source alone" in said
    assert not (tmp_path / "built").exists()
    # The archive is a live one: pip left to itself does run it.
    alone = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-build-isolation", str(archive)]
    subprocess.run(alone, capture_output=True, check=False)
    assert (tmp_path / "built").exists()


def test_a_source_archive_behind_a_wheel_is_not_built_either(wheel: Wheel, tmp_path: Path, source: Source) -> None:
    """``--only-binary`` says nothing about a dependency that a wheel names by its address."""
    (tmp_path / "elsewhere").mkdir()
    archive = source(tmp_path / "elsewhere", "tst_hidden")
    wheel("tst_bait", "1.0", {"tst_bait.py": ""}, needs=[f"tst_hidden @ {archive.as_uri()}"])
    assert "would have to be built" in refusal("tst_bait")
    assert not (tmp_path / "built").exists()
    plain = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--no-build-isolation",
        "--only-binary=:all:",
        "tst_bait",
    ]
    subprocess.run(plain, capture_output=True, check=False)
    assert (tmp_path / "built").exists()


def test_a_wheel_behind_an_address_is_refused(wheel: Wheel, index: Path, tmp_path: Path) -> None:
    path = wheel("tst_far", "1.0", {"tst_far.py": ""})
    moved = path.rename(tmp_path / path.name)
    wheel("tst_near", "1.0", {"tst_near.py": ""}, needs=[f"tst_far @ {moved.as_uri()}"])
    assert "named by its address" in refusal("tst_near")


SHADOWS = {
    "numpy/__init__.py": "numpy",
    "numpy.py": "numpy",
    "numpy/more.py": "numpy",
    "harness/extra.py": "harness",
    "sitecustomize.py": "sitecustomize",
    "yaml.cpython-311-x86_64-linux-gnu.so": "yaml",
}


@pytest.mark.parametrize("path", SHADOWS)
def test_a_module_with_the_name_of_one_of_the_harness_is_refused(wheel: Wheel, path: str, own_cache: Path) -> None:
    wheel("tst_shadow", "1.0", {"tst_shadow.py": "", path: ""})
    said = refusal("tst_shadow")
    assert f"a module named {SHADOWS[path]}," in said
    assert "tst_shadow" in said
    assert list((own_cache / "overlays").iterdir()) == []


def test_a_copy_of_a_standard_module_does_no_harm(wheel: Wheel) -> None:
    wheel("tst_argparse", "1.0", {"argparse.py": "raise ImportError\n"})
    assert provide(["tst_argparse"], "any") is not None


def test_another_file_under_the_same_name_is_not_the_locked_one(wheel: Wheel, own_cache: Path) -> None:
    wheel("tst_a", "1.0", {"tst_a.py": "X = 1\n"})
    lock = resolve(["tst_a"])
    wheel("tst_a", "1.0", {"tst_a.py": "X = 2\n"})
    with pytest.raises(SubmissionError, match="not the one that was locked"):
        overlay(lock)
    assert list((own_cache / "overlays").iterdir()) == []


def test_too_large(wheel: Wheel, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    monkeypatch.setattr(installer, "MAX_MB", 20)
    wheel("tst_bomb", "1.0", {"tst_bomb.py": "", "tst_bomb.bin": bytes(60 * 2**20)})  # 60 kB as a wheel
    assert "take more than 20 MB" in refusal("tst_bomb")
    assert list((own_cache / "overlays").iterdir()) == []


def test_too_long(wheel: Wheel, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    monkeypatch.setattr(installer, "MAX_SECONDS", 0.0)
    wheel("tst_a", "1.0", {"tst_a.py": ""})
    with pytest.raises(HarnessError, match="took longer than 0 s"):
        resolve(["tst_a"])
    assert list((own_cache / "overlays").iterdir()) == []


def test_no_index_to_be_reached_is_nobodys_fault(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(HarnessError, match="the package index cannot be reached"):
        resolve(["tst_a"])


def test_without_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProtocolError, match="has no pip"):
        resolve(["tst_a"])


def test_nothing_beside_the_user_is_run(wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m pip`` in a submission's folder would import its pip.py."""
    wheel("tst_a", "1.0", {"tst_a.py": ""})
    for name in ("pip.py", "runpy.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    assert provide(["tst_a"], "any") is not None
    assert not (tmp_path / "ran").exists()


def test_a_users_own_settings_of_pip_send_nothing_elsewhere(
    wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("TARGET", str(tmp_path / "t")),
        ("USER", "1"),
        ("REQUIRE_VIRTUALENV", "1"),
        ("NO_BINARY", ":all:"),
    ):
        monkeypatch.setenv(f"PIP_{name}", value)
    wheel("tst_a", "1.0", {"tst_a.py": ""})
    provided = provide(["tst_a"], "any")
    assert provided is not None
    assert provided.folder is not None
    assert (provided.folder / "tst_a.py").is_file()
    assert not (tmp_path / "t").exists()


BUILD = """
import sys
from harness.packages.provide import provide
print(provide(["tst_slow"], "any").folder)
"""


def test_two_at_once_and_one_that_is_killed(wheel: Wheel, own_cache: Path) -> None:
    wheel("tst_slow", "1.0", {f"tst_slow/m{i}.py": f"X = {i}\n" for i in range(400)})
    lock = resolve(["tst_slow"])
    start = [sys.executable, "-c", BUILD]
    killed = subprocess.Popen(start, stdout=subprocess.PIPE, text=True)
    while not list((own_cache / "overlays").glob(".building-*/tree")):
        assert killed.poll() is None, "it had ended before it could be killed"
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (own_cache / "overlays" / lock.digest).exists()
    both = [subprocess.Popen(start, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].strip() for process in both]
    assert said == [str(own_cache / "overlays" / lock.digest)] * 2
    assert len(list((own_cache / "overlays" / lock.digest / "tst_slow").glob("m*.py"))) == 400
    for litter in (own_cache / "overlays").glob(".building-*"):  # the killed one's, an hour later
        os.utime(litter, (0, 0))
    with installer.workplace(own_cache / "overlays"):
        pass
    assert [path.name for path in (own_cache / "overlays").iterdir()] == [lock.digest]


def test_what_a_challenge_allows() -> None:
    permit(["lightgbm==4.6.0"], "any")
    permit(["LightGBM==4.6.0", "numpy"], ("lightgbm",))
    with pytest.raises(SubmissionError, match=r"requires packages \(lightgbm==4.6.0\), and this challenge allows none"):
        permit(["lightgbm==4.6.0"], "none")
    with pytest.raises(SubmissionError, match="requires toolz>=1, and this challenge allows lightgbm, xgboost alone"):
        permit(["lightgbm", "toolz>=1"], ("lightgbm", "xgboost"))
    assert provide((), "none") is None


def test_the_order_of_packages_does_not_matter_to_a_lock(wheel: Wheel) -> None:
    for name in ("tst_a", "tst_b"):
        wheel(name, "1.0", {f"{name}.py": ""})
    lock = resolve(["tst_b", "tst_a"])
    assert Lock.of(lock.packages[::-1]).digest == lock.digest


@pytest.mark.parametrize("requirement", ["toolz", "more-itertools", "xxhash"])
def test_a_package_of_the_real_index(requirement: str) -> None:
    try:
        provided = provide([requirement], "any")
    except HarnessError as error:
        pytest.skip(str(error))
    assert provided is not None
    if provided.folder is not None:
        name = requirement.replace("-", "_")
        code = f"import sys; sys.path.append({str(provided.folder)!r}); import {name}; print({name}.__file__)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert said.startswith(str(provided.folder))
