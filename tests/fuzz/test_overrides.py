"""Overrides of any form: a RunConfig or ProtocolError; nothing instantiated, nothing resolved, nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import BenchmarkError
from harness.protocol.compose import RunConfig, combinations, compose
from tests.fuzz.budget import inputs

KEYS = st.one_of(
    st.sampled_from(
        [
            "challenge", "track", "dataset", "model", "sandbox", "tracking", "launcher", "submission", "device", "runs_dir",
            "seeds", "secret", "name", "limits.seconds", "limits", "model.C", "model.name", "track.train", "track.noise",
            "tracking.uri", "launcher.workers", "sandbox.tier", "version", "title", "baseline", "minimum_isolation",
            "hydra.run.dir", "hydra.sweep.dir", "hydra.searchpath", "hydra.output_subdir", "hydra/launcher", "defaults",
            "model._target_", "_target_", "a.b.c", "track@x", "model.0", "hydra",
        ]
    ),
    st.text(max_size=8),
)  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(
        [
            "", "null", "true", "1", "-1", "0", "1e999", "nan", "inf", "[1,2]", "{a:1}", "{", "[", "'", "digits", "logistic",
            "selection", "debugging_digits", "random", "${seeds}", "${oc.env:HOME}", "${a", "${model}", "???", "../../x",
            "/etc/passwd", "range(1,3)", "choice(1,2)", "glob(*)", "os.system", "{_target_:os.system}", "${hydra:runtime.cwd}",
            "${track.train}", "~", "a=b", "9" * 400, "1" * 5000, "\\", "${now:%Y}", "int(3)", "shuffle(1,2)", "nope/../digits",
        ]
    ),
    st.text(max_size=12),
    st.integers().map(str), st.floats().map(str),
)  # fmt: skip
OVERRIDES = st.one_of(
    st.tuples(st.sampled_from(["", "+", "++", "~"]), KEYS, st.sampled_from(["=", "=", "=", "", ":"]), WORDS).map(
        "".join
    ),
    st.text(max_size=20),
)


@pytest.fixture(autouse=True, scope="module")
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.chdir(tmp_path_factory.mktemp("empty"))


@pytest.fixture(autouse=True, scope="module")
def _back() -> object:
    here = Path.cwd()
    yield
    os.chdir(here)


@given(st.lists(OVERRIDES, min_size=1, max_size=3))
@example(["hydra.run.dir=out", "hydra.output_subdir=x"])
@example(["model={_target_:os.system,command:touch x}"])
@example(["runs_dir=${oc.env:HOME}"])
@example(["+="])
@example(["challenge", "track"])
@inputs(0.02)
def test_overrides(overrides: list[str]) -> None:
    try:
        config = compose(overrides)
    except BenchmarkError as error:
        assert 0 < len(str(error)) < 5000  # noqa: PT017
    else:
        assert isinstance(config, RunConfig)
    assert list(Path.cwd().iterdir()) == []


@given(st.lists(OVERRIDES, min_size=1, max_size=2))
@example(["challenge=glob(*)"])
@example(["seeds=range(1,1000000000)"])
@example(["seeds=range(1,5000)", "model.C=range(1,5000)"])
@inputs(0.02)
def test_sweeps(overrides: list[str]) -> None:
    try:
        swept = combinations(overrides)
    except BenchmarkError as error:
        assert str(error)  # noqa: PT017
    else:
        assert all(len(combination) == len(overrides) for combination in swept)
