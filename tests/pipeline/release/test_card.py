"""``harness dataset card``: the card of a data set, printed and written."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from tests.pipeline.release.data import patients, write


def test_a_card_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    conf = patients(tmp_path / "conf")
    assert main(["dataset", "card", "patients", "--config-dir", str(conf)]) == 0
    printed = capsys.readouterr().out
    assert "6 rows, X [6, 6], 2 classes." in printed
    assert "| ill | 3 | Has it. |" in printed
    assert not (conf / "cards").exists()
    assert main(["dataset", "card", "patients", "--config-dir", str(conf), "--write"]) == 0
    assert (conf / "cards" / "patients.md").read_text("utf-8") == printed


def test_without_data_of_ones_own_the_specification_has_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = write(tmp_path / "conf", "digits", {}, license=None)
    (conf / "dataset" / "digits.yaml").unlink()
    assert main(["dataset", "card", "digits", "--config-dir", str(conf)]) == 0
    assert "**Licence.** not said." in capsys.readouterr().out


def test_where_to_write_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "card", "nothing_of_that_name", "--write"]) == 2
    assert main(["dataset", "card", "digits", "--write"]) == 2
    assert "Traceback" not in capsys.readouterr().err
