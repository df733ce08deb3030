"""submission.yaml as an attacker would write it: refused in a moment, in one paragraph, without anything happening."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import Status, SubmissionError
from harness.protocol import submission

GOOD = {
    "name": "mine",
    "track": "selection",
    "entry": "algorithm:select",
    "authors": ["A"],
    "description": "d",
    "license": "MIT",
}


def tenfold(first: str, link: str) -> str:
    return first + "".join(f"a{i}: &a{i} {link.format(','.join([f'*a{i - 1}'] * 10))}\n" for i in range(1, 12))


REFUSED = {
    "aliases that multiply": tenfold("a0: &a0 [x,x]\n", "[{}]") + "name: *a11\n",
    "merges that multiply": tenfold("a0: &a0 {k: v}\n", "{{<<: [{}]}}"),
    "an alias of itself": "name: &a [*a]\n",
    "an integer of many digits": "name: 0x" + "f" * 50_000,
    "a key of many digits": "? 0x" + "f" * 50_000 + "\n: 1\n",
    "deep nesting": "name: " + "[" * 20_000,
    "a Python object": "name: !!python/object/apply:os.system ['touch executed']",
    "a Python name": "name: !!python/name:os.system",
    "a target": yaml.safe_dump({**GOOD, "_target_": "os.system"}),
    "a target in disguise": yaml.safe_dump({**GOOD, "name": {"_target_": "os.system", "_args_": ["true"]}}),
    "Hydra's own keys": yaml.safe_dump({**GOOD, "hydra": {"run": {"dir": "/"}}}),
    "defaults": yaml.safe_dump({**GOOD, "defaults": ["/challenge: other"]}),
    "a protocol key": yaml.safe_dump({**GOOD, "limits": {"seconds": 1e9}}),
    "seeds": yaml.safe_dump({**GOOD, "seeds": 1}),
    "a resolver in the name": yaml.safe_dump({**GOOD, "name": "${oc.env:HOME}"}),
    "a path in the name": yaml.safe_dump({**GOOD, "name": "../../other"}),
    "a path in the entry": yaml.safe_dump({**GOOD, "entry": "../other/algorithm:select"}),
    "a package in the entry": yaml.safe_dump({**GOOD, "entry": "os.path:join"}),
    "a line break in the name": yaml.safe_dump({**GOOD, "name": "mine\n"}),
    "an escape in the description": yaml.safe_dump({**GOOD, "description": "\x1b[2J"}),
    "half a character": 'name: "\\ud800"\n' + yaml.safe_dump({k: v for k, v in GOOD.items() if k != "name"}),
    "half a character in an author": yaml.safe_dump(GOOD).replace("- A", '- "\\ud800"'),
    "reversed text": yaml.safe_dump({**GOOD, "authors": ["\u202eevil"]}, allow_unicode=True),
    "keys that break lines": yaml.safe_dump({**GOOD, "a\nb": 1, "\u202ec": 2}),
    "thousands of keys": "".join(f"k{i}: 1\n" for i in range(5000)),
    "thousands of authors": yaml.safe_dump({**GOOD, "authors": [""] * 5000}),
    "a merge": "<<: {name: x, name: y}\n" + yaml.safe_dump(GOOD),
    "a very long licence": yaml.safe_dump({**GOOD, "license": "x" * 10_000}),
    "an escape beyond the last character": 'name: "\\UFFFFFFFF"\n',
    "too much": "description: " + "x" * 100_000,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "algorithm.py").write_text("raise SystemExit('imported')\n")
    return tmp_path


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, folder: Path) -> None:
    (folder / "submission.yaml").write_text(REFUSED[name])
    before = time.process_time()
    with pytest.raises(SubmissionError) as caught:
        submission.load(folder)
    assert time.process_time() - before < 2.0
    assert caught.value.status is Status.INVALID_SUBMISSION
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 2000
    text.encode()
    assert not (folder / "executed").exists()


def test_markup_in_texts_is_only_text(folder: Path) -> None:
    """What is allowed stays as it is: whoever shows it escapes it."""
    odd = {**GOOD, "authors": ["<script>alert(1)</script>", "${oc.env:HOME}", "Ø. Ünsal \u0645\u06cc\u200c\u0631"]}
    (folder / "submission.yaml").write_text(yaml.safe_dump(odd, allow_unicode=True), encoding="utf-8")
    assert submission.load(folder).authors == tuple(odd["authors"])


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary(max_size=9)
)
VALUES = st.recursive(
    SCALARS, lambda c: st.lists(c, max_size=3) | st.dictionaries(SCALARS, c, max_size=3), max_leaves=8
)


@given(
    st.dictionaries(st.sampled_from([*GOOD, "_target_", "hydra"]), VALUES, max_size=8),
    st.lists(st.tuples(st.integers(0, 400), st.characters()), max_size=5),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_manifest_is_read_or_refused(
    folder: Path, changes: dict[str, object], edits: list[tuple[int, str]]
) -> None:
    text = yaml.dump({**GOOD, **changes}, Dumper=yaml.SafeDumper)
    for position, character in edits:
        text = text[:position] + character + text[position + 1 :]
    (folder / "submission.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        loaded = submission.load(folder)
    except SubmissionError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either way is fine, a traceback is not
    else:
        repr(loaded).encode()
