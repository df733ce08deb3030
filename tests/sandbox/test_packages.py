"""An overlay of packages inside a cell: found by all its processes in every tier, behind the harness's own, read-only."""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import pytest

from harness.errors import Status
from harness.sandbox import run
from harness.sandbox.base import Outcome
from tests.sandbox.helpers import TIERS, job


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """As pip leaves one, with what a hostile wheel may add."""
    folder = tmp_path / "an-overlay"
    files = {
        "tst_a/__init__.py": "from tst_a.deep import twice\n",
        "tst_a/deep.py": "def twice(x):\n    return 2 * int(x)\n",
        "numpy.py": "raise ImportError('it shadows numpy')\n",
        "statistics.py": "raise ImportError('it shadows the standard library')\n",
        "harness/__init__.py": "raise ImportError('it shadows the harness')\n",
        "sitecustomize.py": "import builtins\nbuiltins.HOOKED = True\n",
        "usercustomize.py": "import builtins\nbuiltins.HOOKED = True\n",
        "hook.pth": "import builtins; builtins.HOOKED = True\n",
        "helper.py": "WHOSE = 'of the overlay'\n",
        "bin/tst_a": "#!/bin/sh\n",
        "vega_datasets/__init__.py": "",
        "vega_datasets/_data/labels.csv": "1,2\n",
        "nltk_data/labels.csv": "1,2\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def outcome_of(tmp_path: Path, overlay: Path, source: str, tier: str) -> Outcome:
    return run(dataclasses.replace(job(tmp_path / tier, source, seconds=60), packages=overlay), tier)


USES = {
    "itself": """
        import tst_a
        from tst_a.deep import twice
        import numpy, statistics, harness.api

        def select(task):
            return [tst_a.twice(1), len(numpy.zeros(2)), int(statistics.mean([3]))]
    """,
    "subprocess": """
        import subprocess, sys

        def select(task):
            code = "import numpy, statistics, harness.api, builtins, tst_a; print(tst_a.twice(2), hasattr(builtins, 'HOOKED'))"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            return [int(done.stdout == "4 False\\n")]
    """,
    "a script": """
        import subprocess, sys
        from pathlib import Path

        def select(task):
            Path("run.py").write_text("import tst_a, subprocess, sys; subprocess.run([sys.executable, '-c', 'import tst_a'], check=True)")
            subprocess.run([sys.executable, "run.py"], check=True)
            subprocess.run([sys.executable, "-m", "tst_a.deep"], check=True)
            return [1]
    """,
    "loky": """
        from joblib import Parallel, delayed

        def work(i):
            import tst_a
            return tst_a.twice(i)

        def select(task):
            from tst_a.deep import twice
            with Parallel(n_jobs=2, backend="loky") as pool:
                return pool(delayed(work)(i) for i in range(4)) + pool(delayed(twice)(i) for i in range(5, 8))
    """,
    "joblib's multiprocessing": """
        from joblib import Parallel, delayed
        from tst_a.deep import twice

        def select(task):
            return Parallel(n_jobs=2, backend="multiprocessing")(delayed(twice)(i) for i in range(4))
    """,
    "spawn and fork": """
        import multiprocessing
        from tst_a.deep import twice

        def select(task):
            got = []
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    got += pool.map(twice, range(len(got), len(got) + 3))
            return got
    """,
    "executor": """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from tst_a.deep import twice

        def select(task):
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
                return list(pool.map(twice, range(3)))
    """,
}


@pytest.mark.parametrize("name", USES)
def test_every_process_finds_it_in_every_tier(name: str, tmp_path: Path, overlay: Path) -> None:
    outputs = []
    for tier in TIERS:
        outcome = outcome_of(tmp_path, overlay, USES[name], tier)
        assert outcome.arrays is not None, (tier, outcome.reason, outcome.log)
        outputs.append(outcome.arrays["indices"].tolist())
    assert all(output == outputs[0] for output in outputs)
    assert outputs[0][0] != 0 or len(outputs[0]) > 1
    assert not list(overlay.rglob("__pycache__"))


@pytest.mark.parametrize("tier", TIERS)
def test_it_comes_before_the_submissions_own_files_and_behind_all_others(
    tier: str, tmp_path: Path, overlay: Path
) -> None:
    source = """
    import builtins, helper, sys
    from pathlib import Path

    def select(task):
        own, overlay = str(Path(__file__).parent), str(Path(helper.__file__).parent)
        assert helper.WHOSE == "of the overlay", helper.WHOSE
        assert sys.path[-2:] == [overlay, own], sys.path
        assert not hasattr(builtins, "HOOKED")
        return [1]
    """
    (tmp_path / tier).mkdir()
    (tmp_path / tier / "helper.py").write_text("WHOSE = 'own'\n")
    outcome = outcome_of(tmp_path, overlay, source, tier)
    assert outcome.status is Status.OK, outcome.reason


@pytest.mark.parametrize("tier", TIERS)
def test_it_can_be_read_and_not_written_and_data_sets_in_it_are_masked(
    tier: str, tmp_path: Path, overlay: Path
) -> None:
    source = """
    from pathlib import Path
    import tst_a, vega_datasets

    def select(task):
        top = Path(tst_a.__file__).parents[1]
        wrong = 0
        for write in (lambda: open(top / "new", "x"), lambda: (top / "tst_a" / "deep.py").write_text("x"),
                      lambda: (top / "tst_a" / "deep.py").unlink(), lambda: (top / "tst_a").rename(top / "tst_b")):
            try:
                write()
                wrong += 1
            except OSError as error:
                print(error)
        for name in ("vega_datasets/_data/labels.csv", "nltk_data/labels.csv"):
            try:
                (top / name).read_text()
                wrong += 1
            except OSError as error:
                print(error)
        return [wrong]
    """
    outcome = outcome_of(tmp_path, overlay, source, tier)
    assert outcome.arrays is not None, outcome.reason
    assert outcome.arrays["indices"].tolist() == [0], outcome.log
    assert (overlay / "tst_a" / "deep.py").read_text().startswith("def twice")


@pytest.mark.parametrize("tier", TIERS)
def test_where_it_lies_is_not_told_and_another_one_cannot_be_read(tier: str, tmp_path: Path, overlay: Path) -> None:
    other = tmp_path / "another-overlay" / "secret.py"
    other.parent.mkdir()
    other.write_text("X = 1\n")
    source = f"""
    import tst_a

    def select(task):
        print(tst_a.__file__)
        try:
            open({str(other)!r})
        except OSError:
            tst_a.twice("x")
    """
    outcome = outcome_of(tmp_path, overlay, source, tier)
    assert outcome.status is Status.CRASHED
    assert "an-overlay" not in outcome.reason + outcome.log
    assert "/packages/tst_a/__init__.py" in outcome.log
    assert 'File "/packages/tst_a/deep.py", line 2' in outcome.log
    assert outcome.reason.startswith("The submission raised ValueError"), outcome.reason


ASKS = {
    "xgboost": "write `requires: [xgboost]` into submission.yaml.",
    "cv2": "write `requires: [opencv-python-headless]` into submission.yaml (opencv-python-headless is the package's name).",
    "skimage": "write `requires: [scikit-image]` into submission.yaml (scikit-image is the package's name).",
    "sentence_transformers": "write `requires: [sentence-transformers]` into submission.yaml.",
}


@pytest.mark.parametrize("module", ASKS)
def test_a_package_that_is_not_there_can_be_asked_for_by_its_name(module: str, tmp_path: Path) -> None:
    source = f"import {module}.part\n\ndef select(task):\n    return [0]\n"
    outcome = run(job(tmp_path / "s", textwrap.dedent(source)), TIERS[0])
    assert outcome.status is Status.INVALID_SUBMISSION
    assert outcome.reason.endswith(f"If the challenge allows packages, {ASKS[module]}"), outcome.reason
