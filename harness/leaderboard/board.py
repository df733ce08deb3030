"""A board: the rows of one fingerprint, each of them verified, ranked where they may be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.card import card
from harness.errors import Status
from harness.leaderboard.frozen import refuse_loosened
from harness.leaderboard.notes import lucky, missing, one_seed, public_data, with_packages
from harness.leaderboard.phase import facts as phase_facts
from harness.leaderboard.phase import phase_of, scored, unscored
from harness.leaderboard.ranking import order, places
from harness.leaderboard.row import Owner, Place, Row, row, thinned
from harness.leaderboard.standing import Standings, is_ours
from harness.protocol.roster import read as read_roster
from harness.protocol.rules import PhaseName
from harness.sandbox.tiers import STRENGTH
from harness.tracking import delivery, provenance
from harness.tracking.garbage import few_collections
from harness.tracking.ledger import Entry, Ledger, latest_records, standing
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.verification.directory import BoardRefused, refused, verify
from harness.verification.run import Checked

if TYPE_CHECKING:
    from harness.protocol.challenge import Challenge
    from harness.tracking.signature import Key

_UNPLACED = Place()
_OURS = "a fault of the harness or of its machine, not of the submission: it is tried again"
_HELD = "better than the skyline by more than chance: held until a person has looked"

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
    phase: Mapping[str, Any] | None = None  # name, share of the hidden items, ladder, dates; None without phases
    counts: str = "last"  # which of an owner's runs stands
    secret: str = ""
    teams: int | None = None  # in the roster; None without one
    frozen: Mapping[str, str] | None = None  # when, and the digest of its lock
    dataset: Mapping[str, str] = field(default_factory=dict)  # name, title, version, license of its specification
    card: str = ""  # of the data set, Markdown
    archived: tuple[str, ...] = ()  # earlier versions' pages, relative to this one

    @property
    def stem(self) -> str:
        """The name of its files: the challenge's, and with ``.public`` behind it once a final board has that."""
        over = self.phase is not None and self.phase["name"] == "public" and self.phase["finalised"]
        return f"{self.challenge}.public" if over else self.challenge

    def scored(self) -> list[Row]:
        """Ranked and reference rows together, best score first."""
        return sorted(
            [*self.ranked, *self.references], key=lambda row: _place(row.score, row.submission, self.direction)
        )

    @property
    def has_params(self) -> bool:
        """Whether a row has parameters, so that there is a column of them."""
        return any(row.params for row in (*self.ranked, *self.unranked))

    def metric_names(self) -> list[str]:
        """Secondary metrics in the order in which the records give them."""
        return list(dict.fromkeys(name for row in self.scored() for name in row.metrics))

    def as_dict(self) -> dict[str, Any]:
        """The board as plain JSON values."""
        plain = asdict(self)
        for key in ("ranked", "references", "unranked"):
            plain[key] = [
                {**{k: v for k, v in row.items() if v or k != "params"}, "curve": thinned(row["curve"])}
                for row in plain[key]
            ]
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
    phase: PhaseName | None = None,
    hidden: bool = False,
) -> Board:
    """The board of a challenge's official fingerprint, every row of it computed again from its cells.

    Runs that wait for MLflow are delivered first. Runs with overridden settings and runs without isolation never join.
    Which of several runs of a team, or of a line of submissions, stands is a rule of the challenge (``counts``).

    Parameters
    ----------
    challenge: the challenge as shipped.
    data_digest: ``Dataset.digest()`` of its data; with the challenge it gives the fingerprint, and runs of any other are
        not on this board.
    runs_dir: holds ledger, records and cells.
    uri: the MLflow store; default as for runs.
    config_dir: with the challenge, where it is not a shipped one.
    key: signs the head of the ledger.
    phase: of a competition; None: the one that is shown now.
    hidden: the board is not published, so that no date keeps anything back.

    Raises
    ------
    BoardRefused: something was edited, added or removed afterwards (names every such entry), or the phase is not open.
    ProtocolError: the roster is broken.
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
    refuse_loosened(challenge, data_digest, report.entries)
    phase = phase_of(challenge, fingerprint, report.entries, phase, hidden=hidden)
    every = list(report.runs.values())
    official = [one for one in every if one.record.reference or one.record.isolation != "none"]
    if len(official) < len(every):
        notes.append(f"{len(every) - len(official)} runs without isolation are left out.")
    released = standing(report.entries, "release")
    source = _source([one.record for one in official])
    roster = read_roster(challenge.teams) if challenge.teams else None
    rules = Standings(challenge, report.entries, roster)
    obstacles = {
        one.record.run_id: (None if one.record.reference else rules.obstacle(one.record))
        or _obstacle(one, challenge, released, source)
        for one in official
    }
    public, records = ({one.record.run_id: one.record for one in official} for _ in range(2))
    if phase:
        public = scored(challenge, official, "public", RunsDir(runs_dir), config_dir)
        records = public if phase == "public" else scored(challenge, official, phase, RunsDir(runs_dir), config_dir)
    step = challenge.phases.public.ladder if challenge.phases and phase == "public" else None
    submitted = [record for record in public.values() if not record.reference]
    stands = rules.of(submitted, lambda record: obstacles[record.run_id], step)
    track = challenge.track_type
    ranked = [record if step else records[record.run_id] for record in stands.ranked]
    references = [r for r in records.values() if r.reference and not obstacles[r.run_id]]
    if roster:  # teams compete with each other; what the baselines reach is shown beside them
        references += [record for record in ranked if is_ours(record)]
        ranked = [record for record in ranked if not is_ours(record)]
    ranked = order(ranked, track, rules.received)
    placed = places(ranked, track, sets=step is None)
    about = phase_facts(challenge, fingerprint, report.entries, phase)
    reproduced = standing(report.entries, "reproduce")
    digests = latest_records(report.entries)

    def shown(record: Record, place: Place = _UNPLACED, why: str = "") -> Row:
        run_id = record.run_id
        verdict = reproduced[run_id].note if run_id in reproduced else ""
        who = released[run_id].who if run_id in released else ""
        name = roster.teams[record.team].name if roster and record.team in roster.teams else None
        entry = Owner(record.team or None, name, stands.attempts.get(run_id, 1))
        made = row(record, digests.get(run_id, ""), place, why or obstacles.get(run_id) or "", verdict, who, entry)
        return replace(made, seed_scores={}) if about and about["seeds_withheld"] and not hidden else made

    if official:
        notes += one_seed(challenge) + lucky(ranked, references)
        notes += missing(challenge, {one.record.submission for one in official if not one.record.params})
    notes += public_data(challenge) + with_packages(ranked)
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
        tie_break="" if phase and challenge.phases and challenge.phases.final else track.tie_break,
        curve_axes=track.curve_axes,
        settings=challenge.published(),
        ledger={**vars(ledger.signed_head(key if every and not hidden else None)), "first": ledger.first()},
        data_digest=data_digest,
        commitment=commitment,
        ranked=tuple(shown(record, placed[record.run_id]) for record in ranked),
        references=tuple(
            shown(r) for r in sorted(references, key=lambda r: _place(r.score, r.submission, track.direction))
        ),
        unranked=tuple(
            shown(unscored(records[run_id]) if step else records[run_id], why=why)
            for run_id, (_, why) in stands.unranked.items()
        ),
        notes=tuple(notes),
        phase=about,
        counts=challenge.counts,
        secret="open, for practice" if challenge.practice else "kept",
        teams=len(roster.teams) if roster else None,
        dataset=spec.facts() if (spec := challenge.specification) else {},
        card=card(spec) if spec else "",
        frozen={"when": lock.frozen, "lock_sha256": lock.sha256} if (lock := challenge.lock) else None,
    )


def _source(records: Sequence[Record]) -> str | None:
    """The scoring source whose rows rank: this harness's own where there are any, else that of most rows."""
    count = Counter(record.source for record in records if record.source)
    if not count or provenance.source() in count:
        return provenance.source()
    return min(count, key=lambda source: (-count[source], source))


def _obstacle(one: Checked, challenge: Challenge, released: Mapping[str, Entry], source: str | None) -> str | None:
    """Why a run may not rank (or, of the harness's own, not be shown beside the ranks), None if it may."""
    record, minimum = one.record, challenge.minimum_isolation
    if one.notes:
        return one.notes[0]
    if record.status is Status.SUSPICIOUS and record.run_id in released and record.score is not None:
        pass
    elif record.status is Status.SUSPICIOUS and challenge.phases:
        return _HELD  # its own reason tells the score on all hidden items
    elif record.status is Status.HARNESS_ERROR and not challenge.practice:
        return _OURS  # its own reason may name places of this machine
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
