"""README.md of a bundle: the rules as participants are told them, from what is pinned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.data import Dataset
from harness.data.card import card
from harness.data.specification import Specification
from harness.protocol.challenge import Challenge
from harness.protocol.rules import written

_COUNTS = {
    "last": "The last entry of a team that came to a score stands on the board.",
    "best": "The best entry of a team stands on the board.",
    "selected": "The entry that a team has selected stands on the board; tell the organiser which.",
}
_LOGS = {
    "kept": "What your code prints stays with the organiser and is not shown to you, so that nothing of hidden rows can be "
    "printed. Test with `harness check`, which shows it here.",
    "shown": "What your code prints is part of your report (the last lines of it).",
}
_DRAWS = (
    "The official splits and noise are drawn from a secret that the organiser keeps, and those here from an open one:",
    "your score here is not your score on the board, and what is fitted to these draws will not help you there.",
)
_RUN = """\
    harness check my_method challenge={name} --config-dir conf
    harness run challenge={name} submission=my_method --config-dir conf
    harness view {name} --config-dir conf

The first takes seconds, runs your code as the organiser will, and says what to mend. The second scores it on the data
of this folder. The third shows what your function is given. None needs a network."""


def page(challenge: Challenge, official: Dataset, facts: Mapping[str, Any], data: str) -> str:
    """The page. ``facts``: of :func:`harness.protocol.describe.describe` for the challenge of the bundle; ``data``: what they are."""
    return "\n".join(_lines(challenge, official, facts, data)) + "\n"


def _lines(challenge: Challenge, official: Dataset, facts: Mapping[str, Any], data: str) -> Iterator[str]:
    protocol = facts["protocol"]
    yield from (f"# {challenge.title}", "")
    if challenge.description:
        yield from (challenge.description.strip(), "")
    yield f"Challenge `{challenge.name}`, version {challenge.version}; {protocol['track']}."
    if challenge.lock:
        fingerprint = challenge.lock.facts["identity"]["fingerprint"]
        yield f"Frozen on {challenge.lock.frozen}; its fingerprint is `{fingerprint}` (CHALLENGE.lock)."
    yield from ("", "## What you write", "", protocol["task"], "")
    yield from (f"Your function: `{protocol['your function']}`. It is given:", "", "| field | what |", "|---|---|")
    yield from (f"| `{field}` | {_cell(what)} |" for field, what in facts["task"].items())
    yield from ("", f"Settings: {', '.join(f'{key} {value}' for key, value in facts['settings'].items())}.", "")
    yield from ("## How it is scored", "", f"- Metric: {protocol['metric']}.")
    yield f"- Seeds: {protocol['seeds']}, each with a split, noise and randomness of its own; the score is their mean."
    yield f"- Draws: {protocol['draws']}."
    limits = ", ".join(f"{key} {value}" for key, value in facts["limits"].items())
    yield f"- Limits of one cell (your function on one seed): {limits}."
    yield f"- Packages: {protocol['packages']}; packages.txt lists what is there."
    yield f"- Official data: {len(official.y)} rows, {official.n_classes} classes."
    yield from _data(challenge.specification)
    yield from ("", "## Data and draws in this folder", "", f"The data are {data}.")
    if challenge.practice:
        yield from ("Splits and noise are drawn from an open secret: the challenge is for practice.", "")
    else:
        yield from (*_DRAWS, "")
    yield from ("## Rules", "", f"- {_COUNTS[challenge.counts]}", *_quota(challenge), *_phases(challenge))
    yield from (f"- {_LOGS[challenge.logs]}", "")
    yield from ("## How to hand in", "")
    yield "A folder for each entry, or that folder as .zip or .tar.gz: what `my_method` is, and in it a file `team.token` whose"
    yield from ("only line is your team's token. Keep the token to yourself: whoever has it enters for you.", "")
    yield from ("## Three commands", "", _RUN.format(name=challenge.name), "")
    yield "`my_method` is a working skeleton; `baselines` holds the methods that it is compared with, as you would write them."


def _data(spec: Specification | None) -> Iterator[str]:
    """What the official data are, as their specification says it; nothing is counted in them."""
    if spec is None:
        return
    head, *lines = card(spec).splitlines()
    yield from ("", f"## The data: {head.removeprefix('# ')} {spec.version}")
    yield from (f"#{line}" if line.startswith("#") else line for line in lines)


def _quota(challenge: Challenge) -> Iterator[str]:
    quota = challenge.quota
    if quota is None or (quota.per_day is None and quota.total is None):
        yield "- The number of entries is not limited."
        return
    if quota.per_day is not None:
        yield f"- At most {quota.per_day} entries of a team a day, from midnight to midnight UTC."
    if quota.total is not None:
        yield f"- At most {quota.total} entries of a team in all."
    yield "- An entry counts where it came to a score, or failed by its own fault."


def _phases(challenge: Challenge) -> Iterator[str]:
    phases = challenge.phases
    if phases is None:
        return
    public, final = phases.public, phases.final
    opens = f"from {written(public.opens)} on" if public.opens else "at once"
    yield f"- Public phase: its board is shown {opens}" + (
        f", and entries are taken until {written(public.closes)}." if public.closes else "."
    )
    if public.ladder:
        yield f"- A team's public score moves only when it grows by more than {public.ladder:g}."
    if final:
        yield f"- The public board is scored on {public.share:.0%} of the hidden items; the final one, which decides, on the others."
        yield f"- The final board is published {f'on {written(final.opens)}' if final.opens else 'when the competition is over'}."


def _cell(text: object) -> str:
    return " ".join(str(text).replace("|", "\\|").split())
