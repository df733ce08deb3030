"""Collections of texts and of crowds: sizes and shares that their authors printed, counted in the files."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np

from harness.data.crowd import LabelmeCrowd, SentimentCrowd
from harness.data.fetch import DataFile
from harness.data.nltk_text import archive
from harness.errors import ProtocolError
from tests.published.table import About, Row, path

_RAW = "https://raw.githubusercontent.com"
_EMOTIONS = f"{_RAW}/monologg/GoEmotions-pytorch/b75f9d3a8b76bc1060687925b04ca98a1b8ea66b/data/original"
_GOEMOTIONS = {
    part: DataFile("goemotions", f"{part}.tsv.gz", sha256, f"{_EMOTIONS}/{part}.tsv", plain)
    for part, sha256, plain in (
        (
            "train",
            "e475c21512fc5f3af853f020606182afc1d05afccf1db89d05b15951d28fdcb3",
            "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5",
        ),
        (
            "dev",
            "d4fb2394e2eae4e6da5f590da1c1584040c9f23caae197a00606e31a72e1e3e5",
            "575489c079c9de1097062a01738f998590d6b7ead66dd1c9fd1d2ba01fd8bc62",
        ),
        (
            "test",
            "2ba5ddb563bad4c843b7bedfafeb62df589a423a1011f7175f463843a584d35c",
            "0587b2dd8b27b97352adbfc3fb083d46005c8946657fdc2b1ca8b1cc7f1f8be4",
        ),
    )
}
_SMS = DataFile(
    "sms_spam",
    "sms.tsv.gz",
    "03ea761204ef0452667e3eb6c114883ae6cabc779e86d31d55daebb1acb709fd",
    f"{_RAW}/justmarkham/pycon-2016-tutorial/5339710562cc46c4a32a369d63f1e8751a18a54e/data/sms.tsv",
    "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d",
)
_LABELME, _SENTIMENT = ({file.name: file for file in kind.files()} for kind in (LabelmeCrowd, SentimentCrowd))
_CROWDS = {name: (files["answers.txt.gz"], files[f"{stem}_Z_train.txt"]) for name, files, stem in (
    ("LabelMe", _LABELME, "LabelMe"), ("sentiment", _SENTIMENT, "Sentiment"),
)}  # fmt: skip
ABOUT = About(
    "Sizes and shares of text and crowd collections",
    "Pang and Lee, ACL 2004 (Subj) and 2005 (MR); Almeida, Gomez Hidalgo and Yamakami, DocEng 2011 (SMS spam); Demszky et al., ACL 2020"
    " (GoEmotions); Rodrigues, Lourenco, Ribeiro and Pereira, TPAMI 2017 (LabelMe); Rodrigues, Pereira and Ribeiro, 2013 (sentiment)",
    "Subj and MR: the readmes in the two archives. SMS spam: www.dt.fee.unicamp.br/~tiago/smsspamcollection, the authors' page; the percentage"
    " typed in, not checked against a copy of the paper. GoEmotions: goemotions/README.md of google-research/google-research, and the sum of"
    " its three counts. LabelMe: answers an image as psych_metric/datasets/crowd_layer/README.md of prijatelj/bayesian_eval_ground_truth-free has"
    " them, from Rodrigues and Pereira, AAAI 2018; deviation and accuracy typed in, not checked against a copy of the paper. sentiment: workers"
    " as maml/data/_sentiment_polarity.py of ies-research/multi-annotator-machine-learning has them; answers typed in, not checked against a copy of the paper",
    "Counted in the files",
    within=0.0005,
    digits=3,
    files=(
        archive("subjectivity"),
        archive("sentence_polarity"),
        _SMS,
        *_GOEMOTIONS.values(),
        *(f for pair in _CROWDS.values() for f in pair),
    ),
)


def rows() -> list[Row]:
    found = []
    for name, part in (
        ("Subj and MR", _films),
        ("SMS spam", _messages),
        ("GoEmotions", _emotions),
        ("crowds", _workers),
    ):
        try:
            found += part()
        except ProtocolError as error:
            found.append(Row(name, float("nan"), None, reason=str(error)))
    return found


def _films() -> list[Row]:
    found = []
    for name, title, printed in (("subjectivity", "Subj", 5000), ("sentence_polarity", "MR", 5331)):
        with zipfile.ZipFile(path(archive(name))) as packed:
            for member in sorted(packed.namelist()):
                if not member.endswith("/") and "readme" not in member.lower():
                    count = len(packed.read(member).decode("latin-1").splitlines())
                    found.append(Row(f"{title}: sentences of {member.rpartition('/')[2]}", printed, count))
    return found


def _messages() -> list[Row]:
    ham = [line.startswith("ham\t") for line in _lines(_SMS)]
    return [
        Row("SMS spam: messages", 5574, len(ham)),
        Row("SMS spam: ham", 4827, sum(ham)),
        Row("SMS spam: percent ham", 86.60, 100 * float(np.mean(ham)), within=0.005),
    ]


def _emotions() -> list[Row]:
    count = {part: len(_lines(file)) for part, file in _GOEMOTIONS.items()}
    printed = {"train": 43410, "dev": 5426, "test": 5427}
    parts = [Row(f"GoEmotions: comments, {part}", printed[part], count[part]) for part in printed]
    return [*parts, Row("GoEmotions: comments on which raters agree", 54263, sum(count.values()))]


def _workers() -> list[Row]:
    answers, truth = (_whole(file) for file in _CROWDS["LabelMe"])
    said = answers >= 0
    right = np.array([np.mean(answers[s, j] == truth[s, 0]) for j, s in enumerate(said.T) if s.any()])
    sentences = _whole(_CROWDS["sentiment"][0]) >= 0
    return [
        Row("LabelMe: answers an image", 2.547, float(said.sum(axis=1).mean())),
        Row("LabelMe: their standard deviation", 0.576, float(said.sum(axis=1).std())),
        Row("LabelMe: mean accuracy of a worker", 0.692, float(right.mean())),
        Row("LabelMe: its standard deviation", 0.181, float(right.std())),
        Row("sentiment: answers", 27747, int(sentences.sum()), reason=_ONE_LESS),
        Row("sentiment: workers", 203, int(sentences.any(axis=0).sum())),
    ]


_ONE_LESS = "Cause not known: the file, of fmenat/PyLearningCrowds, has 27,746 answers to 4,999 sentences, and the figure beside it was not checked"


def _lines(file: DataFile) -> list[str]:
    return _plain(file).decode("utf-8").removesuffix("\n").split("\n")


def _whole(file: DataFile) -> np.ndarray:
    return np.loadtxt(io.BytesIO(_plain(file)), np.int64, ndmin=2)


def _plain(file: DataFile) -> bytes:
    """What is in a file, which lies packed in a directory of data and plain in the cache."""
    found = path(file)
    return gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
