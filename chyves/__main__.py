"""The whole way of a command: what was typed, the host, the function of its row, what it tells, the status."""

# PYTHON_ARGCOMPLETE_OK
from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import TYPE_CHECKING

import chyves
from chyves.cli.parser import Request, parse
from chyves.errors import ChyvesError, NeedsRoot, SeveralFailed, Vanished

if TYPE_CHECKING:
    from chyves.cli.tables import Table
    from chyves.host.machine import Host

    Result = Table | str | int | None

FAULT = 70
"""EX_SOFTWARE of sysexits(3)."""
CLOSED = 128 + 13
INTERRUPTED = 128 + 2
LOOKS = 5
"""How often what only looks does so, where other commands rename guests while it reads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; the exit status. Errors are told on stderr, one sentence each."""
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
        _discard_output()
        return CLOSED
    except Exception as error:
        return _tell_fault(error)


def _run(words: Sequence[str]) -> int:
    """Do it, print what the function of the command tells; the status, which is another program's where one ran."""
    if list(words) == ["--version"]:
        return _print(f"chyves {chyves.__version__}\n")
    request = parse(words)
    host = _host(request)
    with _explained(host), _recorded(request, words, host):
        result = _result(request, host)
    if isinstance(result, int):
        return result
    _print("" if result is None else _shown(result, request))
    failed: str = getattr(result, "failed", "")
    if failed:
        raise ChyvesError(failed)
    return 0


def _result(request: Request, host: tuple[Host, ...]) -> Result:
    """What the function of the command tells; one that only looks does so again where a guest was just renamed."""
    for _ in () if request.command.changes else range(LOOKS - 1):
        with suppress(Vanished):
            return _function(request)(*host, **request.keywords)
    return _function(request)(*host, **request.keywords)


def _host(request: Request) -> tuple[Host, ...]:
    """The host, for a command that works on one; raises NeedsRoot."""
    row = request.command
    if not row.host:
        return ()
    from chyves.host.machine import Host

    host = Host.open(os.environ, request.dry_run)
    if row.root and not request.dry_run and not host.privileged:
        raise NeedsRoot(f"{row.name}: needs root; try: sudo chyves ...")
    return (host,)


def _explained(host: Sequence[Host]) -> AbstractContextManager[None]:
    """Have it said when a suspended pool holds up what is done."""
    if not host:
        return nullcontext()
    from chyves.host.suspension import told

    return told(host[0].run)


def _recorded(request: Request, words: Sequence[str], host: Sequence[Host]) -> AbstractContextManager[None]:
    """Have the logs say what a command that changes something does."""
    if not (host and request.command.changes) or request.dry_run:
        return nullcontext()
    from chyves.pools.account import recorded

    return recorded(host[0], words, request.args.get("guest", request.args.get("owner")), os.environ)


def _function(request: Request) -> Callable[..., Result]:
    module, _, name = request.command.run.partition(":")
    function: Callable[..., Result] = getattr(import_module(module), name)
    return function


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
    import shutil

    return shutil.get_terminal_size((0, 0)).columns or None


def _print(text: str) -> int:
    """Print a result, which ends well; what the terminal's encoding lacks comes as a backslash and its code."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, end="" if not text or text.endswith("\n") else "\n", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        raise ChyvesError(f"standard output: {error.strerror}; what was told is not all there") from None
    return 0


def _discard_output() -> None:
    """Keep the interpreter from trying once more, at its end, to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: ChyvesError) -> None:
    print(f"chyves: {error}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print("".join(f"  {line}\n" for line in note.splitlines()), end="", file=sys.stderr)


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
