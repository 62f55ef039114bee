"""Carrying out what was asked for by the words of a line: chyves's own, or those of a call (chyves.interface)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from chyves.cli.parser import Request
from chyves.errors import ChyvesError, NeedsRoot, Vanished

if TYPE_CHECKING:
    from chyves.cli.streams import Stream
    from chyves.cli.tables import Table
    from chyves.host.machine import Host

    Result = Table | Stream | str | int | None

T = TypeVar("T")

LOOKS = 5
"""How often what only looks does so, where other commands rename guests while it reads."""


def carry_out(
    request: Request,
    words: Sequence[str],
    environ: Mapping[str, str],
    take: Callable[[Result], T],
    prepare: Callable[[Host], object] = lambda host: None,
) -> T:
    """Do what a request asks for and hand what it tells to `take`, which gives the result; raises ChyvesError.

    `words` are those of the line, for the logs; `prepare` gets the host before anything is done.
    """
    host = _host(request, environ)
    _refuse_ignored_children()
    for one in host:
        prepare(one)
    with _explained(host), _recorded(request, words, host, environ):
        return take(_result(request, host))


def _refuse_ignored_children() -> None:
    """Raise ChyvesError where no program's status could be known: that of one that failed would be taken for 0."""
    import signal

    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        raise ChyvesError("SIGCHLD: is ignored by this process, which hides that a program fails; set it to SIG_DFL")


def _result(request: Request, host: Sequence[Host]) -> Result:
    """What the function of the command tells; one that only looks does so again where a guest was just renamed."""
    for _ in () if request.command.changes else range(LOOKS - 1):
        with suppress(Vanished):
            return _function(request)(*host, **request.keywords)
    return _function(request)(*host, **request.keywords)


def _host(request: Request, environ: Mapping[str, str]) -> tuple[Host, ...]:
    """The host, for a command that works on one; raises NeedsRoot."""
    row = request.command
    if not row.host:
        return ()
    from chyves.host.machine import Host

    host = Host.open(environ, request.dry_run)
    if row.root and not request.dry_run and not host.privileged:
        raise NeedsRoot(f"{row.name}: needs root; try: sudo chyves ...")
    return (host,)


def _explained(host: Sequence[Host]) -> AbstractContextManager[None]:
    """Have it said when a suspended pool holds up what is done."""
    if not host:
        return nullcontext()
    from chyves.host.suspension import told

    return told(host[0].run)


def _recorded(
    request: Request, words: Sequence[str], host: Sequence[Host], environ: Mapping[str, str]
) -> AbstractContextManager[None]:
    """Have the logs say what a command that changes something does, and the events what it has changed."""
    if not (host and request.command.changes) or request.dry_run:
        return nullcontext()
    from chyves.pools.account import recorded

    return recorded(host[0], words, request.args.get("guest", request.args.get("owner")), environ)


def _function(request: Request) -> Callable[..., Result]:
    module, _, name = request.command.run.partition(":")
    function: Callable[..., Result] = getattr(import_module(module), name)
    return function
