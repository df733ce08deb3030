"""A board: the rows of one fingerprint, each of them verified, ranked where they may be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import Status
from harness.leaderboard.ranking import order, places
from harness.leaderboard.row import Place, Row, row
from harness.protocol.catalogue import baseline_names
from harness.sandbox.tiers import STRENGTH
from harness.statistics.differences import difference
from harness.statistics.intervals import FEWEST_SEEDS
from harness.tracking import delivery, provenance
from harness.tracking.garbage import few_collections
from harness.tracking.ledger import Entry, Ledger, latest_records, standing
from harness.tracking.record import Record
from harness.verification.directory import BoardRefused, refused, verify
from harness.verification.run import Checked

if TYPE_CHECKING:
    from harness.protocol.challenge import Challenge
    from harness.tracking.signature import Key

_OURS = (("harness baselines",), ("Harness authors",))  # as the manifests of the shipped baselines have it
_UNPLACED = Place()
LUCKY = "The random baseline and the floor differ by more than chance"
_LUCK = 0.01  # two-sided: one board in a hundred says so of two rows that are the same; so are disjoint intervals rare

__all__ = ["Board", "BoardRefused", "Row", "build"]


@dataclass(frozen=True)
class Board:
    """What is rendered: ranked rows best first, the harness's reference rows, rows that do not rank."""

    challenge: str
    title: str
    description: str
    version: int
    track: str
    metric: str
    direction: str
    fingerprint: str
    seeds: int
    draws: int  # of a submission's randomness a seed
    minimum_isolation: str
    tie_break: str  # the secondary metric that orders rows of the very same score, before their time
    curve_axes: tuple[str, str]
    settings: Mapping[str, Any]  # the pinned protocol, without a secret that is kept
    ledger: Mapping[str, Any]  # its head when the board was built, the digest of its first line, and a signature
    data_digest: str
    commitment: str  # to the secret
    ranked: tuple[Row, ...]
    references: tuple[Row, ...]
    unranked: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())

    def scored(self) -> list[Row]:
        """Ranked and reference rows together, best score first."""
        return sorted(
            [*self.ranked, *self.references], key=lambda row: _place(row.score, row.submission, self.direction)
        )

    def metric_names(self) -> list[str]:
        """Secondary metrics in the order in which the records give them."""
        return list(dict.fromkeys(name for row in self.scored() for name in row.metrics))

    def as_dict(self) -> dict[str, Any]:
        """The board as plain JSON values."""
        plain = asdict(self)
        for key in ("ranked", "references", "unranked"):
            plain[key] = [{k: v for k, v in row.items() if k != "curve"} for row in plain[key]]
        return plain


@few_collections()
def build(
    challenge: Challenge,
    data_digest: str,
    runs_dir: Path | str,
    uri: str | None = None,
    *,
    config_dir: Path | str | None = None,
    key: Key | None = None,
) -> Board:
    """The board of a challenge's official fingerprint, every row of it computed again from its cells.

    Runs that wait for MLflow are delivered first. Runs with overridden settings and runs without isolation never join;
    of several runs of one submission (name and authors) the newest that may rank stands.

    Parameters
    ----------
    challenge: the challenge as shipped.
    data_digest: ``Dataset.digest()`` of its data; with the challenge it gives the fingerprint, and runs of any other are
        not on this board.
    runs_dir: holds ledger, records and cells.
    uri: the MLflow store; default as for runs.
    config_dir: with the challenge, where it is not a shipped one.
    key: signs the head of the ledger.

    Raises
    ------
    BoardRefused: something was edited, added or removed afterwards; names every such entry.
    HarnessError: the store cannot be opened.
    """
    runs_dir = Path(runs_dir).absolute()
    commitment = challenge.commitment(data_digest)
    fingerprint = challenge.fingerprint_under(data_digest, commitment)
    _, left = delivery.sync(runs_dir, uri, lost=False)
    notes = [f"{len(left)} runs are recorded but not delivered to MLflow yet."] if left else []
    report = verify(runs_dir, uri, config_dir, (challenge.name, fingerprint))
    if not report.ok:
        raise refused(challenge.name, report)
    every = list(report.runs.values())
    official = [one for one in every if one.record.reference or one.record.isolation != "none"]
    if len(official) < len(every):
        notes.append(f"{len(every) - len(official)} runs without isolation are left out.")
    released = standing(report.entries, "release")
    source = _source([one.record for one in official])
    obstacles = {one.record.run_id: _obstacle(one, challenge.minimum_isolation, released, source) for one in official}
    track = challenge.track_type
    ranked, unranked = _standing_rows(official, obstacles)
    placed = places(ranked, track)
    references = [one.record for one in official if one.record.reference and not obstacles[one.record.run_id]]
    reproduced = standing(report.entries, "reproduce")
    digests = latest_records(report.entries)

    def shown(record: Record, place: Place = _UNPLACED) -> Row:
        run_id = record.run_id
        verdict = reproduced[run_id].note if run_id in reproduced else ""
        who = released[run_id].who if run_id in released else ""
        return row(record, digests.get(run_id, ""), place, obstacles.get(run_id) or "", verdict, who)

    if official:
        notes += _one_seed(challenge) + _lucky(ranked, references)
        notes += _missing(challenge, {one.record.submission for one in official})
    notes += _with_packages(ranked)
    ledger = Ledger(runs_dir)
    notes += ledger.remarks() if every else []
    return Board(
        challenge=challenge.name,
        title=challenge.title,
        description=challenge.description,
        version=challenge.version,
        track=track.track,
        metric=track.metric,
        direction=track.direction,
        fingerprint=fingerprint,
        seeds=challenge.seeds,
        draws=challenge.draws,
        minimum_isolation=challenge.minimum_isolation,
        tie_break=track.tie_break,
        curve_axes=track.curve_axes,
        settings=challenge.published(),
        ledger={**vars(ledger.signed_head(key if every else None)), "first": ledger.first()},
        data_digest=data_digest,
        commitment=commitment,
        ranked=tuple(shown(record, placed[record.run_id]) for record in order(ranked, track)),
        references=tuple(
            shown(r) for r in sorted(references, key=lambda r: _place(r.score, r.submission, track.direction))
        ),
        unranked=tuple(shown(record) for record in unranked),
        notes=tuple(notes),
    )


def _standing_rows(
    official: Sequence[Checked], obstacles: Mapping[str, str | None]
) -> tuple[list[Record], list[Record]]:
    """Of every submission the newest run that may rank, or where there is none the newest, which is not ranked."""
    may_rank: dict[tuple[str, tuple[str, ...]], Record] = {}
    unranked: dict[tuple[str, tuple[str, ...]], Record] = {}
    for one in sorted(official, key=lambda one: (one.record.created, one.record.run_id)):
        record = one.record
        if record.reference:
            continue
        name = (record.submission, record.authors)
        if obstacles[record.run_id] is None:
            may_rank[name] = record
            unranked.pop(name, None)  # a later run makes up for an earlier failure
        else:
            unranked[name] = record
    return list(may_rank.values()), [record for _, record in sorted(unranked.items())]


def _source(records: Sequence[Record]) -> str | None:
    """The scoring source whose rows rank: this harness's own where there are any, else that of most rows."""
    count = Counter(record.source for record in records if record.source)
    if not count or provenance.source() in count:
        return provenance.source()
    return min(count, key=lambda source: (-count[source], source))


def _one_seed(challenge: Challenge) -> list[str]:
    """What is said of a board whose rows cannot be told apart by seeds."""
    if challenge.track_type.score_alone:
        return [
            "Ranked by the score alone: the rule of the board that this protocol repeats. Intervals: measurement noise only."
        ]
    if challenge.seeds == 1:
        return ["One seed tells no rows apart, so every row may have every rank. Intervals: measurement noise only."]
    return ["Intervals: measurement noise only, two seeds are too few."] if challenge.seeds < FEWEST_SEEDS else []


def _lucky(ranked: Sequence[Record], references: Sequence[Record]) -> list[str]:
    """A note where the baseline `random` and the floor, which do the same, have disjoint intervals or are told apart at 1 %."""
    random = next((r for r in ranked if r.submission == "random" and r.authors in _OURS), None)
    floor = next((r for r in references if r.submission == "reference-random"), None)
    if random is None or floor is None:
        return []
    ours, theirs = random.ci95, floor.ci95
    apart = ours is not None and theirs is not None and (ours[1] < theirs[0] or theirs[1] < ours[0])
    p = difference(random.seed_scores, floor.seed_scores).p
    if not apart and (p is None or p >= _LUCK):
        return []
    return [
        f"{LUCKY}: {random.score:.4f} and {floor.score:.4f}. One of them was judged by luck; more draws or seeds would tell."
    ]


def _with_packages(records: Iterable[Record]) -> list[str]:
    """A note for each row that had packages beside the harness's own: another version of one is another run."""
    return [
        f"{record.submission} ran with {', '.join(f'{p.name} {p.version}' for p in record.packages)}."
        for record in sorted(records, key=lambda record: record.submission)
        if record.packages
    ]


def _missing(challenge: Challenge, present: set[str]) -> list[str]:
    """A note where baselines that fit the challenge have no row to compare with."""
    names = baseline_names(challenge.track_type.task.kind, challenge.track.left_out())
    missing = [name for name in names if name not in present]
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(names)} baselines have not been run here: `harness run challenge={challenge.name} "
        "submission=all` runs them."
    ]


def _obstacle(one: Checked, minimum: str, released: Mapping[str, Entry], source: str | None) -> str | None:
    """Why a run may not rank (or, of the harness's own, not be shown beside the ranks), None if it may."""
    record = one.record
    if one.notes:
        return one.notes[0]
    if record.status is Status.SUSPICIOUS and record.run_id in released and record.score is not None:
        pass
    elif record.status is not Status.OK or record.score is None:
        return None if record.reference else record.reason or record.status.value
    if record.source != source:
        return f"scored by another source of the harness ({(record.source or 'unknown')[:12]}) than the ranked rows: run it again"
    if not record.reference and STRENGTH.get(record.isolation, 0) < STRENGTH[minimum]:
        return f"isolation {record.isolation} is weaker than {minimum}, which this challenge demands"
    return None


def _place(score: float | None, name: str, direction: str) -> tuple[float, str]:
    """Sorts better scores first, and rows that have none last."""
    if score is None:
        return math.inf, name
    return (-score if direction == "max" else score), name
