"""Ed25519 keys of those who keep a ledger: made, read with care, used to sign and to check (RFC 8032).

The private key is a PEM file (PKCS 8, not encrypted) that only its owner can read. It belongs in no runs directory and in
no repository: whoever copies or publishes those would give it away.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, ProtocolError
from harness.paths import expanded
from harness.tracking.files import TEMPORARY, disk_errors, sync_directory

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VARIABLE = "HARNESS_KEY"
_MAX_BYTES = 16_384
_MAKE = "`harness key new PATH` makes one."


@dataclass(frozen=True)
class Key:
    """A private key in memory; it is never shown."""

    public: str  # the public key: 32 bytes as 64 hexadecimal digits
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, content: bytes) -> str:
        """The signature of ``content``: 64 bytes as 128 hexadecimal digits."""
        return self._private.sign(content).hex()


def default_place() -> Path | None:
    """Where a key is looked for unless something else is said: ``harness/key.pem`` in the user's config directory.

    None for a user without a home directory.
    """
    from platformdirs import user_config_path

    try:
        place = user_config_path("harness", appauthor=False) / "key.pem"
    except RuntimeError:  # neither HOME nor XDG_CONFIG_HOME, and no entry for this user id
        return None
    return place if place.is_absolute() else None


def load_key(path: Path | str | None = None) -> Key | None:
    """The key in ``path``, else in the file that ``HARNESS_KEY`` names, else in the default place; None without one.

    Raises ProtocolError where there is no file of that name or it holds no private Ed25519 key that is its owner's alone.
    """
    named = path or os.environ.get(VARIABLE)
    if named:
        return _read(expanded(named))
    place = default_place()
    return _read(place) if place and os.path.lexists(place) else None


def new_key(path: Path | str | None = None) -> tuple[Key, Path]:
    """Make a key and write it to ``path`` (default: the default place), whole or not at all, never over another file.

    Raises ProtocolError for a place that exists or that others get to see, HarnessError where the disk refuses.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    place = expanded(path).absolute() if path else default_place()
    if place is None:
        raise ProtocolError(
            "There is no home directory to keep a key in.", "`harness key new PATH` takes another place."
        )
    _refuse_place(place)
    private = Ed25519PrivateKey.generate()
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        _write_once(place, content)
    except OSError as error:
        raise HarnessError(
            f"Cannot write the key {place}: {error.strerror or error}.",
            f"`harness key new PATH` takes another place; {VARIABLE} then names it.",
        ) from error
    return _key(private), place


def verified(public: str, signature: str, content: bytes) -> bool:
    """Whether ``signature`` (hex) of ``content`` was made by the owner of ``public`` (hex); False for what is no hex."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_public(text: str) -> bool:
    """Whether ``text`` is a public key as this module writes it: 64 small hexadecimal digits."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _key(private: Ed25519PrivateKey) -> Key:
    return Key(private.public_key().public_bytes_raw().hex(), private)


def _read(path: Path) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = _loaded(path, _content(path))
    if not isinstance(private, Ed25519PrivateKey):
        kind = type(private).__name__.removesuffix("PrivateKey").strip("_")
        raise ProtocolError(f"The key in {path} is of another kind ({kind}), not Ed25519.", _MAKE)
    return _key(private)


def _content(path: Path) -> bytes:
    """The bytes of a key file that only its owner can read."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a FIFO would hang the open
            raise ProtocolError(f"The key {path} is not a file.", f"{VARIABLE} names another one; {_MAKE}")
        if state.st_mode & 0o077:
            raise ProtocolError(
                f"The key {path} is open to others (mode {stat.S_IMODE(state.st_mode):04o}), so it may be known to them.",
                f"`chmod 600 {path}` where you know that nobody has read it; else take another: {_MAKE}",
            )
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ProtocolError(
            f"The key {path} cannot be read: {why}.", f"{VARIABLE} names another one; {_MAKE}"
        ) from error
    if len(content) > _MAX_BYTES:
        raise ProtocolError(f"{path} is larger than any key.", f"{VARIABLE} names another one; {_MAKE}")
    return content


def _loaded(path: Path, content: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise ProtocolError(
            f"The key {path} is encrypted, and nobody is asked for passwords here.",
            "Decrypt it (`openssl pkey -in OLD.pem -out NEW.pem`, then `chmod 600 NEW.pem`), or take another: " + _MAKE,
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        what = "a public key, not a private one" if b"PUBLIC KEY" in content else "no private key in PEM (PKCS 8)"
        raise ProtocolError(f"{path} holds {what}.", f"{VARIABLE} names another one; {_MAKE}") from error


def _refuse_place(place: Path) -> None:
    if not place.is_absolute():
        raise ProtocolError(
            "There is no home directory to keep a key in.", "`harness key new PATH` takes another place."
        )
    if os.path.lexists(place):
        raise _exists(place)
    with disk_errors(f"look at {place.parent}"):
        for folder in (around := Path(os.path.realpath(place))).parents:
            what = next((name for name, test in _PUBLIC_PLACES.items() if test(folder)), None)
            if what:
                raise ProtocolError(
                    f"{around} lies in {what} ({folder}): whoever copies or publishes that would give the key away.",
                    "Take a place outside; without a path it is one in your config directory.",
                )


def _exists(place: Path) -> ProtocolError:
    return ProtocolError(
        f"{place} is there already, and a key is never written over.",
        "`harness key new PATH` takes another place; what the old key has signed can only be continued with the old key.",
    )


_PUBLIC_PLACES: dict[str, Callable[[Path], bool]] = {
    "a git repository": lambda folder: (
        (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())
    ),
    "a runs directory": lambda folder: (folder / "ledger.jsonl").exists() or (folder / "record.json").exists(),
}


def _write_once(place: Path, content: bytes) -> None:
    """Write and sync a file of mode 0600. Raises ProtocolError where another process was first."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY}{place.name}-", dir=place.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, place)  # unlike a rename, never over another file
    except FileExistsError:
        raise _exists(place) from None
    finally:
        with suppress(OSError):
            Path(temporary).unlink()
    sync_directory(place.parent)
