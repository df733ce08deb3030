"""The kinds of task: their fields are what an algorithm is given, ``outputs`` what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from harness.api.arrays import FloatArray, IntArray
from harness.api.models import LanguageModel, Model
from harness.api.texts import Texts


@dataclass(frozen=True)
class Task:
    """What every task has. A kind of task is a class derived from this one: its fields are what an algorithm sees.

    ``texts`` and ``texts_val`` hold the documents that the rows of X and X_val were made from, where the data are text.
    """

    kind: ClassVar[str] = ""  # its name: ``track`` in submission.yaml
    outputs: ClassVar[tuple[str, ...]] = ()  # names of the arrays an algorithm returns, in order
    function: ClassVar[str] = ""  # usual name of the algorithm's function; ``entry`` in submission.yaml decides

    n_classes: int
    rng: np.random.Generator
    model: Model
    texts: Texts | None = field(default=None, kw_only=True)
    texts_val: Texts | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class SelectionTask(Task):
    """Choose at most ``budget`` rows to train on; return unique row indices, int [<= budget]."""

    kind = "selection"
    outputs = ("indices",)
    function = "select"

    X: FloatArray  # [n, d] or [n, h, w] or [n, h, w, c] float32: the pool
    y: IntArray | None  # [n] int64, None where the challenge hides labels
    budget: int
    X_val: FloatArray | None  # small clean validation set, where the challenge grants one
    y_val: IntArray | None
    group: IntArray | None = field(default=None, kw_only=True)  # [n] 0..G-1, in challenges that show groups


@dataclass(frozen=True)
class DebuggingTask(Task):
    """Find wrong labels; return row indices to inspect, most suspicious first (a permutation of n or a prefix)."""

    kind = "debugging"
    outputs = ("indices",)
    function = "rank"

    X: FloatArray  # [n, d] float32
    y: IntArray  # [n] int64, some of them wrong
    X_val: FloatArray | None  # [m, d] clean rows, None in challenges without them
    y_val: IntArray | None


@dataclass(frozen=True)
class DebuggingCorrectTask(Task):
    """Mend wrong labels; return (indices [<= budget], labels): rows in the order to mend them, and a new label for each."""

    kind = "debugging_correct"
    outputs = ("indices", "labels")
    function = "correct"

    X: FloatArray  # [n, d] float32
    y: IntArray  # [n] int64, some of them wrong
    budget: int  # rows that may be given a label
    X_val: FloatArray | None  # [m, d] clean rows, None in challenges without them
    y_val: IntArray | None


@dataclass(frozen=True)
class SlicingTask(Task):
    """Find groups where the model fails; return membership scores [n_test, k], k <= max_slices, one column a slice."""

    kind = "slicing"
    outputs = ("membership",)
    function = "find_slices"

    X_val: FloatArray  # [m, d] float32
    y_val: IntArray  # [m] int64
    proba_val: FloatArray  # [m, C] the fixed model's probabilities
    X_test: FloatArray  # [n_test, d]
    proba_test: FloatArray  # [n_test, C]
    max_slices: int


@dataclass(frozen=True)
class ValuationTask(Task):
    """Value every training row; return values [n], higher = worth more."""

    kind = "valuation"
    outputs = ("values",)
    function = "value"

    X: FloatArray  # [n, d]
    y: IntArray  # [n]
    X_val: FloatArray  # [m, d]
    y_val: IntArray  # [m]


@dataclass(frozen=True)
class AttributionTask(Task):
    """Say how much each training row raises what the model answers to each query; return scores [q, n], higher = raises it.

    The answer to a query is the margin log(p / (1 - p)) of the probability p that the fixed model, trained on some of the
    rows, gives the query's label. What counts is how well the sum of a query's scores over random halves of the rows
    orders the margins of models trained on those halves. ``model`` trains at most ``max_fits`` models.
    """

    kind = "attribution"
    outputs = ("scores",)
    function = "attribute"

    X: FloatArray  # [n, ...] float32
    y: IntArray  # [n] int64
    X_query: FloatArray  # [q, ...] float32
    y_query: IntArray  # [q] their labels
    max_fits: int  # models that task.model may train in all


@dataclass(frozen=True)
class TrainingSetTask(Task):
    """Create a training set; return (X' [m, ...] float32, y' [m] int) with m <= budget, same shape and range as X."""

    kind = "training_set"
    outputs = ("X", "y")
    function = "create_training_set"

    X: FloatArray  # raw rows
    y: IntArray  # raw labels: dirty, imbalanced, few
    budget: int  # cap on rows
    low: float  # smallest allowed value of X'
    high: float  # largest allowed value of X'
    updates: int  # gradient updates of the fixed model, whatever the size of the set; 0: it trains to its optimum
    X_val: FloatArray | None
    y_val: IntArray | None


@dataclass(frozen=True)
class DistillationTask(Task):
    """Put many rows into few; return (X' [m, ...] float32, y' [m] int) with m <= budget, rows of every class among them.

    The rows may be made: every value in ``low``..``high``, and one label a row.
    """

    kind = "distillation"
    outputs = ("X", "y")
    function = "distil"

    X: FloatArray  # [n, ...] clean rows
    y: IntArray  # [n] their labels
    budget: int  # rows that may be returned
    low: float  # smallest allowed value of X'
    high: float  # largest allowed value of X'
    updates: int  # gradient updates of the fixed model, whatever the size of the set; 0: it trains to its optimum
    X_val: FloatArray | None  # further clean rows, where the challenge grants some
    y_val: IntArray | None


@dataclass(frozen=True)
class TestSetTask(Task):
    """Create a test set that breaks unseen models; return (indices [k], labels [k]): pool rows and claimed labels."""

    kind = "test_set"
    outputs = ("indices", "labels")
    function = "create_test_set"

    X: FloatArray  # [n, ...] unlabelled pool
    public_proba: FloatArray  # [m, n, C] probabilities of the m public models on the pool
    budget: int  # k
    class_floor: int  # every class must be claimed at least this often


@dataclass(frozen=True)
class TestSetRepairTask(Task):
    """Repair a test set; return (indices [<= budget], labels): rows whose label is wrong, and the right label of each."""

    kind = "test_set_repair"
    outputs = ("indices", "labels")
    function = "repair_test_set"

    X: FloatArray  # [n, ...] float32: the test set
    y: IntArray  # [n] its labels, some of them wrong
    public_proba: FloatArray  # [m, n, C] probabilities of m public models, trained on other, clean rows
    budget: int  # labels that may be changed


@dataclass(frozen=True)
class SelectionActiveTask(Task):
    """Called once a round: return the rows to label next, int [batch], none of them labelled yet.

    The module stays loaded between rounds; what it keeps in globals is still there in the next one.
    """

    kind = "selection_active"
    outputs = ("indices",)
    function = "select"

    X: FloatArray  # [n, ...] float32: the pool
    labelled: IntArray  # [m] rows whose labels are known, in the order bought; `batch` more every round
    y_labelled: IntArray  # [m] their labels
    batch: int  # rows to return
    rounds: int  # calls in all


@dataclass(frozen=True)
class SelectionActiveCrowdTask(Task):
    """Called once a round: return (indices [k], annotators [k]), whom to ask about which row, for at most ``money``.

    Nobody is asked about the same row twice. Every question costs what its annotator takes; what is not spent is there
    in the next round. The module stays loaded between rounds.
    """

    kind = "selection_active_crowd"
    outputs = ("indices", "annotators")
    function = "ask"

    X: FloatArray  # [n, ...] float32: the pool
    gold: IntArray  # [g] rows whose true labels are known from the start; annotators can be tested on them
    y_gold: IntArray  # [g] their labels
    prices: IntArray  # [a] what one answer of each annotator costs; how often each is right is not known
    asked: IntArray  # [v] rows asked about so far, in that order
    asked_of: IntArray  # [v] the annotator of each question, 0..a-1
    votes: IntArray  # [v] the answers
    labelled: IntArray  # [m] rows the fixed model is now trained on: gold ones, then those with a vote, rising
    y_labelled: IntArray  # [m] their labels: gold, or the harness's consensus of the votes
    money: int  # what may be spent in this round
    rounds: int  # calls in all


@dataclass(frozen=True)
class FlywheelTask(Task):
    """Called once a period: return the rows of this period to label, int [budget], all different.

    The module stays loaded between periods; what it keeps in globals is still there in the next one.
    """

    kind = "flywheel"
    outputs = ("indices",)
    function = "choose"

    X_labelled: FloatArray  # [m, ...] float32: rows labelled so far; those bought in the last period come last
    y_labelled: IntArray  # [m] their labels
    X: FloatArray  # [n, ...] rows that arrived in this period
    proba: FloatArray  # [n, C] what the fixed model, trained on all labelled rows, says of them
    failures: IntArray  # [f] rows of X that were reported as failures of that model, and confirmed by people's votes
    y_failures: IntArray  # [f] the label that most of the voters gave; to be trained on, a row has to be bought
    budget: int  # rows to return
    rounds: int  # calls in all


@dataclass(frozen=True)
class ValuationSetsTask(Task):
    """Predict what each of m candidate sets is worth; return accuracy gains [m] in -1..1, 0.02 for two points.

    The gain of set j: test accuracy of the fixed model trained on base and set j, less that of base alone.
    """

    kind = "valuation_sets"
    outputs = ("gains",)
    function = "value"

    X: FloatArray  # [n, d] base set
    y: IntArray  # [n] its labels
    X_sets: FloatArray  # [N, d] rows of all candidate sets; their labels are not known
    set_of: IntArray  # [N] the set each of them belongs to, 0..m-1
    n_sets: int  # m


@dataclass(frozen=True)
class AcquisitionTask(Task):
    """Buy training rows unseen, in k markets of s sellers; return rows to buy, int [k, s], each market in budget.

    Two classes. Every market trains its own model; what the budget leaves over earns a little.
    """

    kind = "acquisition"
    outputs = ("purchases",)
    function = "buy"

    rows: IntArray  # [k, s] rows each seller has
    prices: FloatArray  # [k, s] price of one row
    budget: float  # in each market
    edges: FloatArray  # [d, 11] bin edges of every feature, the same for all sellers
    histograms: IntArray  # [k, s, d, 10] the seller's rows in each bin
    correlations: FloatArray  # [k, s, d] Pearson correlation of feature and the seller's labels; 0 if constant
    X_samples: FloatArray  # [k, s, 5, d] sample rows of each seller
    y_samples: IntArray  # [k, s, 5] with the labels it sells


@dataclass(frozen=True)
class SelectionPairsTask(Task):
    """Give at most ``budget`` rows of an unlabelled pool a label of your own, for each of several concepts.

    Return (concepts [k], indices [k], labels [k]): in the training set of ``concepts[i]``, row ``indices[i]`` of the
    pool carries ``labels[i]``: 1 shows the concept, 0 does not. No row twice in one concept, both labels in each.
    """

    kind = "selection_pairs"
    outputs = ("concepts", "indices", "labels")
    function = "select"

    X: FloatArray  # [n, d] float32: the pool
    examples: IntArray  # [e] rows known to show a concept
    concept_of: IntArray  # [e] which one, 0..n_concepts-1
    n_concepts: int
    budget: int  # pairs per concept


@dataclass(frozen=True)
class AnnotationTask(Task):
    """Make one label an item of what several annotators said of it; return labels, int [n_items].

    Where ``soft`` is true return probabilities, float [n_items, C], every row adding up to 1.
    """

    kind = "annotation"
    outputs = ("labels",)
    function = "infer"

    X: FloatArray | None  # [n_items, ...] float32, None in challenges that hide it
    item: IntArray  # [m] the item each vote is about, 0..n_items-1; votes stand in random order
    annotator: IntArray  # [m] who cast it, 0..n_annotators-1
    label: IntArray  # [m] the class it names
    gold: IntArray  # [g] items whose true label is known; may be empty
    y_gold: IntArray  # [g] their true labels
    n_items: int
    n_annotators: int
    soft: bool


@dataclass(frozen=True)
class WeightingTask(Task):
    """Weight the training rows; return weights [n] >= 0, or [n_sources] where ``by_source`` is true.

    The fixed model is trained with these weights over their mean: their scale counts for nothing.
    """

    kind = "weighting"
    outputs = ("weights",)
    function = "weigh"

    X: FloatArray  # [n, ...] float32
    y: IntArray  # [n] int64, some of them wrong
    source: IntArray | None  # [n] the source of each row, 0..n_sources-1; None in challenges of one source
    X_val: FloatArray | None  # [m, ...] clean rows, None in challenges without them
    y_val: IntArray | None
    n_sources: int
    by_source: bool


@dataclass(frozen=True)
class CleaningTask(Task):
    """Clean a table; return (cells [n, d] repaired, keep [n]: True or 1 for the rows to learn from).

    A column holds numbers, or codes 0..L-1 of its levels ``task.levels[task.first_level[j] : task.first_level[j + 1]]``.
    Every returned cell has a value; what is changed lies in ``least``..``most``, or is one of the column's codes.
    """

    kind = "cleaning"
    outputs = ("cells", "keep")
    function = "clean"

    cells: FloatArray  # [n, d] float64: numbers and codes; nan where a cell is missing or its text is no number
    missing: npt.NDArray[np.bool_]  # [n, d] nothing stands in the cell
    y: IntArray  # [n] the label of each row; not to be returned
    is_category: npt.NDArray[np.bool_]  # [d]
    least: FloatArray  # [d] float64, domain of numbers; -inf and inf where nothing is known; of codes 0
    most: FloatArray  # [d] of codes the number of the column's levels, less 1
    first_level: IntArray  # [d + 1] where each column's levels begin
    allowed: npt.NDArray[np.bool_]  # [L] whether a level is in the column's domain; all are where none is known
    levels: Texts  # [L] of all columns, one after the other
    names: Texts  # [d] of the columns
    raw: Texts  # [n * d] every cell as it was found, row by row


@dataclass(frozen=True)
class SelectionLmTask(Task):
    """Order the documents of a pool; the fixed language model is trained on the first ones, up to ``budget`` bytes.

    Return unique indices of ``texts``, best first, int [<= n]. Documents are taken whole, until the first one that does
    not fit. What counts is what the model then pays for hidden documents of ``n_classes`` target domains.
    """

    kind = "selection_lm"
    outputs = ("indices",)
    function = "select"

    model: LanguageModel  # type: ignore[assignment]
    texts: Texts = field(kw_only=True)  # [n] the pool
    samples: Texts  # [k] documents of target domains; of some domains there may be none
    sample_target: IntArray  # [k] the target domain of each, 0..n_classes-1
    budget: int  # bytes


@dataclass(frozen=True)
class CleaningLmTask(Task):
    """Say which documents of a dirty pool to keep; the fixed language model is trained on them, up to ``budget`` bytes.

    Return unique indices of ``texts``, int [<= n]. Documents are taken whole and in this order, until the first one that
    does not fit. What counts is what the model then pays for hidden clean documents.
    """

    kind = "cleaning_lm"
    outputs = ("indices",)
    function = "clean"

    model: LanguageModel  # type: ignore[assignment]
    texts: Texts = field(kw_only=True)  # [n] the pool, clean and dirty
    budget: int  # bytes


@dataclass(frozen=True)
class MixtureTask(Task):
    """Predict what models trained on other mixtures of domains would lose; return losses [m, t], a column a target."""

    kind = "mixture"
    outputs = ("losses",)
    function = "predict"

    mixtures: FloatArray  # [K, d] float32 shares of the domains, rows adding up to 1 but for rounding: models that were trained
    losses: FloatArray  # [K, t] float64 validation loss of each on every target domain, nats a token
    candidates: FloatArray  # [m, d] float32 mixtures whose losses are asked for
    domains: Texts  # [d] names
    targets: Texts  # [t] names


@dataclass(frozen=True)
class MixtureLmTask(Task):
    """Weigh d domains of text; the fixed language model is trained on ``budget`` bytes of the mixture.

    Return shares of the domains, ``weights`` [d] >= 0, adding up to 1. What counts is what the model then pays for hidden
    documents of the ``n_classes`` target domains.
    """

    kind = "mixture_lm"
    outputs = ("weights",)
    function = "weigh"

    model: LanguageModel  # type: ignore[assignment]
    texts: Texts = field(kw_only=True)  # [n] documents that mixtures are made of
    domain: IntArray  # [n] the domain of each, 0..d-1
    mixtures: FloatArray  # [K, d] shares that the model was trained on
    losses: FloatArray  # [K, t] bits per byte of each on other documents of every target domain
    budget: int  # bytes
    domains: Texts  # [d] names
    targets: Texts  # [t] names


TASKS: dict[str, type[Task]] = {
    kind.kind: kind
    for kind in (
        SelectionTask,
        DebuggingTask,
        DebuggingCorrectTask,
        SlicingTask,
        ValuationTask,
        AttributionTask,
        TrainingSetTask,
        DistillationTask,
        TestSetTask,
        TestSetRepairTask,
        SelectionActiveTask,
        SelectionActiveCrowdTask,
        FlywheelTask,
        SelectionPairsTask,
        ValuationSetsTask,
        AcquisitionTask,
        AnnotationTask,
        WeightingTask,
        CleaningTask,
        SelectionLmTask,
        CleaningLmTask,
        MixtureTask,
        MixtureLmTask,
    )
}
"""The harness's own task kinds by name. A variant protocol with another view has a kind of its own."""
