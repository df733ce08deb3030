"""submission.yaml of any content: a Submission whose names are plain, or SubmissionError; nothing written anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import api
from harness.errors import SubmissionError
from harness.protocol import submission
from tests.fuzz.budget import inputs

VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["../../x", "/etc/passwd", "algorithm:rank", "os:system", "${oc.env:HOME}", "<b>x</b>", "a\u202eb", "{0.x}"]),
    st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.binary(max_size=8),
    st.lists(st.one_of(st.text(max_size=10), st.integers(), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)  # fmt: skip
RIGHT = {
    "name": "mine", "track": "debugging", "entry": "algorithm:rank", "authors": ["A"], "description": "d", "license": "MIT",
}  # fmt: skip
KEYS = st.one_of(
    st.sampled_from([*RIGHT, "_target_", "hydra", "limits"]), st.text(max_size=8), st.integers(), st.none()
)
MAPPINGS = st.dictionaries(KEYS, VALUES, max_size=4).map(lambda changes: {**RIGHT, **changes})
TEXTS = st.one_of(
    MAPPINGS.map(lambda m: yaml.safe_dump(m).encode()),
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda t: t.encode("utf-8", errors="surrogatepass")),
    st.text(alphabet="{}[]:,-&*!|>'\"#%@`?\n\t ab0~<=.", max_size=80).map(str.encode),
    st.integers(1, 150).map(lambda n: b"[" * n),
    st.sampled_from(
        [
            b"a: &a [x]\nb: [*a, *a]\n",
            b"name: !!python/object/apply:os.system ['touch x']\n",
            b"? {a: b}\n: c\n",
            b"? [a]\n: c\n",
            b"2001-99-99: x\n",
            b"x: 2001-99-99\n",
            b"x: !!int abc\n",
            b"x: 0o9\ny: 1:99:99\nz: .\n",
            b"<<: 3\n",
            b"<<: [1, 2]\n",
            b"x: " + b"9" * 5000 + b"\n",
            b"x: !!binary ###\n",
            b"x: !!timestamp nope\n",
            b"x: !!float _\n",
            b"--- a\n--- b\n",
            b"[" * 60_000,
            b"x: 0x" + b"f" * 60_000 + b"\n",
        ]
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("place") / "submission"
    made.mkdir()
    (made / "algorithm.py").write_text("def rank(task): return [0]\n")
    return made


@given(TEXTS)
@inputs(0.12)
def test_manifests(folder: Path, content: bytes) -> None:
    (folder / "submission.yaml").write_bytes(content)
    try:
        found = submission.load(folder)
    except SubmissionError as error:
        assert 0 < len(str(error)) < 3000  # noqa: PT017
    else:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", found.name)
        assert found.track in api.TASKS
        assert found.module == "algorithm"
        assert found.function.isidentifier()
        assert all(type(author) is str for author in found.authors)
    assert {path.name for path in folder.parent.rglob("*")} == {"submission", "submission.yaml", "algorithm.py"}
