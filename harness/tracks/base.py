"""What a track is: how a view and its key are made, what an output must look like, how it is scored.

A protocol is one file here with one :class:`Track` subclass, one ``conf/track/<name>.yaml`` and one test fixture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from harness import randomness
from harness.api import FloatArray, IntArray, Task, Texts
from harness.data.base import Dataset
from harness.errors import HarnessError
from harness.models.base import FixedModel

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Reference = Literal["random", "skyline"]


class Settings(BaseModel):
    """Base of a track's own settings: everything under ``track:`` in a challenge. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    track_type: ClassVar[type[Track[Any, Any]]]  # the protocol these are the settings of, which says so itself
    name: str

    def left_out(self) -> frozenset[str]:
        """Fields of the task that are None under these settings."""
        return frozenset()


@dataclass(frozen=True)
class View:
    """What the sandbox is given for one seed: the fields of its task but ``rng`` and ``model``. Nothing hidden."""

    arrays: Arrays
    scalars: Mapping[str, int | float | str]
    texts: Mapping[str, Texts] = field(default_factory=dict)


def texts_of(dataset: Dataset, **rows: npt.NDArray[np.int64]) -> dict[str, Texts]:
    """``View.texts`` of a data set of texts: the documents of the rows [k] under each name; nothing of any other data.

    ``texts`` are of the rows that the answer is about, ``texts_val`` of X_val; a part without rows is left out.
    """
    documents = dataset.texts
    return {} if documents is None else {name: documents[part] for name, part in rows.items() if len(part)}


@dataclass(frozen=True)
class Score:
    """What the scorer says of one cell.

    ``items`` are arrays whose first axis is the test items (or slots, or rows: what is resampled for the interval);
    the track's ``statistic`` recomputes ``value`` from them, so intervals and paired tests need no retraining.
    """

    value: float
    items: Arrays  # each [m, ...]
    metrics: Mapping[str, float] = field(default_factory=dict)  # secondary metrics, finite floats or nan
    curve: FloatArray | None = None  # [p, 2]: x, y of the track's curve

    @classmethod
    def mean(cls, scores: Sequence[Score], value: float, items: Arrays) -> Score:
        """One score of several draws of the same: metrics and curves are means; value and items are what the protocol makes of them."""
        metrics = {name: float(np.mean([score.metrics[name] for score in scores])) for name in scores[0].metrics}
        curves = [score.curve for score in scores if score.curve is not None]
        return cls(value, items, metrics, np.mean(curves, axis=0) if curves else None)


class Dialogue(ABC):
    """The trusted side of one cell of a protocol in rounds; made anew for every cell by :meth:`Track.dialogue`.

    Hand ``reply`` to the sandbox (``Job.reply``); when the worker has ended, ``output`` takes the place of
    ``Track.read_output``: the sandbox keeps the arrays of the last round only, the dialogue all of them.
    """

    @abstractmethod
    def reply(self, round: int, arrays: Arrays) -> Arrays | None:
        """Validate what round 0, 1, ... returned; give the task's fields to replace for the next one, None to end.

        Raises SubmissionError naming the first offending position and the rule.
        """

    @abstractmethod
    def output(self) -> Arrays:
        """Everything returned over the rounds, as ``Track.score`` takes it.

        Raises SubmissionError (no_output) if the algorithm ended before its last round.
        """


S = TypeVar("S", bound=Settings)
K = TypeVar("K")


class Track(ABC, Generic[S, K]):
    """One protocol bound to its settings, data, fixed model and secret. Trusted side only."""

    needed: ClassVar[tuple[str, ...]] = ("name", "track", "task", "metric", "settings_class")  # of every protocol
    name: ClassVar[str]  # name of the protocol, as in conf/track/<name>.yaml
    track: ClassVar[str]  # the track it is recorded under
    task: ClassVar[type[Task]]  # what the algorithm sees and returns
    metric: ClassVar[str]  # name of the primary metric
    direction: ClassVar[Literal["max", "min"]] = "max"
    scorer_version: ClassVar[int] = 1  # raise it whenever a score could change: part of the fingerprint
    curve_axes: ClassVar[tuple[str, str]] = ("", "")  # labels of Score.curve
    settings_class: ClassVar[type[Settings]]
    learns: ClassVar[Literal["rows", "documents"]] = "rows"  # what its fixed model is trained on
    rounds: ClassVar[bool] = False  # True: the algorithm is called once a round, see `dialogue`
    transferable: ClassVar[bool] = (
        False  # True: the model is trained on what is returned, and draws do not depend on it
    )
    tie_break: ClassVar[str] = ""  # the secondary metric, higher is better, that orders rows of the very same score
    score_alone: ClassVar[bool] = False  # an older board's own rule: its score ranks, however little it is sure of

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "settings_class" in vars(cls):
            cls.settings_class.track_type = cls

    def __init__(self, settings: S, dataset: Dataset, model: FixedModel, secret: str) -> None:
        self.settings = settings
        self.dataset = dataset
        self.model = model
        self.secret = secret

    @classmethod
    def without_data(cls, settings: S, n_classes: int) -> Track[S, K]:
        """The protocol for ``statistic`` and ``suspicious_above`` alone: scores are recomputed where the data are not."""
        empty = Dataset("", np.empty((0, 1), np.float32), np.empty(0, np.int64), tuple(map(str, range(n_classes))))
        track = cls.__new__(cls)  # a protocol's own constructor may refuse data that it cannot be played with
        Track.__init__(track, settings, empty, None, "")  # type: ignore[arg-type]
        return track

    def rng(self, seed: int, purpose: str) -> np.random.Generator:
        """The generator for one seed and purpose of this challenge."""
        return randomness.generator(self.secret, seed, purpose)

    @abstractmethod
    def prepare(self, seed: int) -> tuple[View, K]:
        """Draw split, noise and whatever else the seed decides. Raises ProtocolError if the data cannot do it."""

    def rows(self, seed: int) -> IntArray:
        """Rows of the data set that indices of this seed's answers name, in the view's order: [n] int64.

        For whoever goes on with what was found. Raises HarnessError where answers name no rows.
        """
        raise HarnessError(f"Answers to protocol {self.name} are not traced back to rows of the data.")

    @abstractmethod
    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        """Validate what a submission returned (names already as in ``task.outputs``) and return it in canonical dtype.

        Raises SubmissionError naming the first offending position and the rule.
        """

    def dialogue(self, view: View, key: K, seed: int) -> Dialogue:
        """For protocols in rounds (``rounds`` is True): the conversation with one cell's algorithm.

        There ``read_output`` validates the whole history, as :meth:`Dialogue.output` gives it.
        """
        raise HarnessError(f"Track {self.name} has no rounds; its algorithms are called once.")

    @abstractmethod
    def score(self, output: Arrays, view: View, key: K, seed: int) -> Score:
        """Score a valid output against the key, training the fixed model as the protocol says."""

    @abstractmethod
    def reference(self, which: Reference, view: View, key: K, seed: int) -> Score:
        """The harness's own floor (``random``) or oracle (``skyline``) on this seed, scored like a submission."""

    @abstractmethod
    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """``Score.value`` recomputed under item weights: weights [r, m] >= 0 -> [r]. All-ones gives ``value`` itself.

        Of data, model and key it uses nothing but the number of classes.
        """

    def suspicious_above(self, skyline: float) -> float:
        """The score beyond which a result is held for a person to look at (for direction ``min``: below which).

        The skyline itself, unless the track's skyline is no true bound; such tracks override this and say why.
        """
        return skyline
