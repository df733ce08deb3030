"""Pictures as PNG, so that they decode to the same pixels everywhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import FloatArray
from harness.data.own.pictures import opened, plain_image

_PNG = b"\x89PNG\r\n\x1a\n"


def png(content: bytes, name: str) -> bytes:
    """A picture as PNG: as it is where it is one, else what the harness itself sees of it (first frame, upright, RGB or grey).

    Raises ProtocolError where it is none or broken.
    """
    if content.startswith(_PNG):
        return content
    image = opened(name, content)
    stream = io.BytesIO()
    plain_image(image, name, "grey" if image.mode in ("1", "L") else "rgb").save(stream, "PNG")
    return stream.getvalue()


def drawn(X: FloatArray, row: int) -> bytes:
    """The picture of a row of X [n, h, w] or [n, h, w, 3], in 0..1, as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.rint(X[row] * 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def same_pixels(image: Any, path: Path) -> bool:
    """Whether an image, as RGB, has the pixels of a file."""
    from PIL import Image

    with Image.open(path) as other:
        return bool(image.size == other.size and image.convert("RGB").tobytes() == other.convert("RGB").tobytes())
