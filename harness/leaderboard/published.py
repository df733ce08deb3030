"""A published board: written so that nothing is lost by it, and verified by whoever reads it.

The JSON file of a board holds what a checker needs: settings, the score of every seed, versions, digests of records,
archives and of the files beside it, the head of the ledger; and, where there is a key, a signature over all of that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError, ProtocolError
from harness.leaderboard.board import Board
from harness.leaderboard.render import rendered
from harness.leaderboard.row import Place
from harness.leaderboard.row import row as make_row
from harness.statistics.intervals import FEWEST_SEEDS
from harness.statistics.normalised import normalised
from harness.statistics.rank_sets import rank_sets
from harness.tracking import ledger
from harness.tracking.files import json_bytes, write_text_atomic
from harness.tracking.ledger import Head, Ledger
from harness.tracking.signature import Key, verified
from harness.verification.directory import BoardRefused

_MAX_MB = 64
_ROW_KINDS = ("ranked", "references", "unranked")
_OF_THE_BOARD = {"rank", "rank_ci95", "team", "reason", "reproduced", "reproduced_how", "released", "curve"}


def write_board(board: Board, out: Path, key: Key | None = None) -> list[Path]:
    """Write ``<challenge>.md, .csv, .html`` and last ``.json`` into ``out``; returns their paths. HarnessError if it cannot."""
    texts = rendered(board)
    plain = json.loads(json_bytes(board.as_dict()))
    plain["files"] = {f"{board.challenge}.{suffix}": _sha256(text.encode()) for suffix, text in texts.items()}
    plain["signature"] = {"public_key": key.public, "ed25519": key.sign(_signed(plain))} if key else None
    texts["json"] = json_bytes(plain).decode()
    paths = [Path(out) / f"{board.challenge}.{suffix}" for suffix in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text_atomic(path, text)
    return paths


def protect(board: Board, out: Path, runs: Ledger, key: Key | None) -> None:
    """Raise BoardRefused where a published board would be lost: to one without rows, of another protocol or history."""
    path = Path(out) / f"{board.challenge}.json"
    if not path.exists():
        return
    try:
        old = read(path)
    except HarnessError:  # no board, or one of an older version, which had neither head nor signature
        return
    if not any(old[kind] for kind in _ROW_KINDS):
        return
    why = ""
    if not any((board.ranked, board.references, board.unranked)):
        why = "the new one has no rows"
    elif old["fingerprint"] != board.fingerprint:
        why = f"that is of the fingerprint {old['fingerprint'][:12]}, the new one of {board.fingerprint[:12]}"
    elif not runs.holds(_head(old)) and (_first(old) == runs.first() or (key and _public_key(old) == key.public)):
        why = (
            f"that names line {_head(old).lines} of the ledger, which is no longer what it was: lines were removed, or the "
            "ledger was written anew"
        )
    if why:
        raise BoardRefused(
            f"{path} holds a published board and is not replaced: {why}.",
            "--replace replaces it, --out DIR writes elsewhere.",
        )


def announce(board: Board, path: Path, runs: Ledger, key: Key | None) -> None:
    """A ledger line that says which board was published, unless the last one of this challenge says it already."""
    note = f"{board.challenge}@{board.fingerprint[:12]} {_sha256(path.read_bytes())}"
    earlier = [
        entry.note for entry in runs.read() if entry.kind == "publish" and entry.note.startswith(f"{board.challenge}@")
    ]
    if earlier[-1:] != [note]:
        runs.append("publish", note=note, key=key)


def read(path: Path) -> dict[str, Any]:
    """The content of a published board's JSON file.

    Raises ProtocolError where there is none, HarnessError where it is not one of a board, or of an older version.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_MB * 2**20:
            raise ProtocolError(
                f"There is no board at {path}.", "Name the .json file that `harness leaderboard` wrote."
            )
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{path} is not a board: {error!r:.200}.", "Remove it, or build it again.") from error
    needed = {"challenge", "fingerprint", "direction", "settings", "ledger", "files", "signature", *_ROW_KINDS}
    if not isinstance(plain, dict) or (missing := sorted(needed - plain.keys())):
        lacks = f" It lacks {', '.join(missing)}." if isinstance(plain, dict) else ""
        raise HarnessError(f"{path} is not a board of this version of the harness.{lacks}", "Build it again.")
    return plain


def check(path: Path, runs_dir: Path | None = None) -> tuple[list[str], list[str]]:
    """What of a published board does not agree, and what could not be checked: a sentence each.

    From the file alone: signature, digests of the files beside it, scores and places from the seeds' scores. With the
    runs directory: that its ledger goes on from the head that was published, with the very records.
    """
    plain = read(path)
    notes: list[str] = []
    try:
        problems = [*_signature(plain, notes), *_files(plain, path), *_ranks(plain)]
        for kind in _ROW_KINDS:
            problems += [f"{row['run_id']}: {what}" for row in plain[kind] for what in _row(row, plain)]
        if runs_dir is not None:
            problems += _against(plain, Ledger(runs_dir))
        else:
            notes.append("Rows were not computed again from their cells: --runs-dir names the runs.")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise HarnessError(f"{path} is not a board: {error!r:.200}.", "It was edited; build it again.") from error
    return problems, notes


def _signature(plain: Mapping[str, Any], notes: list[str]) -> Iterator[str]:
    held = plain["signature"]
    if held is None:
        notes.append("The board is not signed: whoever can write the file can change it.")
    elif not verified(held["public_key"], held["ed25519"], _signed(plain)):
        yield "The signature is not of this board: it was edited after it was published."
    else:
        notes.append(f"Signed with {held['public_key']}: compare with the key that the organiser has published.")


def _files(plain: Mapping[str, Any], path: Path) -> Iterator[str]:
    if set(plain["files"]) != (expected := {f"{plain['challenge']}.{suffix}" for suffix in ("md", "csv", "html")}):
        yield f"It binds {', '.join(plain['files']) or 'no files'}, not {', '.join(sorted(expected))}."
    for name, digest in plain["files"].items():
        beside = path.parent / Path(name).name
        if not beside.is_file():
            yield f"{beside.name} is missing."
        elif _sha256(beside.read_bytes()) != digest:
            yield f"{beside.name} is not the file that was published with it."


def _row(row: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[str]:
    """A row's mean, interval and place between floor and skyline, from seed scores."""
    scores = _scores(row)
    if row["score"] is None:
        return
    values = np.array(list(scores.values()))
    if len(scores) != row["seeds"] or not np.isclose(values.mean(), row["score"], rtol=1e-9, atol=1e-9):
        yield f"score is {row['score']}, its {len(scores)} seeds give {values.mean() if len(values) else 'none'}"
        return
    if len(values) >= FEWEST_SEEDS and np.ptp(values) > 1e-9:
        from scipy.stats import t

        half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        if not np.allclose(row["ci95"], [values.mean() - half, values.mean() + half], rtol=1e-9, atol=1e-9):
            yield f"ci95 is {row['ci95']}, its seeds give {values.mean() - half:.6g} to {values.mean() + half:.6g}"
    own = {
        r["submission"]: _scores(r)
        for r in plain["references"]
        if r["score"] is not None and r["device"] == row["device"]
    }
    if row["normalised"] is not None and len(own) == 2 and row["submission"] not in own and len(scores) > 1:
        place = normalised(scores, own["reference-random"], own["reference-skyline"])
        if place is None or not np.isclose(place.value, row["normalised"], rtol=1e-9, atol=1e-9):
            yield f"normalised is {row['normalised']}, the seeds give {place.value if place else 'none'}"


def _ranks(plain: Mapping[str, Any]) -> Iterator[str]:
    rows = plain["ranked"]
    sign = 1.0 if plain["direction"] == "max" else -1.0
    if [row["rank"] for row in rows] != list(range(1, len(rows) + 1)):
        yield "The ranks are not 1, 2, 3 ... in the order of the rows."
    if unscored := [row["run_id"] for row in rows if row["score"] is None]:
        yield f"{', '.join(unscored)}: ranked without a score."
        return
    for above, below in pairwise(rows):
        if sign * (above["score"] - below["score"]) < -1e-9:
            yield f"{below['run_id']} stands below {above['run_id']}, and has the better score."
    if any(row["rank"] is not None for kind in ("references", "unranked") for row in plain[kind]):
        yield "A row that is not ranked has a rank."
    if any(row["rank_ci95"] is None for row in rows):
        return  # a protocol with a rule of its own
    sets = rank_sets({row["run_id"]: _scores(row) for row in rows}, plain["direction"])
    for row in rows:
        low, high = sets[row["run_id"]]
        if row["rank_ci95"] != [min(low, row["rank"]), max(high, row["rank"])]:
            yield f"{row['run_id']}: the confidence set of its rank is {row['rank_ci95']}, the seeds give {[low, high]}."


def _against(plain: Mapping[str, Any], runs: Ledger) -> Iterator[str]:
    """The board against the ledger it was published from."""
    if not runs.holds(_head(plain)):
        yield (
            f"The ledger of {runs.runs.path} does not go on from line {_head(plain).lines}, which the board names as its head: "
            "it is another directory's, or lines were removed or written anew."
        )
    latest = ledger.latest_records(runs.read())
    for kind in _ROW_KINDS:
        for row in plain[kind]:
            if latest.get(row["run_id"]) != row["record_sha256"]:
                has = "another record of it now" if row["run_id"] in latest else "no line for it"
                yield f"{row['run_id']}: the ledger has {has}."
            else:
                yield from (f"{row['run_id']}: {what}" for what in _of_its_record(row, runs))


def _of_its_record(row: Mapping[str, Any], runs: Ledger) -> Iterator[str]:
    """A row against the record that the ledger holds; its place, and what was said of it, are not the record's."""
    try:
        record = runs.runs.load_record(row["run_id"])
    except HarnessError as error:
        yield error.reason
        return
    expected = json.loads(json_bytes(vars(make_row(record, row["record_sha256"], Place(), "", "", ""))))
    for name in sorted(expected.keys() - _OF_THE_BOARD):
        if row.get(name) != expected[name]:
            yield f"{name} is {row.get(name)!r:.100}, its record says {expected[name]!r:.100}"


def _scores(row: Mapping[str, Any]) -> dict[int, float]:
    return {int(seed): float(score) for seed, score in row["seed_scores"].items()}


def _head(plain: Mapping[str, Any]) -> Head:
    return Head(int(plain["ledger"]["lines"]), str(plain["ledger"]["sha256"]))


def _first(plain: Mapping[str, Any]) -> str:
    return str(plain["ledger"].get("first", ""))


def _public_key(plain: Mapping[str, Any]) -> str:
    return str((plain["signature"] or {}).get("public_key", ""))


def _signed(plain: Mapping[str, Any]) -> bytes:
    """What the signature of a board is over: all of it but the signature, as canonical JSON, and what it is."""
    content = {key: value for key, value in plain.items() if key != "signature"}
    return b"harness board\n" + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
