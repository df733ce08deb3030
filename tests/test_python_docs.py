"""docs/python.md, run as it stands: its blocks one after the other, in an empty directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.M | re.S)


def test_every_block_runs(tmp_path: Path) -> None:
    assert len(BLOCKS) == PAGE.count("```") // 2
    (tmp_path / "page.py").write_text("\n".join(BLOCKS), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ok" in done.stdout.splitlines()[0]
    assert "Did you mean debugging_wine" in done.stdout
    assert done.stdout.splitlines()[-1] == "(400, 3)"
