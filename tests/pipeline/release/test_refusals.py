"""What is refused before anything is written, in one paragraph; and that nothing is ever half there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import main
from harness.errors import ProtocolError
from harness.pipeline.release import write as writing
from harness.pipeline.release.validate import validate
from harness.pipeline.release.write import release
from tests.pipeline.release.data import PATIENT_COLUMNS, PATIENTS, VOTES, judged, leaves, patients, write


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def refused(conf: Path, said: str, name: str = "patients", out: str = "out", **options: Any) -> None:
    """No release, and nothing new beside where it would have been."""
    before = sorted(conf.parent.iterdir())
    with pytest.raises(ProtocolError, match=said):
        release(name, conf.parent / out, conf, **options)
    assert [path for path in sorted(conf.parent.iterdir()) if path.name != "cache"] == [
        path for path in before if path.name != "cache"
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"license": None}, r"does not say license \(an SPDX identifier"),
        ({"creators": None}, "does not say creators"),
        ({"creators": [""]}, "does not say creators"),
        ({"purpose": None}, "does not say purpose"),
        ({"title": None, "source": None}, "does not say title .*; source"),
        ({"license": "CC BY"}, "is no SPDX expression"),
        ({"license": "LicenseRef-Ours"}, "whose text is not known"),
        ({"price": 3}, "price is not a known setting"),
        ({"versions": [{"version": "1.1.0"}, {"version": "1.0.0"}]}, "1.0.0 comes after 1.1.0"),
        ({"versions": [{"version": "1.0"}]}, "is no version of three numbers"),
        ({"columns": {**PATIENT_COLUMNS, "age": {"type": "integer", "most": 50}}}, "'61', row 2 .* column age: is above 50"),
        ({"columns": {**PATIENT_COLUMNS, "age": {"type": "date"}}}, "column age: is no date"),
        ({"columns": {**PATIENT_COLUMNS, "gone": {"type": "number"}}}, "column gone: the specification names this column"),
        ({"columns": {key: value for key, value in PATIENT_COLUMNS.items() if key != "age"}}, "column age: the specification does not name"),
        ({"columns": {**PATIENT_COLUMNS, "weight": {"type": "number"}}}, r"row 2 \(line 3\), column weight: an entry is missing"),
        ({"label": {"column": "outcome", "classes": {"well": "x", "dead": "y"}}}, "'ill', .* column outcome: is no class of the labelling guide"),
    ],
)  # fmt: skip
def test_a_specification_that_is_unfinished_or_wrong(spec: dict[str, Any], said: str, tmp_path: Path) -> None:
    refused(patients(tmp_path / "conf", **spec), said)


def test_data_that_the_harness_itself_refuses(tmp_path: Path) -> None:
    refused(patients(tmp_path / "conf", [*PATIENTS, PATIENTS[1]]), "The id 'v1' is there twice")
    refused(judged(tmp_path / "conf", [*VOTES, ("v99", "ann", "well")]), "'v99'", name="judged")
    done = validate("judged", tmp_path / "conf")
    assert ["'v99'" in finding.what for finding in done.findings] == [True]


def test_places_that_are_taken(tmp_path: Path) -> None:
    conf = patients(tmp_path / "conf")
    (tmp_path / "out").mkdir()
    refused(conf, "out exists already; nothing was written")
    (tmp_path / "other.zip").write_text("")
    refused(conf, "other.zip exists already", out="other", archive=True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    refused(conf, "link exists already", out="link")
    release("patients", tmp_path / "other", conf)  # without an archive
    assert (tmp_path / "other" / "rows.csv").is_file()


def test_names_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = patients(tmp_path / "conf")
    refused(conf, "There is no dataset 'patient'.* Did you mean patients", name="patient")
    (conf / "spec" / "patients.yaml").unlink()
    refused(conf, "has no specification")
    assert main(["dataset", "release", "patients", str(tmp_path / "out"), "--config-dir", str(conf)]) == 2
    assert main(["dataset", "validate", str(tmp_path / "nowhere")]) == 2
    assert main(["dataset", "validate", "patients", "--config-dir", str(tmp_path / "nowhere")]) == 2
    assert main(["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "b.zip")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_terms_under_which_a_shipped_data_set_cannot_be_handed_on(tmp_path: Path) -> None:
    conf = write(tmp_path / "conf", "wine", {}, license="LicenseRef-Theirs", license_text="Ask them.")
    (conf / "dataset" / "wine.yaml").unlink()
    refused(conf, "terms of its own .LicenseRef-Theirs.", name="wine")


def test_terms_of_ones_own_are_written_out(tmp_path: Path) -> None:
    conf = patients(tmp_path / "conf", license="LicenseRef-Ours", license_text="Use it\nas you like.")
    release("patients", tmp_path / "out", conf)
    assert (
        tmp_path / "out" / "LICENSE"
    ).read_text() == "SPDX-License-Identifier: LicenseRef-Ours\n\nUse it\nas you like.\n"
    assert (
        "license: other\nlicense_name: licenseref-ours\nlicense_link: LICENSE\n"
        in (tmp_path / "out" / "README.md").read_text()
    )
    assert validate(str(tmp_path / "out")).ok


def test_what_is_worth_knowing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = {"ill": "x", "well": "y", "dead": "z"}
    about: dict[str, Any] = {
        "url": None,
        "versions": [{"version": "1.0.0"}],
        "label": {"column": "outcome", "classes": classes},
    }
    conf = patients(tmp_path / "conf", **about)
    assert main(["dataset", "release", "patients", str(tmp_path / "out"), "--config-dir", str(conf)]) == 0
    said = capsys.readouterr().out
    assert "has no url" in said
    assert "has no date" in said
    assert "The class 'dead'" in said
    assert validate(str(tmp_path / "out")).ok


def test_an_error_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = patients(tmp_path / "conf")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "pack", full)
    refused(conf, "No space left on device", archive=True)
    leaves(conf)
    (conf / "leaves" / "oak" / "leaf 0.png").write_bytes(b"no picture")
    refused(conf, "no image", name="leaves")


@pytest.mark.parametrize("after", ["_write_pictures", "_measured", "pack", "permit"])
def test_a_release_killed_on_its_way_leaves_nothing_half_written(after: str, tmp_path: Path) -> None:
    conf = leaves(tmp_path / "conf")
    program = f"""
import os, signal, sys
from pathlib import Path
from harness.pipeline.release import write
whole = write.{after}
def killed(*args):
    whole(*args)
    os.kill(os.getpid(), signal.SIGKILL)
write.{after} = killed
write.release("leaves", Path({str(tmp_path / "out")!r}), Path({str(conf)!r}), archive=True)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    there = [path.name for path in tmp_path.iterdir() if path.name not in ("conf", "cache")]
    assert "out" not in there
    assert "out.zip" not in there or zipfile.ZipFile(tmp_path / "out.zip").testzip() is None
    (tmp_path / "out.zip").unlink(missing_ok=True)
    release("leaves", tmp_path / "out", conf, archive=True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("conf", "cache")) == ["out", "out.zip"]
    assert validate(str(tmp_path / "out")).ok


def test_two_at_once_for_one_place(tmp_path: Path) -> None:
    conf = patients(tmp_path / "conf")
    command = [
        sys.executable,
        "-m",
        "harness",
        "dataset",
        "release",
        "patients",
        str(tmp_path / "out"),
        "--config-dir",
        str(conf),
    ]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    assert any("exists already" in one for one in said)
    assert validate(str(tmp_path / "out")).ok


def test_the_umask_decides_who_reads_a_release(tmp_path: Path) -> None:
    conf = patients(tmp_path / "conf")
    release("patients", tmp_path / "out", conf)
    now = os.umask(0)
    os.umask(now)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~now
    assert (tmp_path / "out" / "rows.csv").stat().st_mode & 0o777 == 0o666 & ~now


def test_time_is_no_part_of_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = patients(tmp_path / "conf")
    release("patients", tmp_path / "one", conf, archive=True)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    (tmp_path / "later").mkdir()
    release("patients", tmp_path / "later" / "two", conf, archive=True)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "later" / "two.zip").read_bytes()


def _archive(path: Path, entries: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda _: None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            change(entry)
            archive.writestr(entry, content)
    return path


def test_archives_that_lead_elsewhere(tmp_path: Path) -> None:
    def link(entry: zipfile.ZipInfo) -> None:
        entry.external_attr = 0o120777 << 16

    for name in ("../out.txt", "/tmp/out.txt", "a\\..\\b"):
        with pytest.raises(ProtocolError, match="no plain file inside it"):
            validate(str(_archive(tmp_path / "a.zip", {name: b"x"})))
    with pytest.raises(ProtocolError, match="no plain file inside it"):
        validate(str(_archive(tmp_path / "a.zip", {"spec.yaml": b"/etc/passwd"}, link)))
    (tmp_path / "a.zip").write_bytes(b"PK no archive")
    with pytest.raises(ProtocolError, match="cannot be unpacked"):
        validate(str(tmp_path / "a.zip"))
    assert not validate(str(_archive(tmp_path / "empty.zip", {}))).ok


def test_a_data_set_is_held_against_its_specification_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*PATIENTS[:-1], ("v6", "p4", "2024-03-15", "158", "west", "91.5", "tired", "ill", "test")]
    conf = patients(tmp_path / "conf", rows)
    assert main(["dataset", "validate", "patients", "--config-dir", str(conf)]) == 1
    said = capsys.readouterr().out
    assert "patients.csv, row 6 (line 7) '158', column age: is above 120" in said
    assert "patients.csv, row 6 (line 7) 'west', column ward name: is none of the values listed" in said
    assert "2 things are wrong" in said


def test_a_specification_survives_its_own_release(tmp_path: Path) -> None:
    conf = patients(tmp_path / "conf")
    release("patients", tmp_path / "out", conf)
    again = tmp_path / "again"
    plain = yaml.safe_load((tmp_path / "out" / "spec.yaml").read_text("utf-8"))
    config = yaml.safe_load((conf / "dataset" / "patients.yaml").read_text()) | {"missing": {"policy": "mean+flag"}}
    write(again, plain.pop("name"), config, **plain)
    (again / "patients.csv").write_bytes((tmp_path / "out" / "rows.csv").read_bytes())
    release("patients", tmp_path / "second", again)
    for path in sorted((tmp_path / "out").iterdir()):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name
