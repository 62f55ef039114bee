"""A changing command in the logs: what was typed and by whom, all that it told, how it failed."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from chyves.errors import ChyvesError, SeveralFailed
from chyves.host.machine import Host
from chyves.masking import masked_report
from chyves.pools.holdings import Holdings
from chyves.targets import is_name

LONGEST = 1000
"""Characters of a typed line that are kept."""


@contextmanager
def recorded(host: Host, words: Sequence[str], target: object, environ: Mapping[str, str]) -> Iterator[None]:
    """Have the logs say what a command does; `target` is whom it was given.

    What comes before the datasets have been read is written when they have been; where the command itself does not
    come to that, they are read for it at its end.
    """
    whose = _names(target)
    typed = " ".join(shlex.join(["chyves", *words]).split())[:LONGEST]
    host.terminal.recording = True
    host.terminal.record(1, f"{whose}{typed}, by {_user(environ)}")
    host.events.begin(_user(environ), _named(target), masked_report(typed))
    try:
        yield
    except SeveralFailed:
        raise  # each was told when it happened
    except ChyvesError as error:
        host.terminal.record_failure(error)
        raise
    except BaseException as error:
        what = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        host.terminal.record(1, f"{whose}failed: {what}")
        raise
    finally:
        host.events.end()
        if host.terminal.unwritten:
            with suppress(ChyvesError):
                Holdings.read(host)


def _names(target: object) -> str:
    """How a line begins that is about the guests of a target, as far as they are named."""
    found = _named(target)
    return f"{', '.join(found)}: " if found else ""


def _named(target: object) -> list[str]:
    parts = target if isinstance(target, tuple) else (target,)
    return [part for part in parts if isinstance(part, str) and is_name(part)]


def _user(environ: Mapping[str, str]) -> str:
    """Who typed it: before sudo(8) or doas(1) made root of them."""
    try:
        own = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        own = str(os.getuid())
    return environ.get("SUDO_USER") or environ.get("DOAS_USER") or own
