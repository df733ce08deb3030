"""What people are asked about a round's findings, and what follows from what they say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.pipeline.rounds.answers import Found
from harness.pipeline.rounds.state import TEST, TRAIN, WAITING, Round
from harness.randomness import generator


@dataclass(frozen=True)
class Asked:
    """Ids of rows that people look at, by why; no row twice."""

    find: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()
    buy: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.find) + len(self.repair) + len(self.buy)


@dataclass(frozen=True)
class Decided:
    """The rows of the next version, without new arrivals, and how many of each kind there are."""

    rows: pd.DataFrame
    counts: Mapping[str, int]


def asked(made: Round, answers: Mapping[str, Found]) -> Asked:
    """The rows within the budgets: found failures and labels to buy among the waiting rows, suspects among those trained on."""
    waiting, training, s = set(made.ids(WAITING)), set(made.ids(TRAIN)), made.settings
    kept = kept_for_tests(made)
    named = {kind: found.ids for kind, found in answers.items()}
    find = [row for row in named.get("find", ()) if row in waiting][: s.find]
    repair = [row for row in named.get("repair", ()) if row in training][: s.repair]
    buy = [row for row in named.get("buy", ()) if row in waiting - set(find) - kept][: s.buy]
    return Asked(tuple(find), tuple(repair), tuple(buy))


def kept_for_tests(made: Round) -> set[str]:
    """Waiting rows of groups that may be tested on, and so are never trained on; none where rows have no groups.

    Which groups they are is drawn from the secret, for each group alone, so that it stays so in every round.
    """
    s = made.settings
    if s.group is None:
        return set()
    rows = made.rows[made.rows["part"] == WAITING]
    drawn = {
        group: generator(s.secret, 0, f"group {group}").random() < s.test_share for group in sorted(set(rows[s.group]))
    }
    return {str(row) for row, group in zip(rows[s.id], rows[s.group], strict=True) if drawn[group]}


def consensus(made: Round, ids: Sequence[str]) -> dict[str, str]:
    """The label that more than half of a row's votes give it; without a file of votes, what the label's column says.

    Rows without such a label are left out.
    """
    if made.votes is None:
        known = dict(zip(made.rows[made.settings.id], made.rows[made.settings.label], strict=True))
        return {row: str(known[row]) for row in ids}
    wanted, counts = set(ids), defaultdict[str, Counter[str]](Counter)
    for row, label in zip(made.votes["item"], made.votes["label"], strict=True):
        if row in wanted:
            counts[row][label] += 1
    top = {row: cast.most_common(1)[0] for row, cast in counts.items()}
    return {row: label for row, (label, n) in top.items() if 2 * n > counts[row].total()}


def decide(made: Round, answers: Mapping[str, Found], ask: Asked, predicted: Mapping[str, str]) -> Decided:
    """The next version's rows.

    A claimed failure is confirmed where people agree on the claimed label and the model in force (``predicted``, label by id)
    says another; of these a share, drawn from the secret, joins the test rows, the rest is trained on. Where rows have groups it is
    the groups that are drawn. Claims that are not
    confirmed, but agreed on, were paid for and are trained on, too. A suspected label is repaired where people agree on
    another one. Rows that were trained on never become test rows.
    """
    rows = {str(row[made.settings.id]): row for row in made.rows.to_dict("records")}
    said = consensus(made, [*ask.find, *ask.repair, *ask.buy])
    number = made.number + 1
    claims = answers["find"].claims if "find" in answers else {}
    failures = [row for row in ask.find if said.get(row) == claims[row] and predicted[row] != said[row]]
    kept = kept_for_tests(made)
    tested = kept & set(failures) if made.settings.group else _share(failures, made, number)
    checked = [row for row in ask.find if row in said and row not in kept | set(failures)]
    repaired = [row for row in ask.repair if row in said and said[row] != rows[row]["given"]]
    bought = [row for row in ask.buy if row in said]
    for kind, how, these in (("find", "failure", failures), ("find", "checked", checked), ("buy", "bought", bought)):
        for row in these:
            came = {"how": how, "since": str(number), "by": answers[kind].run_id}
            rows[row].update(came, given=said[row], part=TEST if row in tested else TRAIN)
    for row in repaired:
        note = f"r{number}: {rows[row]['given']} -> {said[row]} ({answers['repair'].run_id})"
        rows[row].update(given=said[row], repaired="; ".join(filter(None, (rows[row]["repaired"], note))))
    counts = {
        "asked": len(ask), "agreed": len(said), "failures": len(failures), "failures_tested": len(tested),
        "checked": len(checked), "repaired": len(repaired), "bought": len(bought),
    }  # fmt: skip
    return Decided(pd.DataFrame(list(rows.values()), columns=made.rows.columns), counts)


def _share(failures: Sequence[str], made: Round, number: int) -> set[str]:
    draw = generator(made.settings.secret, number, "failures that become test rows")
    return set(draw.permutation(failures)[: round(made.settings.test_share * len(failures))].tolist())


def at_random(made: Round, count: int, draws: int) -> list[dict[str, str]]:
    """What the same number of questions gets where rows are drawn at random: labels by id, for every draw.

    A row that nobody has voted on gets what the label's column says, which is kind to the comparison.
    """
    waiting = np.array(sorted(set(made.ids(WAITING)) - kept_for_tests(made)))
    rng = generator(made.settings.secret, made.number, "rows asked about at random")
    known = dict(zip(made.rows[made.settings.id], made.rows[made.settings.label], strict=True))
    voted = set() if made.votes is None else set(made.votes["item"])
    drawn = [rng.permutation(waiting)[:count].tolist() for _ in range(draws)]
    return [
        {row: str(known[row]) for row in rows if row not in voted}
        | consensus(made, [row for row in rows if row in voted])
        for rows in drawn
    ]
