"""The whole way of a command: what was typed, the host, the function of its row, what it tells, the status."""

# PYTHON_ARGCOMPLETE_OK
from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import chyves
from chyves import stdio
from chyves.carry import carry_out
from chyves.cli.parser import Request, parse
from chyves.errors import ChyvesError, SeveralFailed

if TYPE_CHECKING:
    from chyves.carry import Result
    from chyves.cli.streams import Stream
    from chyves.cli.tables import Table

FAULT = 70
"""EX_SOFTWARE of sysexits(3)."""
CLOSED = 128 + 13
INTERRUPTED = 128 + 2


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; the exit status. Errors are told on stderr, one sentence each."""
    stdio.hold()
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    words = sys.argv[1:] if argv is None else argv
    try:
        return _run(words)
    except SeveralFailed as error:
        return error.status
    except ChyvesError as error:
        _tell(error)
        return error.status
    except KeyboardInterrupt:
        print("chyves: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        stdio.give_up(sys.stdout)
        return CLOSED
    except Exception as error:
        return _tell_fault(error)


def _run(words: Sequence[str]) -> int:
    """Do it, print what the function of the command tells; the status, which is another program's where one ran."""
    if list(words) == ["--version"]:
        return _print(f"chyves {chyves.__version__}\n")
    request = parse(words)
    _heed_children()
    return carry_out(request, words, os.environ, lambda result: _told(result, request))


def _heed_children() -> None:
    """See how programs end, also where whoever started this ignores its own children, which is passed on."""
    import signal

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _told(result: Result, request: Request) -> int:
    """Print what the function of a command told; the status."""
    if isinstance(result, int):
        return result
    if result is None or isinstance(result, str):
        return _print("" if result is None else _shown(result, request))
    from chyves.cli.streams import Stream

    if isinstance(result, Stream):
        return _poured(result, request)
    _print(_shown(result, request))
    if result.failed:
        raise ChyvesError(result.failed)
    return 0


def _poured(stream: Stream, request: Request) -> int:
    """Print a stream as it comes; where it has no end, Ctrl-C is one."""
    with suppress(KeyboardInterrupt) if stream.follows else nullcontext():
        for item in stream.items(_while_read):
            _print(stream.shown(item, request.json, request.headless), ended=False)
    return 0


def _while_read(seconds: float) -> None:
    """Wait; raises BrokenPipeError as soon as whom this is piped to has ended."""
    import select

    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if poll.poll(seconds * 1000):
        raise BrokenPipeError


def _shown(result: Table | str, request: Request) -> str:
    """A result in the form that was asked for."""
    from chyves.cli import tables

    if isinstance(result, str):
        return tables.json_of_text(result) if request.json else result
    if request.json:
        return tables.json_text(result)
    if request.headless:
        return tables.tabs(result)
    text = tables.plain(result, _width() if result.cut else None)
    return _paged(text) if result.paged else text


def _paged(text: str) -> str:
    """Nothing, once a pager has shown the text; without a terminal the text."""
    if not sys.stdout.isatty():
        return text
    import pydoc

    pydoc.pager(text)
    return ""


def _width() -> int | None:
    """The terminal's width in cells, or None where there is no terminal."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _print(text: str, ended: bool = True) -> int:
    """Print a result, `ended` by an end of line; what the terminal's encoding lacks is a backslash and its code."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    stdio.printed(text if not (text and ended) or text.endswith("\n") else f"{text}\n")
    return 0


def _tell(error: ChyvesError) -> None:
    from chyves.host.terminal import on_stderr, tell  # only where something failed

    tell(error, on_stderr)


def _tell_fault(error: Exception) -> int:
    """Tell of an error that nothing in chyves expected: where it happened, last and in a sentence what to do."""
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    traceback.print_exception(error)
    what = f"{type(error).__name__} in {os.path.basename(place.filename)} line {place.lineno}"
    print(f"chyves: {what}: this is a fault of chyves; report it with the lines above", file=sys.stderr)
    return FAULT


def _complete() -> None:
    """Answer the shell that completes a line, and end."""
    from chyves.cli.completion import complete

    complete(_names)


def _names(kind: str, of: str) -> Sequence[str]:
    """What the host has of a kind, for the guest `of` where that matters; nothing where it cannot be asked."""
    from chyves.guests.complete import names
    from chyves.host.machine import Host

    try:
        return tuple(names(kind, Host.open(os.environ), of))
    except ChyvesError:
        return ()


if __name__ == "__main__":
    sys.exit(main())
