"""Keys: made once, in a place of their own, for one pair of eyes; a wrong one is told in one paragraph."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.cli import main
from harness.errors import HarnessError, ProtocolError
from harness.tracking import signature
from harness.tracking.signature import Key, default_place, load_key, new_key, verified

# RFC 8032, 7.1, test 2
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNED_72 = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)

Pem = Callable[[Any], bytes]


@pytest.fixture(autouse=True)
def _no_key_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(signature.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def pem(private: Any, form: str = "PKCS8", password: bytes = b"") -> bytes:
    lock: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    content: bytes = private.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), lock)
    return content


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_signatures_are_those_of_the_standard(tmp_path: Path) -> None:
    path = written(tmp_path / "k.pem", pem(Ed25519PrivateKey.from_private_bytes(SECRET)))
    key = load_key(path)
    assert key is not None
    assert key.public == PUBLIC
    assert key.sign(b"\x72") == SIGNED_72
    assert verified(PUBLIC, SIGNED_72, b"\x72")
    assert not verified(PUBLIC, SIGNED_72, b"\x73")
    assert not verified(PUBLIC, SIGNED_72[:-2] + "01", b"\x72")
    assert not verified("00" * 32, SIGNED_72, b"\x72")


@pytest.mark.parametrize("text", ["", "zz", "00", "é" * 64, PUBLIC + "00", "\n", " " * 64])
def test_what_is_no_key_or_signature_verifies_nothing(text: str) -> None:
    assert not verified(text, SIGNED_72, b"\x72")
    assert not verified(PUBLIC, text, b"\x72")


def test_a_new_key_is_its_owners_alone(tmp_path: Path) -> None:
    key, place = new_key(tmp_path / "deep" / "k.pem")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in place.parent.iterdir()] == ["k.pem"]
    assert load_key(place) == key
    assert new_key(tmp_path / "other.pem")[0].public != key.public
    private = place.read_text().splitlines()[1]
    assert private not in repr(key)
    assert "_private" not in repr(key)


def test_where_a_key_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_key() is None
    by_default, place = new_key()
    assert place == default_place() == tmp_path / "config" / "harness" / "key.pem"
    assert load_key() == by_default
    named, path = new_key(tmp_path / "named.pem")
    monkeypatch.setenv(signature.VARIABLE, str(path))
    assert load_key() == named
    explicit, path = new_key(tmp_path / "explicit.pem")
    assert load_key(path) == explicit
    monkeypatch.setenv(signature.VARIABLE, "")
    assert load_key() == by_default


def test_nothing_is_written_over(tmp_path: Path) -> None:
    _, place = new_key(tmp_path / "k.pem")
    before = place.read_bytes()
    (tmp_path / "nowhere.pem").symlink_to(tmp_path / "target.pem")
    for taken in (place, tmp_path, tmp_path / "nowhere.pem"):
        with pytest.raises(ProtocolError, match="there already"):
            new_key(taken)
    assert place.read_bytes() == before
    assert not (tmp_path / "target.pem").exists()


def test_another_process_that_was_first_keeps_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "_refuse_place", lambda place: None)  # it looked before the other one wrote
    place = written(tmp_path / "k.pem", b"theirs")
    with pytest.raises(ProtocolError, match="there already"):
        new_key(place)
    assert place.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["k.pem"]


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("repo/.git/config", "git repository"),
        ("repo/.git", "git repository"),  # a worktree's is a file
        ("repo/ledger.jsonl", "runs directory"),
        ("repo/record.json", "runs directory"),
    ],
)
def test_places_that_others_get_to_see_are_refused(tmp_path: Path, made: str, what: str) -> None:
    (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / made).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "repo")
    for place in (tmp_path / "repo" / "k.pem", tmp_path / "repo" / "a" / "b" / "k.pem", tmp_path / "link" / "k.pem"):
        with pytest.raises(ProtocolError, match=what):
            new_key(place)
    assert not list(tmp_path.rglob("k.pem"))
    assert not (tmp_path / "repo" / "a").exists()


def test_a_bare_repository_is_one(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    with pytest.raises(ProtocolError, match="git repository"):
        new_key(tmp_path / "k.pem")


def test_a_place_that_cannot_be_written_is_one_paragraph(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="Cannot"):
        new_key(tmp_path / "file" / "k.pem")
    with pytest.raises(HarnessError, match="Cannot"):
        new_key(tmp_path / ("x" * 300))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "cannot be read: No such file"),
    "empty": (lambda p: written(p, b""), "no private key in PEM"),
    "text": (lambda p: written(p, b"my key is 123\n"), "no private key in PEM"),
    "binary": (lambda p: written(p, bytes(range(256))), "no private key in PEM"),
    "directory": (lambda p: p.mkdir(), "is not a file"),
    "fifo": (lambda p: os.mkfifo(p, 0o600), "is not a file"),
    "symlink loop": (lambda p: p.symlink_to(p), "cannot be read: Too many levels"),
    "huge": (lambda p: written(p, b"x" * 10**6), "larger than any key"),
    "open to the group": (lambda p: written(p, pem(Ed25519PrivateKey.generate()), 0o640), "open to others .mode 0640"),
    "open to all": (lambda p: written(p, pem(Ed25519PrivateKey.generate()), 0o604), "open to others .mode 0604"),
    "encrypted": (lambda p: written(p, pem(Ed25519PrivateKey.generate(), password=b"secret")), "is encrypted"),
    "public": (
        lambda p: written(
            p,
            Ed25519PrivateKey.generate()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        ),
        "a public key, not a private one",
    ),
    "OpenSSH": (lambda p: written(p, pem(Ed25519PrivateKey.generate(), "OpenSSH")), "no private key in PEM"),
    "RSA": (lambda p: written(p, pem(rsa.generate_private_key(65537, 2048))), "another kind .RSA"),
    "elliptic curve": (lambda p: written(p, pem(ec.generate_private_key(ec.SECP256R1()))), "another kind"),
    "X25519": (lambda p: written(p, pem(x25519.X25519PrivateKey.generate())), "another kind .X25519"),
    "cut short": (lambda p: written(p, pem(Ed25519PrivateKey.generate())[:-40]), "no private key in PEM"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_key_is_one_paragraph(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "k.pem"
    make, said = WRONG[kind]
    make(path)
    with pytest.raises(ProtocolError, match=said) as caught:
        load_key(path)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    monkeypatch.setenv(signature.VARIABLE, str(path))
    with pytest.raises(ProtocolError, match=said):
        load_key()


def test_a_wrong_key_in_the_default_place_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config" / "harness").mkdir(parents=True)
    (tmp_path / "config" / "harness" / "key.pem").symlink_to("nowhere")
    with pytest.raises(ProtocolError, match="cannot be read"):
        load_key()


def test_the_command_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "new"]) == 0
    key = load_key()
    assert isinstance(key, Key)
    said = capsys.readouterr().out
    assert key.public in said
    assert str(default_place()) in said
    assert "PRIVATE" not in said
    assert main(["key", "new"]) == 2
    assert "there already" in capsys.readouterr().err
    assert main(["key", "new", str(tmp_path / "b.pem")]) == 0
    assert f"{signature.VARIABLE}={tmp_path / 'b.pem'}" in capsys.readouterr().out


def test_a_killed_maker_leaves_a_whole_key_or_none(tmp_path: Path) -> None:
    """Killed between writing and naming the file, as by kill -9: the place is free, and what was begun is nobody's to read."""
    code = """
import os, signal, sys
os.link = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
from harness.tracking.signature import new_key
new_key(sys.argv[1])
"""
    place = tmp_path / "k.pem"
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code, str(place)], env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == -9
    assert not place.exists()
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    new_key(place)


def test_without_a_home_a_place_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where neither HOME nor a user database has one
    assert load_key() is None
    with pytest.raises(ProtocolError, match="no home directory"):
        new_key()
    assert list(tmp_path.iterdir()) == []
