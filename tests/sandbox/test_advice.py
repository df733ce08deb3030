"""Mistakes newcomers make, each run as a cell, and the sentence that says what to do."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import Status
from harness.sandbox import run
from harness.sandbox.verdict import last_error
from tests.sandbox.helpers import TIERS, job

Files = dict[str, str | bytes]
HELPER: Files = {"helper.py": "K = 1\ndef first(task):\n    return list(range(task.budget))\n"}
ENDS = "\ndef select(task):\n    return [0]\n"

NO_LOCKS = "no file locks in a cell, and databases are written in the working directory alone: use ':memory:' or 'file:x.db?nolock=1'"
FROM_OWN = (
    "import sqlite3\nfrom pathlib import Path\ndef select(task):\n"
    "    c = sqlite3.connect(f'file:{{Path(__file__).parent}}/{}', uri=True, timeout=0)\n    "
)


def database() -> bytes:
    """The bytes of a real sqlite file with a table t(x) that holds 1."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table t(x)")
        connection.execute("insert into t values (1)")
        connection.commit()
        return connection.serialize()


OWN_DATABASE = database()

MISTAKES: dict[str, tuple[Files, str, str]] = {
    # files beside the algorithm, its source, what the reason must hold
    "relative": (HELPER, "from .helper import first" + ENDS, "write `from helper import ...`, without the dot"),
    "standard": ({"statistics.py": "first = 1\n"}, "from statistics import first" + ENDS,
                 "statistics.py has the name of a standard module, which is imported in its place: rename it"),
    "standard, as attribute": ({"statistics.py": "first = 1\n"}, "import statistics\nstatistics.first" + ENDS,
                               "statistics.py has the name of a standard module"),
    "standard, a part": ({"statistics/deep.py": "first = 1\n"}, "import statistics.deep" + ENDS,
                         "submission's statistics has the name of a standard module"),
    "installed": ({"scipy.py": "first = 1\n"}, "from scipy import first" + ENDS,
                  "scipy.py has the name of an installed package"),
    "installed, called": ({"scipy.py": "first = 1\n"}, "import scipy\ndef select(task):\n    return scipy.first\n",
                          "scipy.py has the name of an installed package"),
    "working directory": ({"w.txt": "1"}, "W = open('w.txt').read()" + ENDS, "open Path(__file__).parent / 'w.txt'"),
    "working directory, numpy": ({"w.txt": "1"}, "import numpy\nnumpy.loadtxt('w.txt')" + ENDS,
                                 "open Path(__file__).parent / 'w.txt'"),
    "working directory, called": ({"a/w.txt": "1"}, "def select(task):\n    return open('a/w.txt').read()\n",
                                  "open Path(__file__).parent / 'a/w.txt'"),
    "no such file": ({"w.txt": "1"}, "from pathlib import Path\nopen(Path(__file__).parent / 'v.txt')" + ENDS,
                     "'v.txt' (algorithm.py, line 2). The submission holds no v.txt; it has w.txt"),
    "read-only": ({}, "from pathlib import Path\ndef select(task):\n    (Path(__file__).parent / 'c').write_text('')\n",
                  "The submission's folder is read-only: write to the working directory"),
    "no package": ({}, "import xgboost" + ENDS, "no package xgboost is installed in the sandbox; there are numpy, scipy"),
    "near a package": ({}, "import sklear" + ENDS, "did you mean sklearn?"),
    "near a helper": (HELPER, "import helpers" + ENDS, "did you mean helper?"),
    "in a folder": ({"lib/helper.py": ""}, "import helper" + ENDS, "write `from lib import helper`"),
    "no such name": (HELPER, "from helper import frist" + ENDS, "helper.py does not define it; did you mean first?"),
    "circle": ({"a.py": "from b import x\ny = 1\n", "b.py": "from a import y\nx = 1\n"}, "import a" + ENDS,
               "import each other"),
    "harness": ({}, "import harness.tracks" + ENDS, "only harness.api and harness.models"),
    "field": ({}, "def select(task):\n    return task.labels\n", "It has n_classes, rng, model, X, y, budget"),
    "in place": ({}, "def select(task):\n    task.X[0] = 1\n", "work on a copy, e.g. task.X.copy()"),
    "no argument": ({}, "def select():\n    return [1]\n", "called with one argument, the task"),
    "open files": ({}, "K = []\ndef select(task):\n    for i in range(2000): K.append(open(str(i), 'w'))\n",
                   "1,024 files may be open"),
    "database": ({}, "import sqlite3\ndef select(task):\n    sqlite3.connect('x.db', timeout=0).execute('create table t(x)')\n", NO_LOCKS),
    "database, its own": ({"x.db": OWN_DATABASE}, FROM_OWN.format("x.db") + "c.execute('select x from t')\n", NO_LOCKS),
    "database, its own, written": ({"x.db": OWN_DATABASE}, FROM_OWN.format("x.db?nolock=1") +
                                   "c.execute('insert into t values (1)')\n", NO_LOCKS),
    "database, nowhere": ({}, FROM_OWN.format("none/x.db") + "c.execute('create table t(x)')\n", NO_LOCKS),
    "database, pandas": ({}, "import pandas, sqlite3\ndef select(task):\n    c = sqlite3.connect('x.db', timeout=0)\n"
                         "    return pandas.read_sql('select 1 union select x from t', c)\n", NO_LOCKS),
    "exit": ({}, "import os\ndef select(task):\n    os._exit(0)\n", "it exited by itself (os._exit)"),
    "limit": ({}, "import resource\ndef select(task):\n    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n    return [1]\n",
              "RLIMIT_FSIZE"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_and_its_remedy(name: str, tmp_path: Path) -> None:
    files, source, says = MISTAKES[name]
    reasons = set()
    for tier in TIERS:
        folder = tmp_path / tier
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        outcome = run(job(folder, source), tier)
        assert outcome.status in (Status.INVALID_SUBMISSION, Status.CRASHED, Status.NO_OUTPUT)
        assert says in outcome.reason, outcome.reason
        assert str(tmp_path) not in outcome.reason + outcome.log
        assert "report.json" not in outcome.reason
        reasons.add(outcome.reason.replace("OSError: [Errno 30] Read-only file system", "PermissionError: [Errno 13] Permission denied"))  # fmt: skip
    assert len(reasons) == 1  # the same words in every tier
    assert outcome.reason.count("dependencies") == 0


FINE: dict[str, tuple[Files, str]] = {
    "flat": (HELPER, "from helper import first\ndef select(task):\n    return first(task)\n"),
    "namespace": ({"lib/helper.py": HELPER["helper.py"]},
                  "from lib.helper import first\ndef select(task):\n    return first(task)\n"),
    "package": ({"mylib/__init__.py": "from .deep.helper import first\n", "mylib/deep/__init__.py": "",
                 "mylib/deep/helper.py": HELPER["helper.py"]},
                "import mylib\ndef select(task):\n    return mylib.first(task)\n"),
    "common names": ({"utils.py": HELPER["helper.py"], "config.py": "X = 1\n"},
                     "import utils, config\ndef select(task):\n    return utils.first(task)\n"),
    "file": ({"w.txt": "3"}, "from pathlib import Path\nW = (Path(__file__).parent / 'w.txt').read_text()\n"
             "def select(task):\n    return [int(W)]\n"),
    "soft limit": ({}, "import resource\ndef select(task):\n    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
                   "    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))\n    return [1]\n"),
    "closed files": ({}, "import os\ndef select(task):\n    os.closerange(3, 1000)\n    return [1]\n"),
    "databases": ({"x.db": OWN_DATABASE}, FROM_OWN.format("x.db?nolock=1") +
                  "(row,) = c.execute('select x from t').fetchone()\n"
                  "    for name in (':memory:', 'file:y.db?nolock=1'):\n        c = sqlite3.connect(name, uri=True)\n"
                  "        c.execute('create table t(x)')\n        c.execute('insert into t values (2)')\n        c.commit()\n"
                  "        assert c.execute('select x from t').fetchall() == [(2,)]\n    return [row]\n"),
    "many files": ({}, "def select(task):\n    for i in range(1500): open(f'{i}.txt', 'w').close()\n    return [1]\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
@pytest.mark.parametrize("tier", TIERS)
def test_what_a_stranger_would_expect_to_work(name: str, tier: str, tmp_path: Path) -> None:
    files, source = FINE[name]
    for path, text in files.items():
        (tmp_path / "s" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    outcome = run(job(tmp_path / "s", source), tier)
    assert outcome.status is Status.OK, outcome.reason


@pytest.mark.parametrize("tier", TIERS)
def test_where_things_lie_is_not_told(tier: str, tmp_path: Path) -> None:
    """Neither in what a cell is shown of its mounts and names, nor in reason and log."""
    secret = tmp_path / "organisers-secret-place"
    source = """
    import os, sys
    from pathlib import Path

    def select(task):
        for name in ("mountinfo", "mounts", "maps", "environ", "cmdline"):
            try:
                print(Path("/proc/self", name).read_text())
            except OSError as error:
                print(error)
        print(sys.path, sys.argv, __file__, dict(os.environ), os.getcwd())
        open(Path(__file__).parent / "none")
    """
    outcome = run(job(secret, source), tier)
    assert outcome.status is Status.CRASHED
    assert "organisers-secret-place" not in outcome.reason + outcome.log
    assert "directory: 'none' (algorithm.py, line 12)" in outcome.reason
    assert 'File "algorithm.py", line 12' in outcome.log


@pytest.mark.parametrize("tier", TIERS)
def test_the_folder_itself_stays_as_it_is(tier: str, tmp_path: Path) -> None:
    before = job(tmp_path / "s", "import shutil\ndef select(task):\n    return [0]\n")
    assert run(before, tier).status is Status.OK
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["algorithm.py"]
    shutil.rmtree(tmp_path / "s")


def test_the_last_error_of_a_log() -> None:
    log = "Traceback\n  File x\nModuleNotFoundError: No module named 'x'\nmore\nlib.BrokenPool: it broke\nlib.TornError: torn\n"
    assert last_error(log, "raised TornError: torn; lib.TornError: torn") == "ModuleNotFoundError: No module named 'x'"
    assert last_error("nothing here\n", "") == ""
    assert last_error("x" * 10_000 + ": Error\n", "") == ""
