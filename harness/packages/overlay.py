"""From a lock to an overlay: a folder with exactly those wheels, whole or not there."""

from __future__ import annotations

from pathlib import Path

from harness.data.fetch import cache_dir
from harness.packages.blame import blame, refused
from harness.packages.clash import clash
from harness.packages.installer import pip, workplace
from harness.packages.lock import Lock
from harness.sandbox.visible import visible

# What pip unpacks beside modules does nothing in a cell: ``bin`` is not on its PATH; ``.pth`` files are read in the
# interpreter's own site folders alone, and the overlay is none; of ``sitecustomize`` the cell's own comes first.


def overlay(lock: Lock) -> Path | None:
    """The folder of a lock's packages, unpacked where it is not there yet; None where the lock is empty.

    It appears by one rename, under the lock's digest: two harnesses may build it at once, and a killed one leaves
    nothing that is taken for it.

    Raises
    ------
    SubmissionError: invalid_submission: a wheel cannot be had any more, is too large, is another than the locked one,
        or carries a module that the harness has.
    HarnessError: the index cannot be reached.
    ProtocolError: there is no pip.
    """
    if not lock.packages:
        return None
    final = cache_dir() / "overlays" / lock.digest
    if final.is_dir():
        return final
    with workplace(final.parent) as work:
        (work / "lock.txt").write_text(lock.requirements())
        tree = work / "tree"
        said = pip(["--no-deps", "--require-hashes", "--target", str(tree), "-r", str(work / "lock.txt")], work)
        if said.code:
            raise blame(said)
        _look(tree)
        try:
            tree.rename(final)
        except OSError:
            if not final.is_dir():  # else another harness was first
                raise
    return final


def _look(tree: Path) -> None:
    if odd := next(
        (path for path in tree.rglob("*") if path.is_symlink() or not (path.is_dir() or path.is_file())), None
    ):
        raise refused(f"A package holds {odd.relative_to(tree)}, which is neither a file nor a folder.")
    if name := clash(tree, [Path(place) for place in visible().site]):
        owners = ", ".join(sorted(path.name.partition("-")[0] for path in tree.glob("*.dist-info")))
        raise refused(
            f"The packages it requires ({owners}) carry a module named {name}, which the harness has: no package may "
            "take its place.",
            "Ask for a package that does not.",
        )
