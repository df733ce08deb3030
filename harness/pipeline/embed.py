"""A data set of what a model that the user has makes of the rows of another: arrays, pinned, with a specification.

Challenges on features of a large model cost what the fixed model on top of them costs, a fraction of a second. No library of
models is a dependency; each is imported when it is asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import FloatArray, Texts
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.protocol import datasets, specifications
from harness.protocol.staging import staged, write, yaml_text

Rows = FloatArray | Sequence[str]
KINDS = "script:FILE, export:FILE, python:FILE.py:FUNCTION, timm:NAME, transformers:NAME or hashed:DIMENSION"


@dataclass(frozen=True)
class Encoder:
    """A model as a function of a batch of rows, [b, ...] float32 or b texts, to features [b, d]; and what it is, pinned."""

    encode: Callable[[Any], Any]
    said: str  # one line: the model and the SHA-256 of its weights or file
    texts: bool | None  # True: takes documents, False: arrays, None: whichever the data are


def encoder(model: str) -> Encoder:
    """The model of one of the words in ``KINDS``.

    Raises
    ------
    ProtocolError: another word, a file that is not there or is no model, a library that is not installed.
    """
    kind, _, name = model.partition(":")
    if kind not in _ENCODERS or not name:
        raise ProtocolError(f"{model!r:.80} names no model.", f"Say {KINDS}.")
    return _ENCODERS[kind](name)


def features(data: Dataset, model: Encoder, batch: int = 64) -> FloatArray:
    """What the model makes of every row: float32 [n, d], in the order of the rows, ``batch`` of them at a time.

    Raises
    ------
    ProtocolError: the data have no texts and the model takes some, or features are not finite numbers [b, d] of one d.
    """
    if model.texts and data.texts is None:
        raise ProtocolError(f"{data.name} has no texts, and {model.said} reads texts.", "Name a data set of kind text.")
    rows: FloatArray | Texts = data.X if model.texts is False or data.texts is None else data.texts
    made: list[FloatArray] = []
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        given = list(part) if isinstance(part, Texts) else np.array(part, np.float32)
        found = np.asarray(model.encode(given), np.float32)
        wanted = (len(given), made[0].shape[1] if made else found.shape[-1] if found.ndim else 0)
        if found.shape != wanted or not np.isfinite(found).all():
            what = f"shape {list(found.shape)}" if found.shape != wanted else "numbers that are not finite"
            raise ProtocolError(
                f"{model.said} gave {what} for rows {start} to {start + len(given) - 1}; [rows, d] is needed.",
                "Pool what it gives to one vector a row.",
            )
        made.append(found)
    return np.concatenate(made)


def embed(source: str, model: str, name: str, config_dir: Path, batch: int = 64) -> Path:
    """Write ``data/NAME.npz``, ``dataset/NAME.yaml`` and ``spec/NAME.yaml`` under ``config_dir``; the path of the first.

    Labels and the extras ``group``, ``time`` and ``part`` go along. Licence, source, creators and faults are those of the source's
    specification, where it has one. All three files appear at once, or none.

    Raises ProtocolError as :func:`encoder` and :func:`features`, for an unknown source, and where a file is there already.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,63}", name):
        raise ProtocolError(f"{name!r:.80} is no name of a data set.", "Lower-case letters, digits and _.")
    places = {
        kind: config_dir / kind / f"{name}.{'npz' if kind == 'data' else 'yaml'}"
        for kind in ("data", "dataset", "spec")
    }
    if there := [str(place) for place in places.values() if place.exists()]:
        raise ProtocolError(f"{there[0]} exists already.", "Take another name, or remove it first.")
    data = datasets.settings(source, config_dir if config_dir.is_dir() else None).load()
    chosen = encoder(model)
    X = features(data, chosen, batch)
    kept = {key: data.extras[key] for key in ("group", "time", "part") if key in data.extras}
    labels = np.array(data.class_names)[data.y]
    with staged(config_dir) as stage:
        new = {kind: stage / place.relative_to(config_dir) for kind, place in places.items()}
        new["data"].parent.mkdir(parents=True)
        np.savez(new["data"], X=X, y=labels, **kept)  # type: ignore[arg-type]
        sha256 = hashlib.sha256(new["data"].read_bytes()).hexdigest()
        plain = {"name": "arrays", "path": f"data/{name}.npz", "sha256": sha256} | {key: key for key in kept}
        write(new["dataset"], yaml_text(plain, f"{source} as {chosen.said} sees it; made by scripts/embed."))
        write(new["spec"], _specification(source, name, data, chosen, X.shape[1], config_dir))
        specifications.read(new["spec"])
        for kind in ("data", "spec", "dataset"):  # the one that names the others comes last
            places[kind].parent.mkdir(parents=True, exist_ok=True)
            new[kind].rename(places[kind])
    return places["data"]


def _specification(source: str, name: str, data: Dataset, model: Encoder, width: int, config_dir: Path) -> str:
    found = specifications.find(source, config_dir if config_dir.is_dir() else None)
    facts: dict[str, Any] = {"title": "", "purpose": "", "source": source, "creators": [], "license": ""}
    if found:
        whole = specifications.read(found).model_dump(mode="json", exclude_none=True)
        shared = (
            "title",
            "purpose",
            "source",
            "url",
            "creators",
            "license",
            "license_text",
            "privacy",
            "citation",
            "faults",
            "label",
        )
        facts |= {key: whole[key] for key in shared if key in whole}
        facts["label"] = facts.get("label", {}) | {"column": "y"}
        facts["title"] = f"{facts['title']}, embedded"
    columns: dict[str, Any] = {"X": {"type": "array", "means": f"Features [{len(data.y)}, {width}] of {model.said}"}}
    columns["y"] = {"role": "label", "type": "category", "values": list(data.class_names)}
    columns |= {key: {"role": key, "type": "text"} for key in ("group", "time", "part") if key in data.extras}
    preparation = f"Rows of {source} (digest {data.digest()}) embedded with {model.said}; no label had a part in it."
    return yaml_text(
        {"name": name, **facts, "columns": columns, "preparation": preparation, "versions": [{"version": "1.0.0"}]}
    )


def _script(name: str) -> Encoder:
    torch, path = _library("torch"), _file(name)
    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as error:
        raise ProtocolError(f"{path} is no TorchScript file: {str(error).splitlines()[0]:.120}.") from error
    return Encoder(_module(torch, module), f"TorchScript {path.name}, SHA-256 {_sha256(path)}", False)


def _export(name: str) -> Encoder:
    torch, path = _library("torch"), _file(name)
    try:
        module = torch.export.load(str(path)).module()
    except Exception as error:  # its reader lets through whatever it runs into
        raise ProtocolError(f"{path} is no file of torch.export: {' '.join(str(error).split())[:120]}.") from error
    return Encoder(_module(torch, module), f"torch.export {path.name}, SHA-256 {_sha256(path)}", False)


def _python(name: str) -> Encoder:
    """The user's own code: it is run, as any script of theirs."""
    file, _, function = name.rpartition(":")
    path = _file(file)
    spec = importlib.util.spec_from_file_location("embedding", path)
    if spec is None or spec.loader is None:
        raise ProtocolError(f"{path} is no Python file.", "Its name ends in .py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(found := getattr(module, function, None)):
        raise ProtocolError(f"{path.name} has no function {function!r:.60}.", "Say python:FILE.py:FUNCTION.")
    weights = str(getattr(module, "WEIGHTS", "not said (a constant WEIGHTS of the file says it)"))
    return Encoder(found, f"{path.name}:{function}, SHA-256 {_sha256(path)}, weights {weights}", None)


def _timm(name: str) -> Encoder:
    """Images as timm's own settings of the model want them; what the model gives before its classes."""
    torch, timm = _library("torch"), _library("timm")
    model = timm.create_model(name, pretrained=True, num_classes=0).eval()
    wanted = timm.data.resolve_model_data_config(model)
    mean, std = (torch.tensor(wanted[key]).view(1, 3, 1, 1) for key in ("mean", "std"))

    def encode(images: FloatArray) -> Any:
        x = torch.from_numpy(images)
        x = (x[..., None] if x.ndim == 3 else x).permute(0, 3, 1, 2)
        x = torch.nn.functional.interpolate(x.expand(-1, 3, -1, -1), size=wanted["input_size"][1:], mode="bicubic")
        with torch.inference_mode():
            return model((x - mean) / std).numpy()

    return Encoder(encode, f"timm {timm.__version__} {name}, SHA-256 of its weights {_weights(model)}", False)


def _transformers(name: str) -> Encoder:
    """The mean of the last hidden states of a text's tokens."""
    torch, transformers = _library("torch"), _library("transformers")
    tokenizer, model = (getattr(transformers, kind).from_pretrained(name) for kind in ("AutoTokenizer", "AutoModel"))
    model.eval()

    def encode(texts: list[str]) -> Any:
        tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states, there = model(**tokens).last_hidden_state, tokens["attention_mask"][..., None]
        return ((states * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)).numpy()

    said = f"transformers {transformers.__version__} {name}, SHA-256 of its weights {_weights(model)}"
    return Encoder(encode, said, True)


def _hashed(dimension: str) -> Encoder:
    from harness.data.own import hashing

    if not dimension.isdigit() or not 16 <= int(dimension) <= 65536:
        raise ProtocolError(f"hashed:{dimension:.20} needs a number of columns from 16 to 65536.")
    return Encoder(
        lambda texts: hashing.hashed(texts, int(dimension)),
        f"hashed words, version {hashing.VERSION}, {dimension} columns",
        True,
    )


_ENCODERS: dict[str, Callable[[str], Encoder]] = {
    "script": _script, "export": _export, "python": _python, "timm": _timm, "transformers": _transformers, "hashed": _hashed,
}  # fmt: skip


def _module(torch: Any, module: Any) -> Callable[[FloatArray], Any]:
    def encode(rows: FloatArray) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(rows)).numpy()

    return encode


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ProtocolError(
            f"{name} is not installed in this environment, and the model needs it.",
            f"`pip install {name}` beside the harness, or hand in the model as script:, export: or python:.",
        ) from None


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ProtocolError(f"There is no file {name:.200} to read a model from.")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _weights(model: Any) -> str:
    """SHA-256 over names and values of a torch module's state, in the order of the names."""
    sha = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
