"""Image files as pixels of one size; what a file claims is looked at before anything is decoded."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.errors import ProtocolError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
Channels = Literal["rgb", "grey"]

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
_MOST_PIXELS = 50_000_000  # of one file
_MOST_BYTES = 4 << 30  # of all pixels together, as float32
_DEEP = ("I", "F")  # modes of more than eight bits: scaled down they would lose what they are for


def decode(
    names: Sequence[str],
    content: Callable[[int], bytes],
    size: tuple[int, int] | None,
    channels: Channels,
    *,
    resize: bool,
) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Pixels uint8 [n, h, w] (grey) or [n, h, w, 3] (rgb) of files, and findings.

    ``size``: [height, width], or None for that of the first. Turned as the camera says (EXIF); of an animation the first
    frame; transparency is left out.

    Raises
    ------
    ProtocolError: no image, a kind not listed, more than 50 million pixels, another size where ``resize`` is not asked for.
    """
    pixels: npt.NDArray[np.uint8] | None = None
    clear, moving = [], []
    for row, name in enumerate(names):
        image = opened(name, content(row))
        if "A" in image.getbands() or "transparency" in image.info:
            clear.append(name)
        if getattr(image, "n_frames", 1) > 1:
            moving.append(name)
        plain = plain_image(image, name, channels)
        found = (plain.height, plain.width)
        size = size or found
        if pixels is None:
            pixels = _room(len(names), size, channels)
        if found != size:
            if not resize:
                raise ProtocolError(
                    f"{name} is {found[0]} x {found[1]} (height x width); all must be {size[0]} x {size[1]}, "
                    f"{'as ' + names[0] if row else 'as dataset.size says'}.",
                    "Set dataset.resize to true and dataset.size to scale all of them, proportions aside.",
                )
            plain = plain.resize((size[1], size[0]), _bilinear())
        pixels[row] = np.asarray(plain)
    assert pixels is not None  # classes() has refused data without rows
    notes = [f"{len(clear)} images are partly transparent, which is left out, e.g. {clear[0]}."] if clear else []
    notes += [f"{len(moving)} images move; their first frame is used, e.g. {moving[0]}."] if moving else []
    return pixels, notes


def opened(name: str, content: bytes) -> Any:
    """An image of a kind that is read, nothing decoded yet. Raises ProtocolError for any other, and for one too large."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is the stricter
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise ProtocolError(f"{name} claims more pixels than {_MOST_PIXELS:,}.", _SMALLER) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise ProtocolError(f"{name} is no image of the kinds {', '.join(_FORMATS)}.", "Convert it to PNG.") from error
    if image.width * image.height > _MOST_PIXELS:
        raise ProtocolError(
            f"{name} claims {image.height:,} x {image.width:,} pixels, over {_MOST_PIXELS:,} in all.", _SMALLER
        )
    if image.mode.split(";")[0] in _DEEP:
        raise ProtocolError(f"{name} has more than eight bits a channel (mode {image.mode}).", "Convert it to 8 bits.")
    return image


_SMALLER = "Make it smaller; the fixed models learn from small images."


def plain_image(image: Any, name: str, channels: Channels) -> Any:
    """The same decoded, upright, with these channels. Raises ProtocolError where it is broken."""
    from PIL import ImageOps

    try:
        image.load()
        return ImageOps.exif_transpose(image).convert("RGB" if channels == "rgb" else "L")
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ProtocolError(
            f"{name} is a broken image: {str(error)[:120]}.", "Take it from its source again."
        ) from error


def _room(n: int, size: tuple[int, int], channels: Channels) -> npt.NDArray[np.uint8]:
    shape = (n, *size, 3) if channels == "rgb" else (n, *size)
    if 4 * int(np.prod(shape, dtype=object)) > _MOST_BYTES:
        raise ProtocolError(
            f"{n} images of {size[0]} x {size[1]} pixels would take over {_MOST_BYTES >> 30} GiB.",
            "Set dataset.size to something smaller and dataset.resize to true.",
        )
    return np.empty(shape, np.uint8)


def _bilinear() -> Any:
    from PIL import Image

    return Image.Resampling.BILINEAR
