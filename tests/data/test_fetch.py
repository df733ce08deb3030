"""Finding, checking and downloading files, against a real server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.data.contents import content_digest
from harness.data.fetch import DataFile, cache_dir, cached_array, find, get
from harness.errors import ProtocolError

CONTENT = b"petal length, petal width\n" * 400
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path == "/gone":
            self.send_error(404)
            return
        body = {"/whole": CONTENT, "/cut": CONTENT, "/other": b"<html>login</html>"}[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/cut" else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.requests = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of the user's own and an empty cache; no proxy between this test and its server."""
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def own(places: Path, name: str, content: bytes) -> Path:
    path = places / "own" / "iris" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_users_directory_comes_first_then_the_cache_then_the_network(server: str, places: Path) -> None:
    file = DataFile("iris", "iris.csv", SHA, f"{server}/whole")
    assert find(file) is None
    downloaded = get(file, "iris")
    assert downloaded.read_bytes() == CONTENT
    assert cache_dir() in downloaded.parents
    assert get(file, "iris") == downloaded
    assert Handler.requests == ["/whole"]
    path = own(places, "iris.csv", CONTENT)
    assert get(file, "iris") == path


def test_a_repacked_file_or_the_published_one_both_serve(server: str, places: Path) -> None:
    packed = gzip.compress(CONTENT)
    file = DataFile("iris", "iris.csv.gz", hashlib.sha256(packed).hexdigest(), f"{server}/whole", SHA)
    assert get(file, "iris").name == "iris.csv"
    assert get(file, "iris").read_bytes() == CONTENT
    assert get(file, "iris") == find(file)
    path = own(places, "iris.csv.gz", packed)
    assert get(file, "iris") == path


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/other", "is not the pinned content"),
        ("/cut", "failed: "),
        ("/gone", "404"),
    ],
)
def test_a_bad_download_is_one_paragraph_and_leaves_nothing(server: str, address: str, says: str) -> None:
    file = DataFile("iris", "iris.csv", SHA, server + address)
    with pytest.raises(ProtocolError, match=says) as caught:
        get(file, "iris")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("iris.csv", "looked for in", "own/iris", "`harness fetch iris`", server + address):
        assert part in message
    assert [p for p in cache_dir().rglob("*") if p.is_file()] == []


def test_progress_is_drawn_on_a_terminal_only(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    get(DataFile("iris", "quiet.csv", SHA, f"{server}/whole"), "iris")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for "take this for a terminal"
    get(DataFile("iris", "drawn.csv", SHA, f"{server}/whole"), "iris")
    out, err = capsys.readouterr()
    assert out == ""
    assert "drawn.csv" in err
    assert "10.4/10.4 kB" in err


def test_offline(places: Path) -> None:
    file = DataFile("iris", "iris.csv", SHA, "http://127.0.0.1:9/iris.csv")  # the discard port: nobody listens
    with pytest.raises(ProtocolError, match="ConnectionError"):
        get(file, "iris")


def test_a_file_that_is_not_published_names_the_directory_to_put_it_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA_DIR")
    with pytest.raises(ProtocolError) as caught:
        get(DataFile("iris", "iris.csv", SHA), "iris")
    assert "HARNESS_DATA_DIR is not set" in caught.value.reason
    assert "harness fetch" not in caught.value.hint
    assert "iris/iris.csv" in caught.value.hint


def test_a_changed_file_is_refused_even_after_it_was_once_verified(places: Path) -> None:
    file = DataFile("iris", "iris.csv", SHA)
    path = own(places, "iris.csv", CONTENT)
    assert find(file) == path
    path.write_bytes(CONTENT.replace(b"petal", b"sepal"))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ProtocolError, match=r"iris\.csv is not the pinned file"):
        find(file)


def pack(path: Path, names: list[str], preset: int, prefix: str = "") -> None:
    with lzma.open(path, "wb", preset=preset) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(prefix + name)
            info.size, info.mtime = len(name), 1000 * preset
            tar.addfile(info, io.BytesIO(name.encode()))


def test_an_archive_packed_by_somebody_else_counts_by_its_contents(places: Path) -> None:
    path = own(places, "pictures.tar.xz", b"")
    pack(path, ["a/1", "a/2", "b/1"], preset=6)
    digest = content_digest(path)
    # Independently: SHA-256 over the sorted lines that sha256sum prints.
    lines = sorted(f"{hashlib.sha256(n.encode()).hexdigest()}  {n}" for n in ("a/1", "a/2", "b/1"))
    assert digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    pack(path, ["b/1", "a/2", "a/1"], preset=1, prefix="./")
    file = DataFile("iris", "pictures.tar.xz", "0" * 64, content_sha256=digest)
    assert find(file) == path
    pack(path, ["b/1", "a/2"], preset=1)
    with pytest.raises(ProtocolError, match="not the pinned file"):
        find(file)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ProtocolError, match="not the pinned file"):
        find(file)


def test_arrays_packed_by_somebody_else_count_by_their_contents(places: Path) -> None:
    arrays: dict[str, Any] = {"y": np.arange(5, dtype=np.uint8), "names": np.array(["a", "bc"])}
    path = own(places, "labels.npz", b"")
    np.savez_compressed(path, **arrays)
    file = DataFile("iris", "labels.npz", "0" * 64, content_sha256=content_digest(path))
    np.savez(path, names=arrays["names"], y=arrays["y"])
    assert find(file) == path
    for wrong in (
        {**arrays, "y": arrays["y"].astype(np.int64)},
        {**arrays, "y": arrays["y"][::-1]},
        {"y": arrays["y"]},
    ):
        np.savez(path, **wrong)
        with pytest.raises(ProtocolError, match="not the pinned file"):
            find(file)
    path.write_bytes(b"not a zip")
    with pytest.raises(ProtocolError, match="not the pinned file"):
        find(file)


def test_a_large_file_is_hashed_once(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own(places, "iris.csv", CONTENT)
    hashed = []
    real = hashlib.file_digest

    def noted(*arguments: Any) -> object:
        hashed.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    for _ in range(3):
        find(DataFile("iris", "iris.csv", SHA))
    assert len(hashed) == 1


def test_cached_array_is_made_once_and_survives_a_torn_file(places: Path) -> None:
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return np.arange(6, dtype=np.uint8).reshape(2, 3)

    for _ in range(3):
        np.testing.assert_array_equal(cached_array("k", make), [[0, 1, 2], [3, 4, 5]])
    assert len(made) == 1
    cached_array("another key", make)
    assert len(made) == 2
    for path in cache_dir().rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:-3])
    np.testing.assert_array_equal(cached_array("k", make), [[0, 1, 2], [3, 4, 5]])
    assert len(made) == 3


def test_without_a_writable_cache_everything_still_works(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "file").write_text("not a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "file"))
    path = own(places, "iris.csv", CONTENT)
    assert find(DataFile("iris", "iris.csv", SHA)) == path
    assert cached_array("k", lambda: np.ones(2)).tolist() == [1, 1]
    with pytest.raises(ProtocolError, match="failed: "):
        get(DataFile("iris", "b.csv", SHA, "http://127.0.0.1:9/b.csv"), "iris")


def test_every_published_address_is_pinned_to_a_commit() -> None:
    import re

    from harness.data import dataset_names, settings_class

    files = [file for name in dataset_names() for file in settings_class(name).files()]
    assert len(files) > 30
    for file in files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        if file.url:
            assert re.match(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/", file.url)
            published = (
                ".csv" if file.folder == "tables_dirty" else list(file.candidates)[-1]
            )  # there all are clean or dirty
            assert file.url.endswith(published)
