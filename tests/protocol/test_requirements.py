"""What a submission may write to ask for packages, and what a challenge may say about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ProtocolError, SubmissionError
from harness.protocol import submission
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.requirements import requirements

FINE = {
    "lightgbm==4.6.0": "lightgbm==4.6.0",
    "scikit-activeml ~= 1.0": "scikit-activeml~=1.0",
    "dask[array]>=2024,<2027": "dask[array]<2027,>=2024",
    'tomli; python_version < "3.11"': 'tomli; python_version < "3.11"',
}
BAD = {
    "https://x.org/a.whl": "an address or a path",
    "git+https://x.org/a.git": "an address or a path",
    "./a": "an address or a path",
    "/etc/a.whl": "an address or a path",
    "a @ https://x.org/a.whl": "names an address",
    "a @ file:///tmp/a": "names an address",
    "--index-url=https://x.org": "an option of pip's",
    "-r other.txt": "an option of pip's",
    "-e .": "an option of pip's",
    "a==1 --hash=sha256:0": "no requirement",
    "a b": "no requirement",
    "": "no requirement",
    "lightgbm==": "no requirement",
    "lightgbm\n": "odd characters",
    "lіghtgbm": "odd characters",
    "a" * 400: "too long",
    3: "must be a list of texts",
}


@pytest.mark.parametrize("text", FINE)
def test_requirements_in_either_place(text: str) -> None:
    assert requirements([text], {}, "s") == (FINE[text],)
    assert requirements([], {"requirements.txt": f"# why\n\n{text}  # here\r\n".encode()}, "s") == (FINE[text],)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_package_of_an_index(text: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        requirements(["numpy", text], {}, "s")
    assert BAD[text] in str(caught.value)
    if isinstance(text, str) and text.strip() == text and text:
        with pytest.raises(SubmissionError):
            requirements([], {"requirements.txt": text.encode()}, "s")


def test_all_problems_at_once_and_limits() -> None:
    with pytest.raises(SubmissionError, match=r"(?s)'-e \.'.*'a b'"):
        requirements(["-e .", "a b"], {}, "s")
    with pytest.raises(SubmissionError, match="more than 50"):
        requirements([f"a{i}" for i in range(51)], {}, "s")
    with pytest.raises(SubmissionError, match="not UTF-8"):
        requirements([], {"requirements.txt": b"\xff"}, "s")
    with pytest.raises(SubmissionError, match="Keep one of the two"):
        requirements(["a"], {"requirements.txt": b"a"}, "s")


def test_they_are_part_of_the_submission(write_submission) -> None:
    asks = submission.load(write_submission("asks", "", requires=["toolz"]))
    assert asks.requires == ("toolz",)
    assert submission.load(write_submission("plain", "")).requires == ()
    with pytest.raises(SubmissionError, match="requires: Input should be a valid"):
        submission.load(write_submission("wrong", "", requires="toolz"))
    folder = write_submission("both", "", requires=["toolz"])
    (folder / "requirements.txt").write_text("toolz\n")
    with pytest.raises(SubmissionError, match="Keep one of the two"):
        submission.load(folder)


def test_a_challenge_says_what_is_allowed(tmp_path: Path) -> None:
    usual = load_challenge("debugging_digits")
    assert usual.packages == "none"
    assert "packages" not in usual.pinned()
    assert load_challenge("debugging_digits", ["packages=none"]).score_settings() == usual.score_settings()
    any_, some = (load_challenge("debugging_digits", [f"packages={p}"]) for p in ("any", "[Lightgbm,scikit_activeml]"))
    assert some.packages == ("lightgbm", "scikit-activeml")
    assert any_.modified
    data = usual.load_dataset()
    assert len({challenge.fingerprint(data) for challenge in (usual, any_, some)}) == 3
    for challenge in (usual, any_, some):
        assert Challenge.from_plain(challenge.pinned()) == challenge.model_copy(update={"modified": False})


@pytest.mark.parametrize("value", ["all", "[]", "null", "3", "['lightgbm==4']", "[a,'-e .']"])
def test_what_a_challenge_cannot_say(value: str) -> None:
    with pytest.raises(ProtocolError, match="packages") as caught:
        load_challenge("debugging_digits", [f"packages={value}"])
    assert str(caught.value).count("packages") <= 3
