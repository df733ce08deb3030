"""Pervasive label errors: what five people said of the labels that confident learning doubted, counted again."""

from __future__ import annotations

import json

import numpy as np

from tests.published.table import About, Row, path, pinned

_ADDRESS = "https://raw.githubusercontent.com/cleanlab/label-errors/6d5d6b31a13216290afc40e5c6319399c4d15c06"
_VOTES = {
    "mnist_mturk.json": "448bd00fc9df262c68d50d48709d7fa3d5dc966bc66580e5df20e0dcba6e5612",
    "cifar10_mturk.json": "81b2c16c9eee060d6cc2390f6bbce1e0e7be0a050574be5177c9428f3596b5b5",
    "imdb_mturk.json": "80c15f04208276a4433b8f3d76405203487e38e95397709f762133fa10e82486",
    "20news_mturk.json": "0f14cda08aedfa79e883aaf6db43adfbf91b4affd5947cd832b7ccfb2d4dafc4",
}
_PROBABILITIES = {
    "mnist_test_set_pyx.npy": "403d0f1188c8940ceb47994a2cd9eb2aee6946810b5488d9d4501c97e09f30c2",
    "cifar10_test_set_pyx.npy": "c445b25cee680e3919b4bd81d230a5c7c2179ed556609d84e000ee046bb44b49",
    "imdb_test_set_pyx.npy": "0ff95c853bbe5060a8321a534d2bacadee32974f87810791df37d594765e3fa7",
    "20news_test_set_pyx.npy": "aa3669c77dd6d8c35a450879f168f6ef862c594dd9f443a61151a4a6ee57c5f9",
}
_LABELS = {
    "mnist_test_set_original_labels.npy": "9c4b8d0ef379b2ce0d312470484d79e282a47e092738fca1edff326f9b67c20e",
    "cifar10_test_set_original_labels.npy": "8fba587d5b11011df52b2a20eb4a272eeaf20c2d162554059f714d4b78d23aed",
    "imdb_test_set_original_labels.npy": "f489eda3b18f3cdb66877809ca0768ac99facebbdad57114e4162b02c08169c4",
    "20news_test_set_original_labels.npy": "079079c382f23c63d6af73102ac89d68c1141ab32f03b0d8fd6565c83c862616",
}
_FILES = {
    **pinned("label_errors", f"{_ADDRESS}/mturk", _VOTES),
    **pinned("label_errors", f"{_ADDRESS}/cross_validated_predicted_probabilities", _PROBABILITIES),
    **pinned("label_errors", f"{_ADDRESS}/original_test_labels", _LABELS),
}
ABOUT = About(
    "Pervasive label errors in test sets",
    "Northcutt, Athalye and Mueller, NeurIPS Datasets and Benchmarks 2021 (arXiv:2103.14749)",
    "tables 1 and 2, typed in, not checked against a copy of the paper, but for the 15 of MNIST, which the authors' post l7.curtisnorthcutt.com/label-errors"
    " prints; what is doubted: read in the notebook of their repository cleanlab/label-errors at commit 6d5d6b3",
    "Votes counted: a label is wrong if fewer than three of five people chose it, correctable if three of them chose the guess. Doubted: what"
    " cleanlab, as our baseline `debugging/confident_learning` calls it, finds in the published probabilities; the authors printed"
    " these with cleanlab 1.0 in examples/Tutorial - How To Find Label Errors With CleanLab.ipynb",
    digits=0,
    files=tuple(_FILES.values()),
)
_SETS = {  # shown to people, wrong, of these correctable and with both labels right; doubted in the notebook
    "mnist": ("MNIST", 100, 15, 10, None, 15),
    "cifar10": ("CIFAR-10", 275, 54, 18, 0, 284),
    "imdb": ("IMDb", 1310, 725, 173, None, 1309),
    "20news": ("20news", 93, 82, 22, 12, 95),
}


def rows() -> list[Row]:
    return [row for name in _SETS for row in _rows(name)]


def _rows(name: str) -> list[Row]:
    title, shown, wrong, correctable, both, doubted = _SETS[name]
    votes = [item["mturk"] for item in json.loads(path(_FILES[f"{name}_mturk.json"]).read_text(encoding="utf-8"))]
    errors = [vote for vote in votes if vote["given"] < 3]
    found = [
        Row(f"{title}: shown to people", shown, len(votes)),
        Row(f"{title}: wrong labels", wrong, len(errors)),
        Row(f"{title}: correctable", correctable, sum(vote["guessed"] >= 3 for vote in errors)),
    ]
    if both is not None:
        found.append(Row(f"{title}: both labels right", both, sum(vote["both"] >= 3 for vote in errors)))
    return [*found, _doubted(name, title, doubted)]


def _doubted(name: str, title: str, published: int) -> Row:
    from cleanlab.filter import find_label_issues

    probability = np.load(path(_FILES[f"{name}_test_set_pyx.npy"]), allow_pickle=False).astype(np.float64)
    probability = np.clip(probability, 0, 1)  # stored in half precision, some a little above 1
    labels = np.load(path(_FILES[f"{name}_test_set_original_labels.npy"]), allow_pickle=False).astype(np.int64)
    found = int(find_label_issues(labels, probability, n_jobs=1).sum())
    return Row(f"{title}: doubted in published probabilities", published, found)
