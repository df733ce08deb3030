"""From pip's words to one paragraph: what cannot be had, why, and whose matter that is."""

from __future__ import annotations

import re

from harness.errors import BenchmarkError, HarnessError, Status, SubmissionError
from harness.packages.guard import REFUSED
from harness.packages.installer import Said
from harness.sandbox.log import clean

_NO_NETWORK = re.compile(
    r"connection error: |connection broken by|ConnectTimeoutError|ReadTimeoutError|NewConnectionError|"
    r"ProxyError|Network is unreachable|Name or service not known|Temporary failure in name resolution"
)
_NOT_FOUND = re.compile(r"No matching distribution found for ([^\s(]+(?: [<>=!~][^\s(]*)?)")
_VERSIONS = re.compile(r"Could not find a version that satisfies the requirement .*? \(from versions: (.+?)\)$", re.M)


def refused(reason: str, hint: str = "") -> SubmissionError:
    """The error of requirements that cannot be met."""
    return SubmissionError(reason, hint, Status.INVALID_SUBMISSION)


def blame(said: Said) -> BenchmarkError:
    """The error to raise where pip failed."""
    text = said.text
    if REFUSED in text:
        return refused(
            "A package it requires, or one that such a package needs, would have to be built, and that runs its code.",
            "Packages are installed from wheels alone: ask for a version that has one.",
        )
    if conflict := _conflict(text):
        return refused(
            f"Its packages do not go together with each other or with the harness's, which stay as they are: {conflict}.",
            "Ask for other versions, or leave the version open.",
        )
    if "DO NOT MATCH THE HASHES" in text:
        return refused("A wheel is not the one that was locked: its SHA-256 is another.", _LOCKED)
    if missing := _NOT_FOUND.search(text):
        return _not_found(missing[1], text)
    errors = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR: ")]
    if _NO_NETWORK.search("\n".join(errors)):
        return _no_network()
    told = clean(" ".join(errors or text.splitlines()[-3:]), 600).rstrip(".")
    return HarnessError(f"pip could not get the packages: {told}.")


_LOCKED = "The index offers other files under the same name now."


def _no_network() -> HarnessError:
    return HarnessError(
        "The packages it requires cannot be had: the package index cannot be reached.",
        "Is there a network here? pip's own settings (`pip config list`) name the index; what was resolved and unpacked once "
        "is used again without it.",
    )


def _not_found(asked: str, text: str) -> BenchmarkError:
    name = re.split(r"[\[<>=!~;]", asked)[0].strip()
    versions = _VERSIONS.search(text)
    known = [] if versions is None or versions[1] == "none" else versions[1].split(", ")
    if known:
        return refused(f"There is no {asked} with a wheel for this Python and machine.", f"There is {_last(known)}.")
    if re.search(rf"No sources permitted for {_any_spelling(name)}:", text, re.I):
        return refused(
            f"{asked} is offered as source alone, and building it would run its code outside the sandbox.",
            "Only packages with a wheel can be asked for.",
        )
    if _NO_NETWORK.search(text):
        return _no_network()
    if re.search(rf"{_any_spelling(name)}-[^\s/]*\.whl", text, re.I):
        return refused(f"{asked} has no wheel for this Python and machine.")
    return refused(f"There is no package {name}.", "Is the name right? It may differ from the name that is imported.")


def _any_spelling(name: str) -> str:
    """A pattern: -, _ and . are the same in a package's name."""
    return "[-_.]+".join(re.escape(part) for part in re.split(r"[-_.]+", name))


def _last(versions: list[str]) -> str:
    return f"{', '.join(versions[-5:])}" + (f" and {len(versions) - 5} older" if len(versions) > 5 else "")


def _conflict(text: str) -> str:
    """The lines in which pip says who wants what; a constraint is the harness's own version."""
    _, found, rest = text.partition("The conflict is caused by:")
    if not found:
        return ""
    lines = [line.strip() for line in rest.lstrip("\n").split("\n\n")[0].splitlines() if line.strip()]
    told = [
        re.sub(
            r"^The user requested (\(constraint\) )?", lambda m: "the harness has " if m[1] else "asked for is ", line
        )
        for line in lines
    ]
    return clean("; ".join(dict.fromkeys(told)), 600)
