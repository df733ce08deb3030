"""Faults planted in releases, one at a time: every one is found, and said with its file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.pipeline.release import readers
from harness.pipeline.release.validate import validate

Spoil = Callable[[Path], object]


def lines(file: str, change: Callable[[list[list[str]]], object]) -> Spoil:
    """Change the cells of a table; the header is the first row."""

    def spoil(folder: Path) -> None:
        rows = list(csv.reader(io.StringIO((folder / file).read_text("utf-8"), newline="")))
        change(rows)
        with (folder / file).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)

    return spoil


def cell(row: int, column: str, value: str, file: str = "rows.csv") -> Spoil:
    def change(rows: list[list[str]]) -> None:
        rows[row][rows[0].index(column)] = value

    return lines(file, change)


def described(file: str, change: Callable[[Any], object]) -> Spoil:
    """Change a JSON description."""

    def spoil(folder: Path) -> None:
        plain = json.loads((folder / file).read_text("utf-8"))
        change(plain)
        (folder / file).write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")

    return spoil


def text(file: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        content = (folder / file).read_text("utf-8")
        assert old in content
        (folder / file).write_text(content.replace(old, new, 1), "utf-8")

    return spoil


def flipped(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        content = bytearray((folder / file).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / file).write_bytes(content)

    return spoil


def rehashed(spoil: Spoil, file: str = "rows.csv") -> Spoil:
    """A fault whose author has written sizes and digests anew, so that they give nothing away."""

    def both(folder: Path) -> None:
        spoil(folder)
        content = (folder / file).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        for name, entries, digest in (
            ("datapackage.json", "resources", f"sha256:{found}"), ("croissant.json", "distribution", found),
        ):  # fmt: skip
            plain = json.loads((folder / name).read_text("utf-8"))
            for entry in plain[entries]:
                if file in (entry.get("path"), entry.get("contentUrl")):
                    entry["hash" if "path" in entry else "sha256"] = digest
                    entry["bytes" if "path" in entry else "contentSize"] = (
                        len(content) if "path" in entry else f"{len(content)} B"
                    )
            (folder / name).write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")

    return both


def widen(rows: list[list[str]]) -> None:
    for row in rows:
        row.append("more")


def remove(file: str) -> Spoil:
    return lambda folder: (folder / file).unlink()


FAULTS: list[tuple[str, str, Spoil, str]] = [
    # the rows, with digests that give the fault away and with others
    ("a byte flipped", "patients", flipped("rows.csv"), r"^rows\.csv: has the SHA-256"),
    ("a byte flipped in the specification", "patients", flipped("spec.yaml"), r"^spec\.yaml"),
    ("a row removed", "patients", lines("rows.csv", lambda rows: rows.pop(3)), r"^rows\.csv: has \d+ bytes"),
    ("a row removed, rehashed", "patients", rehashed(lines("rows.csv", lambda rows: rows.pop(3))), r"^README\.md: line .* rows"),
    ("a row doubled", "patients", rehashed(lines("rows.csv", lambda rows: rows.append(rows[1]))), "row 1 .line 2. and row 7 .line 8. 'v1', column id: the id is there twice"),
    ("an id doubled", "patients", rehashed(cell(2, "id", "v1")), "column id: the id is there twice"),
    ("an id missing", "patients", rehashed(cell(2, "id", "")), "row 2 .line 3., column id: .*missing"),
    ("a wrong type", "patients", rehashed(cell(1, "age", "old")), r"^rows\.csv, row 1 .line 2. 'old', column age: is no integer"),
    ("not whole", "patients", rehashed(cell(1, "age", "61.5")), "'61.5', column age: is no integer"),
    ("a wrong date", "patients", rehashed(cell(1, "visit", "5.1.2024")), "'5.1.2024', column visit: is no date"),
    ("a date too early", "patients", rehashed(cell(1, "visit", "2023-12-31")), "column visit: is below 2024-01-01"),
    ("a number too large", "patients", rehashed(cell(5, "age", "130")), "row 5 .line 6. '130', column age: is above 120"),
    ("no value of the domain", "patients", rehashed(cell(1, "ward name", "west")), "'west', column ward name: is none of the values"),
    ("a missing entry not foreseen", "patients", rehashed(cell(1, "age", "")), "column age: an entry is missing"),
    ("a marker of the source", "patients", rehashed(cell(2, "weight", "?")), r"'\?', column weight: is no number"),
    ("an unknown label", "patients", rehashed(cell(1, "outcome", "dead")), "'dead', column outcome: is no class"),
    ("a label missing", "patients", rehashed(cell(1, "outcome", "")), "column outcome: the label is missing"),
    ("a label changed", "patients", rehashed(cell(1, "outcome", "ill")), r"^README\.md: line .*ill"),
    ("a column removed", "patients", rehashed(lines("rows.csv", lambda rows: [row.pop(3) for row in rows])), "column age: the specification names this column"),
    ("a column added", "patients", rehashed(lines("rows.csv", widen)), "column more: the specification does not name"),
    ("a quote never closed", "patients", text("rows.csv", "v1,", '"v1,'), r"^rows\.csv: The row that begins on line 2"),
    ("no text", "patients", lambda folder: (folder / "rows.csv").write_bytes(b"\xff\xfe\x00"), r"^rows\.csv"),
    ("nothing in it", "patients", lambda folder: (folder / "rows.csv").write_text(""), r"^rows\.csv: rows.csv is empty"),
    # votes
    ("a vote for no row", "judged", rehashed(cell(1, "item", "v99", "annotations.csv"), "annotations.csv"), "'v99', column item: the item is no row"),
    ("a vote for no class", "judged", rehashed(cell(1, "label", "dead", "annotations.csv"), "annotations.csv"), "'dead', column label: the vote is no class"),
    ("a vote twice", "judged", rehashed(lines("annotations.csv", lambda rows: rows.append(rows[1])), "annotations.csv"), "'ann', column annotator: votes twice"),
    ("a vote removed", "judged", rehashed(lines("annotations.csv", lambda rows: rows.pop()), "annotations.csv"), r"^croissant\.json: rai:annotationsPerItem"),
    ("votes removed", "judged", remove("annotations.csv"), r"^annotations\.csv: is not there, and datapackage"),
    # licence and creator, in each description
    ("licence removed from the specification", "patients", text("spec.yaml", "license: CC-BY-4.0\n", ""), r"^spec\.yaml: does not say license"),
    ("licence removed from the package", "patients", described("datapackage.json", lambda plain: plain.pop("licenses")), r"^datapackage\.json: licenses is missing"),
    ("licence removed from Croissant", "patients", described("croissant.json", lambda plain: plain.pop("license")), r"^croissant\.json: license is missing"),
    ("licence removed from the card", "patients", text("README.md", "license: cc-by-4.0\n", ""), r"^README\.md: line 2"),
    ("licence removed", "patients", remove("LICENSE"), r"^LICENSE: is missing"),
    ("licence edited", "patients", text("LICENSE", "CC-BY-4.0", "CC0-1.0"), r"^LICENSE: line 1"),
    ("creator removed from the specification", "patients", text("spec.yaml", "creators:\n- Ada Example\n- Example Institute\n", ""), r"^spec\.yaml: does not say creators"),
    ("creators removed from the package", "patients", described("datapackage.json", lambda plain: plain.pop("contributors")), r"^datapackage\.json: contributors is missing"),
    ("creator removed from Croissant", "patients", described("croissant.json", lambda plain: plain.pop("creator")), r"^croissant\.json: creator is missing"),
    ("one of two creators removed", "patients", described("croissant.json", lambda plain: plain["creator"].pop()), r"^croissant\.json: creator is"),
    # descriptions
    ("a hash edited", "patients", described("datapackage.json", lambda plain: plain["resources"][0].update(hash="sha256:" + "0" * 64)), r"^rows\.csv: has the SHA-256 \w+\.\.\., and datapackage\.json says 0000"),
    ("a sha256 edited", "patients", described("croissant.json", lambda plain: plain["distribution"][0].update(sha256="0" * 64)), r"^rows\.csv: .* croissant\.json says 0000"),
    ("a hash removed", "patients", described("datapackage.json", lambda plain: plain["resources"][0].pop("hash")), r"^datapackage\.json: resources\.0\.hash"),
    ("bytes edited", "patients", described("datapackage.json", lambda plain: plain["resources"][0].update(bytes=1)), "and datapackage.json says 1$"),
    ("the version edited in the package", "patients", described("datapackage.json", lambda plain: plain.update(version="2.0.0")), r'^datapackage\.json: version is "2\.0\.0"'),
    ("the version edited in Croissant", "patients", described("croissant.json", lambda plain: plain.update(version="2.0.0")), r'^croissant\.json: version is "2\.0\.0"'),
    ("the version edited in the specification", "patients", text("spec.yaml", "version: 1.0.0", "version: 1.0.1"), r'^datapackage\.json: version is "1\.0\.0"; .* "1\.0\.1"'),
    ("versions backwards", "patients", text("spec.yaml", "versions:\n", "versions:\n- version: 9.0.0\n"), r"^spec\.yaml: .*versions only rise"),
    ("the changes edited", "patients", text("CHANGELOG.md", "First version.", "Nothing."), r"^CHANGELOG\.md: line 5"),
    ("the card edited", "patients", text("README.md", "Who is ill?", "Who is rich?"), r"^README\.md: line .*rich"),
    ("a fault kept quiet", "patients", described("croissant.json", lambda plain: plain.pop("rai:dataBiases")), r"^croissant\.json: rai:dataBiases is missing"),
    ("a type edited", "patients", described("datapackage.json", lambda plain: plain["resources"][0]["schema"]["fields"][3].update(type="string")), r"fields\.3\.type"),
    ("no type of the standard", "patients", described("datapackage.json", lambda plain: plain["resources"][0]["schema"]["fields"][3].update(type="int")), "is no type of the standard"),
    ("a missing marker removed", "patients", described("datapackage.json", lambda plain: plain["resources"][0]["schema"]["fields"][5].update(missingValues=[])), r"fields\.5\.missingValues"),
    ("a key removed", "patients", described("datapackage.json", lambda plain: plain["resources"][0]["schema"].pop("primaryKey")), r"schema\.primaryKey is missing"),
    ("another profile", "patients", described("datapackage.json", lambda plain: plain.update({"$schema": "https://example.invalid/x"})), r"\$schema is not"),
    ("an unknown key in the specification", "patients", text("spec.yaml", "purpose:", "porpoise: x\npurpose:"), r"^spec\.yaml: .*porpoise is not a known setting"),
    ("a schema at an address", "patients", described("datapackage.json", lambda plain: plain["resources"][0].update(schema="https://example.invalid/s.json")), "schema is somewhere else"),
    ("a reference", "patients", described("datapackage.json", lambda plain: plain["resources"][0]["schema"].update({"$ref": "https://example.invalid/s.json"})), "refers to somewhere else"),
    ("no JSON", "patients", lambda folder: (folder / "croissant.json").write_text("{"), r"^croissant\.json: is not JSON"),
    ("another thing than an object", "patients", lambda folder: (folder / "datapackage.json").write_text("[]"), r"^datapackage\.json: holds a list"),
    # files
    ("a file added", "patients", lambda folder: (folder / "more.csv").write_text("x\n1\n"), r"^more\.csv: is described nowhere"),
    ("a link", "patients", lambda folder: (folder / "link").symlink_to("/etc/passwd"), r"^link: is no regular file"),
    *[(f"{name} removed", "patients", remove(name), rf"^{re.escape(name)}: is (missing|not there)") for name in
      ("rows.csv", "spec.yaml", "README.md", "CHANGELOG.md", "croissant.json", "datapackage.json")],
    ("a path out of the folder", "patients", described("datapackage.json", lambda plain: plain["resources"][0].update(path="../rows.csv")), "path is no path inside"),
    ("an address", "patients", described("croissant.json", lambda plain: plain["distribution"][0].update(contentUrl="https://example.invalid/rows.csv")), r"^croissant\.json: distribution\.0\.contentUrl"),
    ("an address without digest", "patients", described("croissant.json", lambda plain: (plain["distribution"][0].update(contentUrl="https://example.invalid/rows.csv"), plain["distribution"][0].pop("sha256"))), "at an address"),
    ("a context from elsewhere", "patients", described("croissant.json", lambda plain: plain.update({"@context": "https://schema.org/"})), "takes its @context from elsewhere"),
    # pictures
    ("a byte of a picture flipped", "leaves", flipped("images/oak/leaf 0.png"), r"^files\.csv, row \d .* the file has another content"),
    ("a picture removed", "leaves", remove("images/oak/leaf 0.png"), r"^files\.csv, row \d .*the file is not there"),
    ("a picture added", "leaves", lambda folder: (folder / "images/oak/more.png").write_bytes(b"x"), r"^images/oak/more\.png: is described nowhere"),
    ("a picture named that is not there", "leaves", rehashed(cell(1, "file", "images/oak/none.png")), "column file: the picture is not there"),
    ("the list of pictures removed", "leaves", remove("files.csv"), r"^files\.csv: is not there"),
    # texts
    ("a letter of a document", "reviews", text("rows.csv", "łódź", "lodz"), r"^rows\.csv: has the SHA-256"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spoil", "said"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_found(name: str, spoil: Spoil, said: str, copied: Callable[[str], Path]) -> None:
    folder = copied(name)
    spoil(folder)
    findings = list(map(str, validate(str(folder)).findings))
    assert any(re.search(said, finding) for finding in findings), findings


def test_findings_gather_and_name_five_rows(copied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied("patients")
    for row in range(1, 7):
        cell(row, "age", str(200 + row))(folder)
    assert main(["dataset", "validate", str(folder), "--json"]) == 1
    plain = json.loads(capsys.readouterr().out)
    (finding,) = [one for one in plain["findings"] if one["what"] == "is above 120"]
    assert finding["column"] == "age"
    assert finding["count"] == 6
    assert finding["rows"][0] == "row 1 (line 2) '201'"
    assert len(finding["rows"]) == 5
    assert main(["dataset", "validate", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "and 1 more, column age: is above 120" in said
    assert "things are wrong" in said


def test_another_format_is_not_compared_and_that_is_said(copied: Callable[[str], Path]) -> None:
    folder = copied("patients")
    described("datapackage.json", lambda plain: plain["harness"].update(release=99))(folder)
    text("README.md", "Who is ill?", "Another card")(folder)
    done = validate(str(folder))
    assert done.ok
    assert "another version of the harness" in done.remarks[0]


def test_who_is_not_installed_is_not_said_to_have_passed(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "find_spec", lambda name: None)
    done = validate(str(made / "patients"))
    assert done.ok
    assert all('not asked: pip install "harness[release]"' in said for said in done.asked.values())


@pytest.mark.parametrize("file", ["rows.csv", "croissant.json", "datapackage.json", "spec.yaml", "README.md"])
def test_whatever_stands_in_a_file_ends_in_findings(file: str, copied: Callable[[str], Path]) -> None:
    folder = copied("patients")
    for content in (
        b"",
        b"\0",
        b"\xff",
        b"null",
        b"[" * 5000,
        b'{"resources": 3, "distribution": {"a": 1}, "@context": []}',
        b"a: &a [*a]",
    ):
        (folder / file).write_bytes(content)
        assert not validate(str(folder)).ok, content
