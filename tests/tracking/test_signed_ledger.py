"""Who may add what to a ledger, what a published head shows, and what a change of record ends."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.errors import HarnessError, ProtocolError, Status
from harness.tracking import chain
from harness.tracking.chain import BY_PERSONS, KINDS, parse_head
from harness.tracking.ledger import START, Head, Ledger, SignedHead, standing
from harness.tracking.runs import RunsDir
from harness.tracking.signature import VARIABLE, Key, new_key, verified
from tests.tracking.made import short_run
from tests.tracking.test_runs import _env

Plain = dict[str, Any]


class Kept(NamedTuple):
    """A signed ledger: runs a, b, c; line 4 names the key, 5 releases a, 6 reproduces b, 7 publishes, 8 is run d."""

    ledger: Ledger
    key: Key
    path: Path  # of the key


@pytest.fixture(autouse=True)
def _no_key_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    place = tmp_path_factory.mktemp("kept")
    key, path = new_key(place / "key.pem")
    ledger = Ledger(place / "runs")
    for name in "abc":
        short_run(ledger.runs.path, name, deliver=False)
    ledger.append("release", "made-a", who="a judge", note="looked at it", key=key)
    ledger.append("reproduce", "made-b", note="reproduced: 4 of 4", key=key)
    ledger.append("publish", note="made", key=key)
    short_run(ledger.runs.path, "d", deliver=False)
    return Kept(ledger, key, path)


@pytest.fixture
def kept(made: Kept, tmp_path: Path) -> Kept:
    shutil.copytree(made.ledger.runs.path, tmp_path / "runs")
    return made._replace(ledger=Ledger(tmp_path / "runs"))


def plain_lines(ledger: Ledger) -> list[Plain]:
    return [json.loads(line) for line in ledger.path.read_bytes().splitlines()]


def rechain(ledger: Ledger, lines: list[Plain]) -> None:
    """What somebody without the key can do: write any lines at all with sequence and digests that fit."""
    previous, content = START, b""
    for seq, line in enumerate(lines, 1):
        line |= {"seq": seq, "prev": previous}
        line.pop("sha256", None)
        bare = (json.dumps(line | {"sha256": ""}) + "\n").encode()
        whole = (json.dumps(line | {"sha256": hashlib.sha256(bare).hexdigest()}) + "\n").encode()
        previous, content = hashlib.sha256(whole).hexdigest(), content + whole
    ledger.path.write_bytes(content)


def appended(ledger: Ledger, **changes: Any) -> None:
    """A forged line at the end, like the last one but for the changes."""
    lines = plain_lines(ledger)
    rechain(ledger, [*lines, lines[-1] | changes])


# --- signing ---


def test_what_persons_do_is_signed_and_what_the_harness_does_is_not(kept: Kept) -> None:
    entries = kept.ledger.read()
    assert [e.kind for e in entries] == ["run", "run", "run", "key", "release", "reproduce", "publish", "run"]
    assert [bool(e.signature) for e in entries] == [e.kind != "run" for e in entries]
    assert [e.key for e in entries] == [""] * 3 + [kept.key.public] * 5
    assert kept.ledger.public_key() == kept.key.public
    assert kept.ledger.verify() == kept.ledger.remarks() == []


def test_a_signature_is_over_the_line_as_written(kept: Kept) -> None:
    """Checked here from the bytes, with the library alone."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(kept.key.public))
    for line in plain_lines(kept.ledger)[3:7]:
        bare = {k: v for k, v in line.items() if k != "signature"} | {"sha256": ""}
        content = b"harness ledger line\n" + json.dumps(bare).encode() + b"\n"
        public.verify(bytes.fromhex(line["signature"]), content)


def test_without_a_key_it_is_said_that_nothing_is_signed(tmp_path: Path) -> None:
    short_run(tmp_path, "a", deliver=False)
    ledger = Ledger(tmp_path)
    assert ledger.append("release", "made-a").signature == ""
    assert ledger.public_key() is None
    assert ledger.verify() == []
    assert ledger.remarks() == ["The ledger is not signed: whoever can write the runs directory can add lines to it."]


def test_a_signed_ledger_takes_nothing_unsigned_from_persons(kept: Kept, tmp_path: Path) -> None:
    other, _ = new_key(tmp_path / "other.pem")
    before = kept.ledger.path.read_bytes()
    for key, said in ((None, "there is no key here"), (other, other.public)):
        for kind in set(BY_PERSONS) - {"key"}:
            with pytest.raises(ProtocolError, match=said):
                kept.ledger.append(kind, "made-a", key=key)
    with pytest.raises(ProtocolError, match=other.public):
        kept.ledger.signed_head(other)
    assert kept.ledger.path.read_bytes() == before
    kept.ledger.append("run", "made-a")
    assert kept.ledger.verify() == []


def test_another_key_is_announced_by_the_one_before(kept: Kept, tmp_path: Path) -> None:
    other, _ = new_key(tmp_path / "other.pem")
    with pytest.raises(ProtocolError, match="signed with the key"):
        kept.ledger.trust(other.public, key=other)
    with pytest.raises(ProtocolError, match="is not a public key"):
        kept.ledger.trust("ABC", key=kept.key)
    kept.ledger.trust(other.public, key=kept.key, who="us", note="handed over")
    kept.ledger.append("release", "made-b", key=other)
    assert kept.ledger.public_key() == other.public
    assert kept.ledger.verify() == []
    with pytest.raises(ProtocolError):
        kept.ledger.append("release", "made-b", key=kept.key)


def test_unknown_kinds_and_runs_are_refused(kept: Kept) -> None:
    for kind, run_id in (("note", "made-a"), ("key", ""), ("run", ""), ("release", ""), ("", "")):
        with pytest.raises(HarnessError, match="no lines of kind"):
            kept.ledger.append(kind, run_id, key=kept.key)
    with pytest.raises(HarnessError, match="no readable record"):
        kept.ledger.append("release", "nobody", key=kept.key)


# --- what stands ---


def test_a_release_and_a_verdict_end_when_the_record_changes(kept: Kept) -> None:
    def stand() -> list[tuple[str, str]]:
        entries = kept.ledger.read()
        return [(kind, run_id) for kind in ("release", "reproduce") for run_id in standing(entries, kind)]

    assert stand() == [("release", "made-a"), ("reproduce", "made-b")]
    for name, left in (("a", [("reproduce", "made-b")]), ("b", [])):
        short_run(kept.ledger.runs.path, name, skill=0.9, deliver=False)
        assert stand() == left
    kept.ledger.append("release", "made-a", key=kept.key)
    assert stand() == [("release", "made-a")]
    assert kept.ledger.verify() == []


def test_the_last_verdict_counts_and_one_without_a_record_never_does(kept: Kept) -> None:
    kept.ledger.append("reproduce", "made-b", note="differs: by 0.1", key=kept.key)
    entries = kept.ledger.read()
    assert standing(entries, "reproduce")["made-b"].note == "differs: by 0.1"
    old = [replace(entry, record_sha256=None) if entry.kind == "reproduce" else entry for entry in entries]
    assert standing(old, "reproduce") == {}  # as older versions wrote them
    orphan = [entry for entry in entries if entry.kind != "run"]
    assert standing(orphan, "release") == {}


def test_release_binds_what_was_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = RunsDir(tmp_path / "runs")
    short_run(runs.path, "x", status=Status.SUSPICIOUS, deliver=False)
    command = ["release", "made-x", "--runs-dir", str(runs.path), "--who", "me", "--why", "looked"]
    assert main([*command[:-1], " "]) == 2
    assert main(command) == 0
    assert set(standing(Ledger(runs.path).read(), "release")) == {"made-x"}
    runs.save_record(runs.load_record("made-x").model_copy(update={"score": 0.99}), None)
    capsys.readouterr()
    assert main(command) == 2
    assert "is not the one in the ledger" in capsys.readouterr().err


def test_commands_sign_with_the_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    short_run(runs, "x", status=Status.SUSPICIOUS, deliver=False)
    first, first_path = new_key(tmp_path / "1.pem")
    second, second_path = new_key(tmp_path / "2.pem")
    facts = ["--runs-dir", str(runs), "--who", "me", "--why", "because"]
    assert main(["key", "trust", second.public, *facts]) == 2  # there is no key yet
    monkeypatch.setenv(VARIABLE, str(first_path))
    assert main(["release", "made-x", *facts]) == 0
    assert main(["key", "trust", second.public, *facts]) == 0
    assert main(["release", "made-x", *facts]) == 2
    assert f"signed with the key {second.public}" in capsys.readouterr().err
    monkeypatch.setenv(VARIABLE, str(second_path))
    assert main(["release", "made-x", *facts]) == 0
    assert [(e.kind, e.key) for e in Ledger(runs).read()] == [
        ("run", ""),
        ("key", first.public),
        ("release", first.public),
        ("key", second.public),
        ("release", second.public),
    ]
    assert Ledger(runs).verify() == []
    second_path.chmod(0o644)
    assert main(["release", "made-x", *facts]) == 2
    assert len(Ledger(runs).read()) == 5


# --- tampering ---


def resigned(ledger: Ledger, key: Key) -> None:
    """Every signed line signed anew with another key, after the chain was made to fit."""
    before: chain.Line | None = None
    content = b""
    for entry in ledger.read():
        named = key.public if entry.key else ""
        prev = hashlib.sha256(before.content).hexdigest() if before else START
        bare = replace(entry, prev=prev, key=named, signature="")
        sealed = bare.sealed(key if entry.signature else None)
        before = chain.Line(sealed, sealed.line())
        content += before.content
    ledger.path.write_bytes(content)


def moved_signature(ledger: Ledger) -> None:
    lines = plain_lines(ledger)
    rechain(ledger, [*lines, lines[4] | {"run_id": "made-c", "record_sha256": lines[2]["record_sha256"]}])


def changed(ledger: Ledger, at: int, **changes: Any) -> None:
    lines = plain_lines(ledger)
    lines[at - 1] |= changes
    rechain(ledger, lines)


def drop(ledger: Ledger, at: int) -> None:
    lines = plain_lines(ledger)
    rechain(ledger, lines[: at - 1] + lines[at:])


def swap(ledger: Ledger, at: int) -> None:
    lines = plain_lines(ledger)
    lines[at - 1], lines[at] = lines[at], lines[at - 1]
    rechain(ledger, lines)


def unsigned(ledger: Ledger, kind: str, run_id: str = "") -> None:
    lines = plain_lines(ledger)
    digest = next((line["record_sha256"] for line in lines if run_id and line["run_id"] == run_id), None)
    appended(ledger, kind=kind, run_id=run_id, record_sha256=digest)


def other_key(ledger: Ledger) -> Key:
    return new_key(ledger.runs.path.parent / "other.pem")[0]


def forged_key_line(ledger: Ledger) -> None:
    other = other_key(ledger)
    last = chain.Line(ledger.read()[-1], ledger.path.read_bytes().splitlines(True)[-1])
    first = chain.following(last, other, kind="key", key=other.public, who="me")
    digest = ledger.read()[2].record_sha256
    second = chain.following(
        chain.Line(first, first.line()), other, kind="release", run_id="made-c", record_sha256=digest, who="me"
    )
    with ledger.path.open("ab") as file:
        file.write(first.line() + second.line())


def signed_by_another(ledger: Ledger) -> None:
    last = chain.Line(ledger.read()[-1], ledger.path.read_bytes().splitlines(True)[-1])
    entry = chain.following(
        last, other_key(ledger), kind="release", run_id="made-c", record_sha256=ledger.read()[2].record_sha256, who="me"
    )
    with ledger.path.open("ab") as file:
        file.write(entry.line())


NOT_SIGNED = "is not signed by the key of line 4: it was added by somebody else."
TAMPERING: dict[str, tuple[Callable[[Ledger], object], str]] = {
    "release forged": (lambda x: unsigned(x, "release", "made-c"), f"line 9 (release made-c) {NOT_SIGNED}"),
    "verdict forged": (lambda x: unsigned(x, "reproduce", "made-c"), f"line 9 (reproduce made-c) {NOT_SIGNED}"),
    "publication forged": (lambda x: unsigned(x, "publish"), f"line 9 (publish) {NOT_SIGNED}"),
    "import forged": (lambda x: unsigned(x, "import", "made-c"), f"line 9 (import made-c) {NOT_SIGNED}"),
    "rebuild forged": (lambda x: unsigned(x, "rebuild"), f"line 9 (rebuild) {NOT_SIGNED}"),
    "signed by another key": (signed_by_another, f"line 9 (release made-c) {NOT_SIGNED}"),
    "another key named by itself": (forged_key_line, f"line 9 (key) {NOT_SIGNED}"),
    "and used": (forged_key_line, f"line 10 (release made-c) {NOT_SIGNED}"),
    "signature moved": (moved_signature, f"line 9 (release made-c) {NOT_SIGNED}"),
    "signature removed": (lambda x: changed(x, 5, signature=""), f"line 5 (release made-a) {NOT_SIGNED}"),
    "note edited": (lambda x: changed(x, 5, note="it is fine"), f"line 5 (release made-a) {NOT_SIGNED}"),
    "who edited": (lambda x: changed(x, 5, who="nobody"), f"line 5 (release made-a) {NOT_SIGNED}"),
    "run edited": (lambda x: changed(x, 5, run_id="made-c"), f"line 5 (release made-c) {NOT_SIGNED}"),
    "digest edited": (lambda x: changed(x, 5, record_sha256="0" * 64), f"line 5 (release made-a) {NOT_SIGNED}"),
    "time edited": (lambda x: changed(x, 6, time="2000-01-01T00:00:00.000+00:00"), "line 6 (reproduce made-b) is not"),
    "run line before edited": (lambda x: changed(x, 1, note="x"), "line 4 (key) is not signed by any key"),
    "key line replaced": (
        lambda x: changed(x, 4, key=other_key(x).public),
        "line 4 (key) is not signed by any key that this ledger names before",
    ),
    "key line dropped": (lambda x: drop(x, 4), "line 4 (release made-a) is not signed by any key"),
    "release dropped": (lambda x: drop(x, 5), f"line 5 (reproduce made-b) {NOT_SIGNED}"),
    "reordered": (lambda x: swap(x, 5), f"line 6 (release made-a) {NOT_SIGNED}"),
    "run line without the key": (
        lambda x: changed(x, 8, key=""),
        "line 8 (run made-d) does not carry the key of line 4",
    ),
    "unknown kind": (
        lambda x: unsigned(x, "banish", "made-a"),
        "line 9 is of a kind that this version does not know",
    ),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_what_is_done_without_the_key_is_named(kept: Kept, kind: str) -> None:
    act, said = TAMPERING[kind]
    act(kept.ledger)
    assert said in " ".join(kept.ledger.verify())


def test_without_a_key_a_forged_line_cannot_be_told(tmp_path: Path) -> None:
    """What `remarks` says is true: the chain alone is no proof of who added a line."""
    short_run(tmp_path, "a", deliver=False)
    ledger = Ledger(tmp_path)
    unsigned(ledger, "release", "made-a")
    assert ledger.verify() == []
    assert set(standing(ledger.read(), "release")) == {"made-a"}
    assert ledger.read()[-1].signature == ""
    unsigned(ledger, "banish", "made-a")
    assert "does not know, 'banish'" in " ".join(ledger.verify())


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("how", ["drop", "swap", "value", "twice"])
def test_no_line_can_be_touched(kept: Kept, at: int, how: str) -> None:
    """Without making digests fit, each line in turn."""
    lines = kept.ledger.path.read_bytes().splitlines(keepends=True)
    other = (at + 1) % 8
    if how == "drop":
        del lines[at]
    elif how == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    elif how == "twice":
        lines.insert(at, lines[at])
    else:
        lines[at] = lines[at].replace(b'"who": "', b'"who": "x')
    kept.ledger.path.write_bytes(b"".join(lines))
    assert kept.ledger.verify()


@pytest.mark.parametrize(
    "edit",
    [
        (b'{"seq": 8', b'{ "seq": 8'),
        (b'{"seq": 8', b'{"more": 1, "seq": 8'),
        (b'"note": ""', b'"note": "x", "note": ""'),
        (b'"note": ""', b'"note": "", "signature": ""'),
        (b'"}\n', b'"}\r\n'),
    ],
)
def test_the_last_line_is_written_in_one_way_only(kept: Kept, edit: tuple[bytes, bytes]) -> None:
    lines = kept.ledger.path.read_bytes().splitlines(keepends=True)
    assert edit[0] in lines[-1]
    kept.ledger.path.write_bytes(b"".join([*lines[:-1], lines[-1].replace(*edit, 1)]))
    assert "line 8 (run made-d) was edited" in " ".join(kept.ledger.verify())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_done_to_a_signed_line_is_noticed(made: Kept, tmp_path: Path, data: st.DataObject) -> None:
    """Any value of any signed line, with all digests made to fit."""
    ledger = Ledger(tmp_path)
    for name in "abcd":
        if not (tmp_path / f"made-{name}").exists():
            shutil.copytree(made.ledger.runs.path / f"made-{name}", tmp_path / f"made-{name}")
    lines = plain_lines(made.ledger)
    at = data.draw(st.integers(3, 6))
    name = data.draw(st.sampled_from(["time", "kind", "run_id", "record_sha256", "who", "note", "key", "signature"]))
    value = data.draw(st.text(max_size=9) | st.sampled_from([*KINDS, "made-a", "made-b", "ab" * 32, lines[4][name]]))
    same = lines[at][name] == value
    lines[at][name] = value
    rechain(ledger, lines)
    assert bool(ledger.verify()) != same


# --- heads ---


def test_publishing_twice_gives_the_same_head(kept: Kept) -> None:
    first = kept.ledger.signed_head(kept.key)
    assert first.lines == 8
    line = kept.ledger.path.read_bytes().splitlines(keepends=True)[7]
    assert first.sha256 == hashlib.sha256(line).hexdigest()
    kept.ledger.append("publish", key=kept.key)
    kept.ledger.append("publish", key=kept.key)
    assert kept.ledger.signed_head(kept.key) == first
    assert first.genuine()
    assert kept.ledger.holds(first)


def test_the_first_signed_head_names_the_key_first(tmp_path: Path) -> None:
    key, _ = new_key(tmp_path / "k.pem")
    short_run(tmp_path / "runs", "a", deliver=False)
    ledger = Ledger(tmp_path / "runs")
    first = ledger.signed_head(key)
    ledger.append("publish", key=key)
    assert ledger.signed_head(key) == first
    assert [entry.kind for entry in ledger.read()] == ["run", "key", "publish"]


def _sign(ledger: Ledger, key: Key, started: Any, found: Any) -> None:
    started.wait()
    found.put(asdict(ledger.signed_head(key)))


def test_several_that_sign_first_at_once_name_the_key_once(tmp_path: Path) -> None:
    key, _ = new_key(tmp_path / "k.pem")
    ledger = Ledger(tmp_path / "runs")
    short_run(ledger.runs.path, "a", deliver=False)
    context = multiprocessing.get_context("fork")
    started, found = context.Barrier(4), context.SimpleQueue()
    workers = [context.Process(target=_sign, args=(ledger, key, started, found)) for _ in range(4)]
    for worker in workers:
        worker.start()
    heads = [found.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert heads == [heads[0]] * 4
    assert [entry.kind for entry in ledger.read()] == ["run", "key"]
    assert ledger._add(key) == []  # where another one was first


def test_a_head_without_a_key_is_not_genuine(kept: Kept, tmp_path: Path) -> None:
    head = kept.ledger.signed_head(None)
    assert (head.public_key, head.signature, head.genuine()) == (None, None, False)
    assert Ledger(tmp_path / "none").head() == Head(0, START)
    assert Ledger(tmp_path / "none").holds(Head(0, START))
    assert not Ledger(tmp_path / "none").holds(Head(1, START))


def test_a_heads_signature_is_of_nothing_else(kept: Kept) -> None:
    head = kept.ledger.signed_head(kept.key)
    line = kept.ledger.read()[4]
    for forged in (
        replace(head, lines=7),
        replace(head, sha256=START),
        replace(head, public_key=START),
        replace(head, signature=line.signature),  # a line's signature
        replace(head, signature=None),
    ):
        assert not forged.genuine()
    assert not verified(kept.key.public, head.signature or "", line.signed_content())


def test_a_chain_rebuilt_or_cut_behind_a_published_head_is_noticed(kept: Kept) -> None:
    whole = kept.ledger.path.read_bytes()
    head = kept.ledger.signed_head(kept.key)

    rechain(kept.ledger, [line for line in plain_lines(kept.ledger) if line["kind"] == "run"])
    shutil.rmtree(kept.ledger.runs.path / "made-d")
    kept.ledger.path.write_bytes(b"".join(kept.ledger.path.read_bytes().splitlines(True)[:3]))
    assert kept.ledger.verify() == []  # nothing but the head tells
    assert not kept.ledger.holds(head)

    kept.ledger.path.write_bytes(b"".join(whole.splitlines(True)[:7]))
    assert kept.ledger.verify() == []
    assert not kept.ledger.holds(head)

    kept.ledger.path.write_bytes(whole)
    resigned(kept.ledger, other_key(kept.ledger))
    assert [problem for problem in kept.ledger.verify() if "made-d" not in problem] == []  # as if it had been theirs
    assert not kept.ledger.holds(head)

    kept.ledger.path.write_bytes(whole[:-1])  # the last line torn
    assert not kept.ledger.holds(head)
    kept.ledger.path.write_bytes(whole)
    assert kept.ledger.holds(head)
    kept.ledger.path.unlink()
    assert not kept.ledger.holds(head)


def test_a_head_is_read_from_a_board(kept: Kept) -> None:
    head = kept.ledger.signed_head(kept.key)
    assert parse_head(json.loads(json.dumps(asdict(head)))) == head
    assert isinstance(parse_head({"lines": 0, "sha256": START}), SignedHead)
    wrongs: list[object] = [None, [], "x", {}, {"lines": "8", "sha256": START}, {"lines": 8, "sha256": 3}]
    for wrong in [*wrongs, {"lines": True, "sha256": START}]:
        with pytest.raises(HarnessError, match="no head of a ledger"):
            parse_head(wrong)


@pytest.mark.parametrize("lines", [-1, 0, 9, 2**70])
def test_a_head_out_of_reach_is_not_held(kept: Kept, lines: int) -> None:
    assert not kept.ledger.holds(Head(lines, "ab" * 32))


# --- clocks, other directories, tails ---


def test_a_clock_that_is_behind_is_noted(kept: Kept) -> None:
    lines = plain_lines(kept.ledger)
    future = "2999-01-01T00:00:00.000+00:00"
    rechain(kept.ledger, [*lines, lines[-1] | {"time": future}])
    entry = kept.ledger.append("publish", note="made", key=kept.key)
    assert entry.time == future
    assert entry.note.startswith("made (the clock here said 20")
    assert kept.ledger.remarks() == kept.ledger.verify() == []


def test_a_time_that_goes_backwards_is_a_remark_and_no_tampering(kept: Kept) -> None:
    lines = plain_lines(kept.ledger)[:3]
    rechain(kept.ledger, [lines[0], lines[1] | {"time": "2020-01-01T00:00:00.000+00:00"}, lines[2]])
    shutil.rmtree(kept.ledger.runs.path / "made-d")
    assert kept.ledger.verify() == []
    assert (
        "ledger.jsonl line 2 (run made-b), 2020-01-01T00:00:00.000+00:00, is earlier than the line before it: "
        "a clock was set back." in kept.ledger.remarks()
    )


def test_the_ledger_of_another_directory_is_few_words(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    short_run(there, "first", deliver=False)
    record = (there / "made-first" / "record.json").read_bytes()
    for i in range(40):
        for place in (here, there):
            (place / f"made-{i}").mkdir(parents=True)
            (place / f"made-{i}" / "record.json").write_bytes(record)
        Ledger(there).append("run", f"made-{i}")
    shutil.copy(there / "ledger.jsonl", here / "ledger.jsonl")
    (said,) = Ledger(here).verify()
    assert "run made-first, but: There is no readable record" in said
    for i in range(8, 40):
        shutil.rmtree(here / f"made-{i}")
    (said,) = Ledger(here).verify()
    assert said.startswith("33 of the ledger's 41 runs are not in this directory (made-first, made-8,")
    assert said.endswith("and 28 more): is it the ledger of another one?")
    for i in range(8):
        (here / f"made-{i}" / "record.json").write_text("{}")
        (here / f"made-new{i}").mkdir()
        (here / f"made-new{i}" / "record.json").write_text("{}")
    said = " ".join(Ledger(here).verify())
    assert "The records of 8 of the ledger's 41 runs are not those in the ledger" in said
    assert "8 runs have a record, but the ledger has no line for them" in said
    assert len(said) < 1000


def test_many_forged_lines_are_one_sentence(kept: Kept) -> None:
    for _ in range(20):
        unsigned(kept.ledger, "release", "made-c")
    (said,) = kept.ledger.verify()
    assert said.startswith("ledger.jsonl line 9 (release made-c), line 10 (release made-c),")
    assert "and 15 more: each is not signed by the key of line 4" in said


def test_append_reads_the_tail_alone(kept: Kept) -> None:
    """A hole of 2**36 bytes before the last line: whoever read it whole would not come back."""
    line = kept.ledger.path.read_bytes().splitlines(keepends=True)[-1]
    with kept.ledger.path.open("r+b") as file:
        file.truncate(0)
        file.seek(2**36)
        file.write(b"\n" + line)
    assert kept.ledger.append("publish", key=kept.key).seq == 9
    assert kept.ledger.append("run", "made-a").prev != START
    assert kept.ledger.public_key() == kept.key.public
    assert kept.ledger.head().lines == 10
    assert kept.ledger.recorded("made-a")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.lists(st.sampled_from([b"\n", b"a", b"bc" * 40, b"\r"]), max_size=30).map(b"".join),
    block=st.integers(1, 9),
)
def test_lines_come_backwards(tmp_path: Path, content: bytes, block: int) -> None:
    from harness.tracking import lines

    path = tmp_path / "lines"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched, path.open("rb") as file:
        patched.setattr(lines, "_BLOCK", block)
        found = list(lines.lines_backwards(file))
    wanted = [line + b"\n" for line in content.split(b"\n")[:-1]]
    assert [line for line, _ in found] == wanted[::-1]
    assert [end for _, end in found] == [sum(map(len, wanted[:i])) for i in range(len(wanted), 0, -1)]


def test_texts_that_json_cannot_hold_are_written_all_the_same(kept: Kept) -> None:
    entry = kept.ledger.append("publish", who="\udcff" * 500, note="\ud800\n\x00😀" * 5000, key=kept.key)
    assert (len(entry.who), len(entry.note)) == (200, 2000)
    assert kept.ledger.read()[-1] == entry
    assert kept.ledger.verify() == []


def test_a_broken_end_is_not_built_upon(kept: Kept) -> None:
    with kept.ledger.path.open("ab") as file:
        file.write(b"{}\n")
    before = kept.ledger.path.read_bytes()
    for act in (lambda: kept.ledger.append("run", "made-a"), kept.ledger.head, kept.ledger.public_key):
        with pytest.raises(HarnessError, match="line 9 is not an entry"):
            act()
    assert kept.ledger.path.read_bytes() == before


SIGNER = """
import sys
from harness.tracking.ledger import Ledger
from harness.tracking.signature import load_key
key = load_key(sys.argv[2])
print("started", flush=True)
for i in range(10**6):
    Ledger(sys.argv[1]).append("publish", note="x" * (i % 2000), key=key)
"""


def test_kill_9_leaves_whole_signed_lines(tmp_path: Path) -> None:
    """Eight killings from the first line on; the key is named once, every line is signed, the next append goes on."""
    key, path = new_key(tmp_path / "k.pem")
    ledger = Ledger(tmp_path / "runs")
    for i in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", SIGNER, str(ledger.runs.path), str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env=_env(),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.01 * i)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert ledger.verify() == []
        assert all(entry.signature for entry in ledger.read())
    ledger.append("publish", key=key)
    assert [entry.kind for entry in ledger.read()].count("key") == 1
    assert ledger.verify() == []


@pytest.mark.parametrize("cut", [1, 100, 700, 900])
def test_a_first_signature_cut_short_is_begun_again(tmp_path: Path, cut: int) -> None:
    """Two lines are written at once: the one that names the key and the first signed one."""
    key, _ = new_key(tmp_path / "k.pem")
    ledger = Ledger(tmp_path / "runs")
    ledger.append("publish", key=key)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    assert len(ledger.read()) < 2
    assert ledger.verify() == []
    ledger.append("publish", note="again", key=key)
    assert [entry.kind for entry in ledger.read()] == ["key", "publish"]
    assert ledger.verify() == []


def test_a_ledger_of_an_older_version_is_signed_from_here_on(tmp_path: Path) -> None:
    """Lines without key, signature and, at first, without a digest of their own or of a record."""
    key, _ = new_key(tmp_path / "k.pem")
    ledger = Ledger(tmp_path / "runs")
    short_run(ledger.runs.path, "a", deliver=False)
    lines = plain_lines(ledger)
    del lines[0]["sha256"]
    content = (json.dumps(lines[0]) + "\n").encode()
    release = lines[0] | {"seq": 2, "kind": "release", "record_sha256": None}
    ledger.path.write_bytes(
        content + (json.dumps(release | {"prev": hashlib.sha256(content).hexdigest()}) + "\n").encode()
    )
    assert ledger.verify() == []
    assert standing(ledger.read(), "release") == {}
    ledger.append("release", "made-a", key=key)
    assert ledger.verify() == []
    assert set(standing(ledger.read(), "release")) == {"made-a"}
    assert [e.kind for e in ledger.read()] == ["run", "release", "key", "release"]
