"""Embedded data sets: every step of docs/embed.md, features against the module itself, refusals that leave nothing behind."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from harness.data import load_dataset
from harness.data.own import hashing
from harness.errors import ProtocolError
from harness.pipeline.embed import embed, encoder
from harness.protocol import datasets, specifications

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "embed.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ((?:harness|\./scripts/\w+) .*)$", PAGE, re.MULTILINE)
FILES = re.findall(r"^`(mine/\S+\.yaml)`:\n\n```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def module() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 5), torch.nn.Tanh()).eval()


def program(words: list[str]) -> list[str]:
    if words[0] == "harness":
        return [sys.executable, "-m", "harness", *words[1:]]
    return [sys.executable, str(ROOT / words[0]), *words[1:]]


@pytest.mark.slow
def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert len(COMMANDS) == 6
    for number, command in enumerate(COMMANDS):
        if number == 1:
            for name, text in FILES:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(text)
        done = subprocess.run(program(shlex.split(command)), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        if command.startswith("harness run"):
            assert "ok" in done.stdout
    assert len(FILES) == 3
    assert (tmp_path / "mine" / "data" / "digits_seen.npz").is_file()


@pytest.mark.parametrize("kind", ["script", "export", "python"])
def test_features_are_what_the_module_gives(kind: str, tmp_path: Path) -> None:
    net, data = module(), load_dataset("digits")
    model = tmp_path / "net.pt2"
    if kind == "script":
        torch.jit.script(net).save(str(model))
    elif kind == "export":
        batch = torch.export.Dim("batch", min=1)
        torch.export.save(torch.export.export(net, (torch.zeros(3, 64),), dynamic_shapes=({0: batch},)), str(model))
    else:
        model = tmp_path / "net.py"
        model.write_text("def first(rows):\n    return rows[:, :5]\n")
    place = embed("digits", f"{kind}:{model}" + (":first" if kind == "python" else ""), "seen", tmp_path / "conf", 100)
    with torch.inference_mode():
        expected = data.X[:, :5] if kind == "python" else net(torch.tensor(np.array(data.X))).numpy()
    made = datasets.settings("seen", tmp_path / "conf").load()
    assert np.allclose(made.X, expected, rtol=0, atol=1e-6)
    assert [made.class_names[c] for c in made.y] == [data.class_names[c] for c in data.y]
    plain = yaml.safe_load((tmp_path / "conf" / "dataset" / "seen.yaml").read_text())
    assert plain["sha256"] == hashlib.sha256(place.read_bytes()).hexdigest()
    spec = specifications.load("seen", tmp_path / "conf")
    assert spec.unfinished() == []
    assert spec.license == specifications.load("digits").license
    assert hashlib.sha256(model.read_bytes()).hexdigest() in spec.preparation
    assert data.digest() in spec.preparation


def test_texts_of_ones_own_with_their_groups(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "dataset").mkdir(parents=True)
    lines = [f"says {'yes' if i % 2 else 'no'} {i},{'ab'[i % 2]},g{i // 4}" for i in range(40)]
    (conf / "told.csv").write_text("text,label,who\n" + "\n".join(lines) + "\n")
    (conf / "dataset" / "told.yaml").write_text("name: text\npath: told.csv\nlabel: label\ngroup: who\n")
    embed("told", "hashed:32", "told_hashed", conf)
    made = datasets.settings("told_hashed", conf).load()
    assert np.array_equal(made.X, hashing.hashed([line.split(",")[0] for line in lines], 32))
    assert len(set(made.extras["group"])) == 10
    assert [what.split(" ")[0] for what in specifications.load("told_hashed", conf).unfinished()][:1] == ["title"]


@pytest.mark.parametrize(
    ("source", "model", "said"),
    [
        ("digits", "dino", "names no model. Say script:FILE"),
        ("digits", "script:nowhere.pt", "There is no file nowhere.pt"),
        ("digits", "script:{py}", "is no TorchScript file"),
        ("digits", "export:{py}", "is no file of torch.export"),
        ("digits", "python:{py}:absent", "has no function 'absent'"),
        ("digits", "python:{py}:whole", r"gave shape [] for rows 0 to 63"),
        ("digits", "python:{py}:holes", "gave numbers that are not finite"),
        ("digits", "python:{py}:ragged", "gave shape [5, 6] for rows 1792 to 1796"),
        ("digits", "hashed:64", "digits has no texts"),
        ("digits", "hashed:many", "needs a number of columns"),
        ("digitz", "hashed:64", "digitz"),
    ],
)
def test_a_mistake_is_one_paragraph_and_leaves_nothing(source: str, model: str, said: str, tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        "import numpy\ndef whole(rows):\n    return 1.0\ndef holes(rows):\n    return rows[:, :2] + numpy.nan\n"
        "def ragged(rows):\n    return rows[:, : 5 + (len(rows) < 64)]\n"
    )
    with pytest.raises(ProtocolError) as raised:
        embed(source, model.format(py=code), "seen", tmp_path / "conf")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not [path for path in (tmp_path / "conf").rglob("*") if path.is_file()]


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_a_library_that_is_absent_is_named_with_what_to_do(library: str) -> None:
    if importlib.util.find_spec(library):
        pytest.skip(f"{library} is installed here")
    with pytest.raises(ProtocolError, match=f"{library} is not installed.*pip install {library}"):
        encoder(f"{library}:any")


def test_nothing_is_overwritten_and_names_are_checked(tmp_path: Path) -> None:
    code = tmp_path / "code.py"
    code.write_text("def first(rows):\n    return rows[:, :3]\n")
    embed("digits", f"python:{code}:first", "seen", tmp_path / "conf")
    before = (tmp_path / "conf" / "spec" / "seen.yaml").read_text()
    with pytest.raises(ProtocolError, match="exists already"):
        embed("digits", f"python:{code}:first", "seen", tmp_path / "conf")
    assert (tmp_path / "conf" / "spec" / "seen.yaml").read_text() == before
    with pytest.raises(ProtocolError, match="is no name of a data set"):
        embed("digits", f"python:{code}:first", "../seen", tmp_path / "conf")
