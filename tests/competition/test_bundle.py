"""What participants get works by itself, and holds nothing that stays with the organiser."""

from __future__ import annotations

import hashlib
import io
import os
import re
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from harness.competition.bundling.bundle import bundle
from harness.competition.freezing.freeze import freeze
from harness.data import Dataset
from harness.errors import ProtocolError
from harness.protocol.compose import load_challenge
from harness.protocol.founding import Wish, found
from tests.competition.owned import add
from tests.environments.helpers import journey

ROOT = Path(__file__).resolve().parents[2]
TOKEN, CONTACT = "token-of-the-first-team", "first@teams.example.org"
pytestmark = pytest.mark.usefixtures("own_home")
RNG = np.random.default_rng(3)


def table(here: Path) -> tuple[Path, str, dict[str, str], dict[str, int]]:
    rows = [
        f"p{i},{k + RNG.normal():.6f},{RNG.normal():.6f},c{i % 30},{('north', 'south')[i % 3 == 0]},{'ill' if k else 'well'}"
        for i, k in enumerate((0, 1) * 200)
    ]
    (here / "patients.csv").write_text("\n".join(["patient,pressure,weight,clinic,ward,outcome", *rows]) + "\n")
    return here / "patients.csv", "debugging", {"label": "outcome", "id": "patient", "group": "clinic"}, {}


def texts(here: Path) -> tuple[Path, str, dict[str, str], dict[str, int]]:
    words = [f"word{i}" for i in range(60)]
    rows = [
        f"{('ham', 'spam')[k]}\t{' '.join(RNG.choice(words[k * 20 : k * 20 + 40], 12))} {i}"
        for i, k in enumerate((0, 1) * 200)
    ]
    (here / "messages.tsv").write_text("\n".join(["kind\tbody", *rows]) + "\n")
    return here / "messages.tsv", "selection", {"label": "kind", "text": "body"}, {}


def pictures(here: Path) -> tuple[Path, str, dict[str, str], dict[str, int]]:
    for c, name in enumerate(("ash", "elm", "oak", "fir")):
        (here / "leaves" / name).mkdir(parents=True)
        for i in range(100):
            picture = RNG.integers(0, 150, (8, 8))
            picture[1 + c : 3 + c, 2:7] += 90
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(here / "leaves" / name / f"{i:03}.png")
    return here / "leaves", "debugging", {}, {}


@pytest.mark.parametrize("kind", [table, texts, pictures])
def test_it_works_by_itself_and_tells_nothing(kind: object, tmp_path: Path) -> None:
    assert callable(kind)
    (tmp_path / "raw").mkdir()
    data, track, keys, _ = kind(tmp_path / "raw")
    conf, runs = tmp_path / "conf", tmp_path / "runs"
    found(Wish("clinic", track, data, keys), conf)
    add(
        conf / "challenge" / "clinic.yaml",
        "seeds: 2", "teams: teams.yaml", "quota: {per_day: 3}", "description: Which rows are wrong?",
        "phases: {public: {closes: 2027-01-31T23:59:00+01:00, share: 0.4}, final: {opens: 2027-02-02T00:00:00Z}}",
    )  # fmt: skip
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    (conf / "teams.yaml").write_text(f"- {{id: T17, name: The first, token_sha256: {token}, contact: {CONTACT}}}\n")
    freeze("clinic", conf, runs, who="Ada Organiser")
    official = load_challenge("clinic", config_dir=conf)
    rows = official.load_dataset()

    made = bundle("clinic", conf, tmp_path / "out" / "given")
    bundle("clinic", conf, tmp_path / "out" / "given.zip")
    bundle("clinic", conf, tmp_path / "out" / "again.zip")
    zipped = (tmp_path / "out" / "given.zip").read_bytes()
    assert zipped == (tmp_path / "out" / "again.zip").read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["again.zip", "given", "given.zip"]
    archive = zipfile.ZipFile(io.BytesIO(zipped))
    files = {name.removeprefix("clinic/"): archive.read(name) for name in archive.namelist()}
    assert files == {name: (made.path / name).read_bytes() for name in made.files}
    expected = {
        "README.md",
        "packages.txt",
        "CHALLENGE.lock",
        "conf/challenge/clinic.yaml",
        "my_method/submission.yaml",
    }
    assert expected <= set(files)
    assert any(name.startswith("baselines/random/") for name in files)
    _nothing_in(files, official.secret, tmp_path, rows)
    for line in data.read_text().splitlines()[1:] if data.is_file() else []:
        assert not [name for name, content in files.items() if line.encode() in content]

    page = files["README.md"].decode()
    for said in (
        "Which rows are wrong?", "At most 3 entries of a team a day", "2027-01-31T22:59:00Z", "2027-02-02T00:00:00Z",
        "team.token", "stays with the organiser", "made up", "40% of the hidden items", "## The data: clinic 1.0.0",
    ):  # fmt: skip
        assert said in page
    commands = re.findall(r"^    harness (.*)$", page, re.MULTILINE)
    assert len(commands) == 3
    went = journey(*map(str.split, commands), cwd=made.path, http_proxy="http://127.0.0.1:9")
    assert went.codes == [0, 0, 0], went.out + went.err
    assert "unpinned" not in went.out
    here = load_challenge("clinic", config_dir=made.path / "conf")
    assert here.practice
    assert here.quota is None
    stand_in = here.load_dataset()
    assert (stand_in.X.shape, stand_in.X.dtype, stand_in.class_names) == (rows.X.shape, rows.X.dtype, rows.class_names)
    assert set(stand_in.extras) == set(rows.extras)
    assert not {row.tobytes() for row in stand_in.X} & {row.tobytes() for row in rows.X}


def _nothing_in(files: dict[str, bytes], secret: str, tmp_path: Path, rows: Dataset) -> None:
    words = [
        secret,
        str(tmp_path),
        str(ROOT),
        TOKEN,
        hashlib.sha256(TOKEN.encode()).hexdigest(),
        CONTACT,
        "Ada Organiser",
    ]
    patterns = [rf"\b{re.escape(socket.gethostname())}\b"] if len(socket.gethostname()) > 6 else []
    patterns += [rf"\b{re.escape(os.environ['USER'])}\b"] if len(os.environ.get("USER", "")) > 6 else []
    values = [row.tobytes() for row in rows.X]
    values += [",".join(map(str, row.reshape(-1).tolist())).encode() for row in rows.X]
    values += [document.encode() for document in rows.texts or ()]
    for name, content in files.items():
        for word in words:
            assert word.encode() not in content, (name, word)
        for pattern in patterns:
            assert not re.search(pattern.encode(), content), (name, pattern)
        assert not [value for value in values if value in content], name


def test_all_that_rows_may_have_beside_them(tmp_path: Path) -> None:
    lines = ["x,z,when,site,split,ward,anna,ben,state"]
    for i in range(400):
        k = i % 2
        said = [("bad", "good")[k if RNG.random() < 0.8 else 1 - k] for _ in range(2)]
        split = ("train", "train", "validation", "test")[i // 2 % 4]
        day = f"20{10 + i % 10}-03-{1 + i % 28:02}"
        lines.append(
            f"{k + RNG.normal():.6f},{RNG.normal():.6f},{day},s{i // 2 % 40},{split},w{i % 3},{','.join(said)},{('bad', 'good')[k]}"
        )
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    keys: dict[str, object] = {
        "label": "state",
        "time": "when",
        "group": "site",
        "part": "split",
        "votes": ["anna", "ben"],
    }
    keys |= {"columns": {"x": "number", "z": "number", "ward": "category+meta"}}
    found(Wish("full", "debugging", tmp_path / "rows.csv", keys), tmp_path / "conf")
    bundle("full", tmp_path / "conf", tmp_path / "given")
    real, made = (
        load_challenge("full", config_dir=c).load_dataset() for c in (tmp_path / "conf", tmp_path / "given" / "conf")
    )
    assert made.X.shape == real.X.shape
    assert set(made.extras) | {"vote_label", "vote_annotator"} == set(real.extras) | {"vote_label", "vote_annotator"}
    assert (
        np.bincount(made.extras["part"].astype(int)).tolist() == np.bincount(real.extras["part"].astype(int)).tolist()
    )


def test_data_to_practise_on(conf: Path, tmp_path: Path) -> None:
    official = (conf / "data" / "quality.csv").read_text().splitlines()
    rows = [
        f"{k + RNG.normal():.5f},{RNG.normal():.5f},{RNG.normal():.5f},{'bad' if k else 'good'}" for k in (0, 1) * 150
    ]
    for name, content in (("other", rows), ("leaky", [*rows[:-1], official[7]])):
        (conf / "data" / f"{name}.csv").write_text("\n".join([official[0], *content]) + "\n")
        plain = {"name": "table", "path": f"data/{name}.csv", "label": "state"}
        (conf / "dataset" / f"{name}.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(ProtocolError, match="holds 1 rows of the official data"):
        bundle("quality", conf, tmp_path / "given", practice="leaky")
    with pytest.raises(ProtocolError, match="There is no dataset 'another'"):
        bundle("quality", conf, tmp_path / "given", practice="another")
    with pytest.raises(ProtocolError, match="rows of the official"):
        bundle("quality", conf, tmp_path / "given", practice="quality")
    assert not (tmp_path / "given").exists()
    made = bundle("quality", conf, tmp_path / "given", practice="other")
    assert (made.path / "conf" / "data" / "other.csv").read_text().splitlines()[1:] == rows
    assert not [name for name in made.files if "quality.csv" in name]
    assert load_challenge("quality", config_dir=made.path / "conf").dataset.pinned
    assert "the data set other, to practise on" in (made.path / "README.md").read_text()


def test_public_data_are_only_named(tmp_path: Path) -> None:
    (tmp_path / "conf" / "challenge").mkdir(parents=True)
    (tmp_path / "conf" / "challenge" / "hard.yaml").write_text(
        "defaults: [debugging_wine]\ntitle: Hard\ntrack: {noise: 0.4}\nseeds: 2\nsecret: 0123456789abcdef0123456789abcdef\n"
    )
    made = bundle("hard", tmp_path / "conf", tmp_path / "given")
    assert [name for name in made.files if name.startswith("conf/")] == ["conf/challenge/hard.yaml"]
    here, official = (load_challenge("hard", config_dir=c) for c in (tmp_path / "conf", tmp_path / "given" / "conf"))
    assert here.model_copy(update={"secret": "open"}).score_settings() == official.score_settings()
    assert "CHALLENGE.lock" not in made.files


def test_code_of_the_directory_comes_along(conf: Path, tmp_path: Path) -> None:
    (conf / "own.py").write_text(
        "from typing import Literal\nfrom harness.tracks.debugging import Debugging, DebuggingSettings\n"
        "class Settings(DebuggingSettings):\n    name: Literal['own:Own'] = 'own:Own'\n"
        "class Own(Debugging):\n    name = 'own'\n    settings_class = Settings\n"
    )
    (conf / "track").mkdir()
    (conf / "track" / "mine.yaml").write_text("name: own:Own\n")
    file = conf / "challenge" / "quality.yaml"
    file.write_text(file.read_text().replace("/track: debugging", "/track: mine"))
    made = bundle("quality", conf, tmp_path / "given")
    assert {"conf/own.py", "conf/track/mine.yaml"} <= set(made.files)
    assert load_challenge("quality", config_dir=made.path / "conf").track_type.__name__ == "Own"


def test_what_is_refused_leaves_nothing(conf: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ProtocolError, match="shipped challenge"):
        bundle("debugging_digits", conf, out / "given")
    for name in ("given", "given.zip"):
        (out / name).mkdir(parents=True)
        with pytest.raises(ProtocolError, match="exists already"):
            bundle("quality", conf, out / name)
        (out / name).rmdir()
    add(conf / "challenge" / "quality.yaml", f"description: The data lie in {conf}.")
    with pytest.raises(ProtocolError, match="would hold the path of the config directory"):
        bundle("quality", conf, out / "given")
    add(conf / "challenge" / "quality.yaml", "teams: teams.yaml")
    file = conf / "challenge" / "quality.yaml"
    file.write_text(file.read_text().replace(f"The data lie in {conf}", f"Write to {CONTACT}"))
    (conf / "teams.yaml").write_text(f"- {{id: T17, name: The first, contact: {CONTACT}}}\n")
    with pytest.raises(ProtocolError, match="the contact of T17"):
        bundle("quality", conf, out / "given")
    assert list(out.iterdir()) == []
