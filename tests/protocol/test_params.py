"""Parameters of a submission: what they may be, what they do to its digest, and how they reach the function."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ProtocolError, SubmissionError
from harness.protocol import params, submission
from harness.protocol.compose import compose, load_challenge
from harness.protocol.manifest import parse

Write = Callable[..., Path]
SOURCE = "def rank(task, *, k=10):\n    return [0]\n"
MANIFEST = b"name: a\ntrack: debugging\nentry: algorithm:rank\nauthors: [A]\ndescription: d\nlicense: MIT\n"
FILES = ["algorithm.py"]


def manifest(words: str) -> dict[str, object]:
    return parse(MANIFEST + words.encode(), "submission.yaml", FILES).params


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("params: {k: 5, rate: 1e-3, half: .5, kind: cosine}", {"k": 5, "rate": 0.001, "half": 0.5, "kind": "cosine"}),
        ("params:\n  on: true\n  off: False\n  many: [1, 2.5, a]", {"on": True, "off": False, "many": [1, 2.5, "a"]}),
        ("params: {a: '5', b: \"true\", c: on, d: 2026-01-01, e: 1_0}", {"a": "5", "b": "true", "c": "on", "d": "2026-01-01", "e": "1_0"}),
        ("params: {}", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_values_are_told_apart_as_json_does(words: str, read: dict[str, object]) -> None:
    found = manifest(words)
    assert found == read
    assert json.dumps(found) == json.dumps(read)  # 1 is not true, nor 1.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("params: 5", "mapping of names to values"),
        ("params: [k]", "mapping of names to values"),
        ("params: {task: 5}", "task is the function's own argument"),
        ("params: {a-b: 5}", "no name of a keyword argument"),
        ("params: {lambda: 5}", "no name of a keyword argument"),
        ("params: {k: null}", "k must be a number, a text, true, false or a list of these"),
        ("params: {k: {a: 1}}", "k must be a number"),
        ("params: {k: [[1]]}", "k must be a number"),
        ("params: {k: .inf}", "k must be a finite number"),
        ("params: {k: nan}", "k must be a finite number"),
        (f"params: {{k: {'9' * 5000}}}", "k must be a finite number"),
        ("params: {k: 1e999}", "k must be a finite number"),
        (f"params: {{k: {'x' * 201}}}", "at most 200 characters"),
        ('params: {k: "a\\u202eb"}', "can be seen"),
        (f"params: {{{', '.join(f'k{i}: 1' for i in range(51))}}}", "more than 50"),
        (f"params: {{k: [{', '.join('1' * 1001)}]}}", "more than 1000 entries"),
        ("params: {k: !!python/name:os.system x}", "tags"),
        ("params: {k: &a 5, l: *a}", "aliases"),
        ("params: {k: 5, k: 6}", "twice"),
    ],
)
def test_what_is_no_parameter_is_refused(words: str, says: str) -> None:
    with pytest.raises(SubmissionError, match=says):
        manifest(words)


def test_other_values_are_other_files_and_the_same_values_the_same(write_submission: Write) -> None:
    plain = submission.load(write_submission("plain", SOURCE))
    entry = submission.load(write_submission("entry", SOURCE, params={"k": 5}))
    assert plain.params == {}
    assert entry.with_params({}) is entry
    assert entry.with_params({"k": 5}) is entry
    other = entry.with_params({"k": 6})
    assert other.digest not in {entry.digest, plain.digest}
    assert other.digest == entry.with_params({"k": 6}).digest
    assert len({entry.with_params({"k": value}).digest for value in (1, 1.0, True, "1")}) == 4
    assert entry.with_params({"j": 1}).params == {"k": 5, "j": 1}


@settings(deadline=None, max_examples=30)  # of a machine that does other things as well
@given(
    st.dictionaries(
        st.sampled_from(["k", "rate", "kind"]),
        st.one_of(
            st.booleans(),
            st.integers(-(2**63) + 1, 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False, width=32),
            st.sampled_from(
                ["1e-3", "null", "true", "", "a: b", "#", "日本", "'\"\\", " x", "on", "\N{GRINNING FACE}"]
            ),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_again(values: dict[str, object]) -> None:
    """The copy that is kept of a submission is the one place that says what it ran with."""
    again = parse(params.written(MANIFEST, values), "submission.yaml", FILES)
    assert json.dumps(again.params) == json.dumps(values)
    assert again.model_dump(exclude={"params"}) == parse(MANIFEST, "", FILES).model_dump(exclude={"params"})


def test_overrides_are_typed_and_leave_the_challenge_alone() -> None:
    words = [
        "challenge=debugging_wine",
        "submission.params.k=5",
        "+submission.params.kind='7'",
        "submission.params.l=[1,true]",
    ]
    config = compose(words, with_params=True)
    assert config.params == {"k": 5, "kind": "7", "l": [1, True]}
    assert config.submission == "default"
    assert not config.challenge.modified


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("submission.params.k=1,2", "-m"),
        ("submission.params.k={a:1}", "k must be a number"),
        ("submission.params.k=null", "k must be a number"),
        ("submission.params.task=1", "own argument"),
        ("submission.params.=1", "not a Hydra override"),
        ("submission.params.k=[", "not a Hydra override"),
    ],
)
def test_overrides_that_are_none_are_said(word: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        compose([word], with_params=True)


def test_a_challenge_has_no_parameters_of_submissions() -> None:
    with pytest.raises(ProtocolError, match="`harness run` and `harness check` alone"):
        load_challenge("debugging_wine", ["submission.params.k=5"])


def test_a_baseline_with_other_parameters_is_still_ours() -> None:
    knn = submission.load(submission.find("knn", "attribution"))
    other = knn.with_params({"k": 3})
    assert submission.is_shipped(knn.digest)
    assert not submission.is_shipped(other.digest)
    assert submission.is_shipped(other.digest, "knn", {"k": 3})
    assert not submission.is_shipped(other.digest, "knn", {"k": 4})
