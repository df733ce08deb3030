"""Completion, asked for by a real shell where it is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.completion import candidates
from harness.protocol import source

# What Readline does at TAB: the function that is registered for `harness` is called with the words so far.
BASH = r"""
harness() { "$PYTHON" -m harness "$@"; }
eval "$(harness --completion bash)"
set -- $(complete -p harness); while [ "$1" != -F ]; do shift; done
COMP_LINE="harness $LINE" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
COMP_POINT=$((${#LINE} + 8))
"$2" harness "" harness
printf '%s\n' "${COMPREPLY[@]}"
"""


def asked(line: str, tmp_path: Path) -> list[str]:
    """What bash would offer behind ``harness LINE``."""
    done = subprocess.run(
        ["bash", "-c", BASH], env={"PYTHON": sys.executable, "LINE": line, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    return sorted(word.rstrip() for word in done.stdout.splitlines())


def test_bash_completes_commands_and_overrides(tmp_path: Path) -> None:
    (tmp_path / "my_method").mkdir()
    assert "leaderboard" in asked("lea", tmp_path)
    challenges = [name for name in source.names(None) if name.startswith("slicing_")]
    assert asked("run challenge=slicing_", tmp_path) == challenges  # behind `=`, where bash begins a word
    assert asked("run submission=my_", tmp_path) == ["my_method/"]


def test_candidates(tmp_path: Path) -> None:
    assert "submission=" in candidates("sub")
    assert candidates("device=c") == ["device=cpu", "device=cuda"]
    assert "submission=knn_shapley" in candidates("submission=knn_")
    assert candidates("submission=random,knn_sh") == ["submission=random,knn_shapley"]
    assert "launcher=slurm" in candidates("launcher=s")
    assert candidates("nothing=x") == []
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge/mine.yaml").touch()
    assert candidates("challenge=min", str(tmp_path)) == ["challenge=mine"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_reads_is_for_it(shell: str, tmp_path: Path) -> None:
    script = subprocess.run(
        [sys.executable, "-m", "harness", "--completion", shell], capture_output=True, text=True, check=True
    ).stdout
    assert "harness" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script)
    subprocess.run([program, "-n", str(tmp_path / "script")], check=True)  # it can be read


def test_asking_imports_nothing_heavy(tmp_path: Path) -> None:
    """A proxy for half a second, as a shell asks at every TAB."""
    code = (
        "import sys\nfrom harness.cli.completion import candidates\n"
        "assert candidates('challenge=deb') and candidates('submission=knn')\n"
        "print('heavy:', sorted({'torch', 'mlflow', 'hydra', 'sklearn', 'pandas', 'numpy', 'pydantic', 'rich', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "heavy: []\n"
