"""The process that looks after one running guest: `python -m chyves.guests.supervisor [--adopt] ... GUEST`.

It holds the lock that means "running" for as long as the guest lives, runs the loader and bhyve, follows what bhyve's
end means, and frees the taps and the VMM last (chyves.guests.life). While bhyve runs it is a smaller program
(chyves.guests.watch), which becomes this one again with `--ended STATUS`. Nothing is polled while the guest runs, which
keeps the properties of its start until they are read again (chyves.guests.reboot). SIGTERM presses the guest's ACPI
button (or ends its loader), and the guest is not started again; SIGUSR1 only says that it is not started again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.life import Life
from chyves.guests.reclaim import free
from chyves.guests.watch import HEEDED, UNKNOWN
from chyves.host.machine import Host

AGAIN = (1, 2, 4, 8, 16, 30, 60)
"""Seconds between tries to read the pools, without which a guest cannot be booted again."""


def main(argv: Sequence[str]) -> int:
    """Supervise a guest; the status is 1 when it could not be started."""
    words = _parser().parse_args(argv)
    report = Report(words.report)
    try:
        host = Host.open(os.environ, lasting=True)
        lock = words.lock or host.locks.take(running.lock_name(words.guest))
        os.set_inheritable(lock, False)
        try:
            _supervise(_life(host, lock, report, words), words)
        except ChyvesError:
            if words.ended is not None:
                with contextlib.suppress(ChyvesError):  # which the next command tries again, and tells
                    free(host, words.guest, running.read(host, words.guest))
            raise
        finally:
            os.close(lock)  # whoever hears why the guest did not come up may start it again at once
    except ChyvesError as error:
        report.say(str(error))
        return 1
    except Exception as error:
        report.say(f"{words.guest}: its supervisor failed, which is a fault of chyves: {error!r}")
        raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chyves.guests.supervisor")
    parser.add_argument("--report", type=int)
    parser.add_argument("--medium")
    parser.add_argument("--tap", action="append", default=[])
    parser.add_argument("--adopt", action="store_true")
    parser.add_argument("--ended")
    parser.add_argument("--lock", type=int)
    parser.add_argument("--console")
    parser.add_argument("--stopping", action="store_true")
    parser.add_argument("guest")
    return parser


def _life(host: Host, lock: int, report: Report, words: argparse.Namespace) -> Life:
    """The guest as it is on its pool; where that cannot be read when bhyve has ended, it is tried again for a while.

    Not where the guest is to stay off. Raises ChyvesError.
    """
    for seconds in AGAIN if words.ended is not None else ():
        try:
            return Life(host, words.guest, lock, report.say)
        except ChyvesError:
            if words.stopping or signal.sigtimedwait(HEEDED, seconds) is not None:
                words.stopping = True
                break
    return Life(host, words.guest, lock, report.say)


def _supervise(life: Life, words: argparse.Namespace) -> None:
    if words.ended is not None:
        console = [int(number) for number in words.console.split(",")] if words.console else []
        life.go_on(None if words.ended == UNKNOWN else int(words.ended), words.stopping, console)
    elif words.adopt:
        life.adopt()
    else:
        life.begin(words.medium, words.tap)


class Report:
    """The pipe to the command that started this: one word or sentence, then closed."""

    def __init__(self, descriptor: int | None) -> None:
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # bhyve would hold it open for as long as it runs
        self._descriptor = descriptor

    def say(self, text: str) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(BrokenPipeError):  # the command was ended; the guest goes on
            os.write(self._descriptor, text.encode())
        os.close(self._descriptor)
        self._descriptor = None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
