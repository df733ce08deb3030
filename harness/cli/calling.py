"""One command called, and whatever it raises said in one paragraph."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any

from harness.cli import terminal
from harness.errors import BenchmarkError, ProtocolError

NOT_OK, USAGE, CANCELLED = 1, 2, 130
"""Exit statuses beside 0: not ok; wrong usage or config; Ctrl-C, as shells say it."""


def call(args: argparse.Namespace) -> int:
    """Call what a command line asks for; its exit status. Raises BrokenPipeError where the reader of the output has gone."""
    module, _, function = args.handler.partition(":")
    _terminate_like_ctrl_c()
    try:
        return int(getattr(import_module(f"harness.cli.{module}"), function)(args))
    except BenchmarkError as error:
        terminal.say(f"harness {args.command}: {error}", stderr=True)
        return USAGE if isinstance(error, ProtocolError) else NOT_OK
    except KeyboardInterrupt:
        terminal.say(f"harness {args.command}: cancelled.", stderr=True)
        if threading.active_count() > 1:  # the second Ctrl-C: a cell is still being scored and will not be waited for
            sys.stdout.flush()
            os._exit(CANCELLED)
        return CANCELLED
    except BrokenPipeError:
        raise
    except OSError as error:  # a full or read-only temporary directory, too many open files, no memory for a process
        if os.environ.get("HARNESS_DEBUG"):
            raise
        where = f" ({error.filename})" if error.filename else ""
        terminal.say(
            f"harness {args.command}: this machine does not allow it: {error.strerror or error}{where}. Make room there, "
            "or choose a directory that can be written (TMPDIR names the one for temporary files, XDG_CACHE_HOME the "
            "one above the cache); finished cells are kept.",
            stderr=True,
        )
        return NOT_OK
    except Exception as error:
        if os.environ.get("HARNESS_DEBUG"):
            raise
        terminal.say(
            f"harness {args.command}: internal error, {type(error).__name__}: {error}. This is a fault of the harness, "
            "not of a submission; finished cells are kept. HARNESS_DEBUG=1 shows where; please report it.",
            stderr=True,
        )
        return NOT_OK


def _terminate_like_ctrl_c() -> None:
    """SIGTERM and a closed terminal clean up as Ctrl-C does, unless this process was told to ignore them."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
            signal.signal(number, signal.default_int_handler)


def warned(message: Warning | str, *_: Any, **__: Any) -> None:
    """Warnings as users read them: no file names, no source lines."""
    terminal.say(f"warning: {message}", stderr=True)
