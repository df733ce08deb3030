"""A real browser over pages of files, and what participants try to write into them."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NASTY = '<script>document.title="owned"</script>'
BAR = "x|y `z` [l](javascript:alert(1))"
HIDDEN = "\u202eevil\u200b\x1b[31m\r\nnew line"
FORMULA = '=HYPERLINK("http://example.org","x")'

_ARGS = (
    "--no-sandbox --headless --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
_AXE = "https://registry.npmjs.org/axe-core/-/axe-core-4.10.3.tgz"  # MPL-2.0: used by tests, never shipped
_AXE_SHA256 = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"


@contextmanager
def launched() -> Iterator[Browser]:
    """Headless Chromium; the test is skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=_ARGS.split())
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, path: Path, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page opened from its file, offline, and a list that collects what its console says and whatever else it asks for."""
    made = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 900}, **context})
    page, complaints = made.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda ask: complaints.append(ask.url) if not ask.url.startswith("file:") else None)
    page.goto(path.as_uri())
    yield page, complaints
    made.close()


def axe_source(cache: Path) -> str:
    """The script of axe-core, fetched once from npm's registry by digest; the test is skipped where it cannot be had."""
    import pooch

    try:
        archive = pooch.retrieve(_AXE, f"sha256:{_AXE_SHA256}", "axe-core-4.10.3.tgz", cache)
    except Exception as error:
        if "hash" in str(error).lower():
            raise
        pytest.skip(f"axe-core could not be fetched from npm's registry: {error!r:.120}")
    with tarfile.open(archive) as file:
        script = file.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def violations(page: Page, axe: str, *only: str) -> list[str]:
    """What axe finds wrong by its rules, or ``only`` by some of them: rule and place, a line each.

    The page's policy forbids scripts, so it runs in the driver's name.
    """
    page.evaluate(f"() => {{ if (window.axe) return; {axe}\n }}")
    found = page.evaluate(
        "async only => (await axe.run(document, {preload: false, ...(only.length ? {runOnly: only} : {})})).violations",
        list(only),
    )
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]
