"""docs/releases.md, command by command as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli import main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "releases.md"


def test_every_command_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    page = PAGE.read_text(encoding="utf-8")
    for name, content in re.findall(r"^```\w+ (\S+)\n(.*?)^```$", page, flags=re.M | re.S):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content, encoding="utf-8")
    (version,) = re.findall(r"^```yaml\n(- .*?)^```$", page, flags=re.M | re.S)
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.M | re.S)
    commands = re.findall(r"^    (harness .*)$", page, flags=re.M)
    assert len(commands) == 9
    corrected = False
    for command in commands:
        words = shlex.split(command)[1:]
        if words[1] == "diff" and not corrected:
            exec(program, {})
            data = Path("conf/visits.csv")
            data.write_text(
                data.read_text("utf-8").replace("v2,p1,2024-02-09,61,?,well", "v2,p1,2024-02-09,61,?,ill"), "utf-8"
            )
            corrected = True
            assert main(words) == 1
            said = capsys.readouterr().out
            for line in re.findall(r"^> (.*)$", page, flags=re.M):
                assert line in said
            spec = Path("conf/spec/visits.yaml")
            spec.write_text(spec.read_text("utf-8") + version, "utf-8")
            continue
        assert main(words) == 0, command
    assert Path("conf/cards/visits.md").is_file()
    for name in re.findall(r"^\| `(\S+)` \|", page, flags=re.M):
        assert name == "annotations.csv" or Path("visits-1.0.0", name).is_file(), name
