"""A prompt for one guest: each line is a command line of chyves in which the guest need not be written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from chyves.cli.own_words import OwnWords, read
from chyves.errors import ChyvesError
from chyves.guests.complete import names
from chyves.host import children
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings

ENDS = ("quit", "exit")


def prompt(host: Host, guest: str) -> int:
    """Do what the lines say until `quit` or their end; the status.

    On a terminal a line that fails does not end it, and the status is 0. A script (input that is no terminal) ends with
    the status of the first line that fails. Raises ChyvesError where there is no such guest.
    """
    Holdings.read(host).guest(guest)
    if not sys.stdin.isatty():
        return _all(host, guest, (line.rstrip("\n") for line in sys.stdin))
    _complete(host, guest)
    host.terminal.say(1, f"{guest}: type what it shall do, such as start; help explains, quit ends")
    _all(host, guest, _typed(guest), patient=True)
    return 0


def _all(host: Host, guest: str, lines: Iterable[str], patient: bool = False) -> int:
    """Do one line after the other; the first status that is not 0 ends it, unless `patient`."""
    for line in lines:
        if line.strip() in ENDS:
            break
        status = _one(host, guest, line)
        if status and not patient:
            return status
    return 0


def _one(host: Host, guest: str, line: str) -> int:
    """Do one line, in a process of its own: some commands become another program; its status."""
    try:
        words = read(guest, line)
    except ChyvesError as error:
        host.terminal.failed(error)
        return error.status
    return children.call(lambda: _main(words)) if words else 0


def _main(words: Sequence[str]) -> int:
    from chyves.__main__ import main

    return main(words)


def _typed(guest: str) -> Iterable[str]:
    """The lines that are typed; Ctrl-C gives one up, Ctrl-D ends them."""
    while True:
        try:
            yield input(f"{guest}> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()


def _complete(host: Host, guest: str) -> None:
    """Have the terminal's keys for history and completion, where this Python has readline."""
    try:
        import readline
    except ImportError:
        return
    words = OwnWords(guest, lambda kind, of: names(kind, host, of))

    def offered(_text: str, number: int) -> str | None:
        return words.offered(readline.get_line_buffer()[: readline.get_endidx()], number)

    readline.set_completer_delims(" ")
    readline.set_completer(offered)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
