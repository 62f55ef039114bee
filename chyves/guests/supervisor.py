"""The process that looks after one running guest: `python -m chyves.guests.supervisor [--adopt] ... GUEST`.

It holds the lock that means "running" for as long as the guest lives, runs the loader and bhyve, follows what bhyve's
end means, and frees the taps and the VMM last. Between those it sleeps in the kernel: nothing is polled while the guest
runs, which keeps the properties of its start until they are read again (chyves.guests.reboot). SIGTERM presses the
guest's ACPI button (or ends its loader), and the guest is not started again; SIGUSR1 only says that it is not started
again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from chyves import names
from chyves.bhyve.facts import Facts
from chyves.bhyve.launch import launch
from chyves.errors import ChyvesError, Interrupted
from chyves.guests import prepare, running
from chyves.guests.journal import Journal
from chyves.guests.reboot import read_again
from chyves.guests.reclaim import free, free_vmm
from chyves.guests.recording import Recording
from chyves.guests.supervise import UP
from chyves.host import children
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings
from chyves.properties import Guest

ENDS = {0: "reboot", 1: "power-off", 2: "halt", 3: "triple fault", 4: "error"}
"""What bhyve's exit statuses mean (bhyve(8), EXIT STATUS)."""

REBOOT = 0
ENDED = -1
"""Instead of a status: the guest was told to end before bhyve ran."""

QUIET_ENDS = (0, 1, 2)
"""Statuses with which a guest may end before anyone saw it up, without that being a failure to start."""

LOOK_AGAIN = 0.05
"""Seconds between looks at bhyve's process title, until it says that the devices are there."""


def main(argv: Sequence[str]) -> int:
    """Supervise a guest; the status is 1 when it could not be started."""
    parser = argparse.ArgumentParser(prog="chyves.guests.supervisor")
    parser.add_argument("--report", type=int, required=True)
    parser.add_argument("--medium")
    parser.add_argument("--tap", action="append", default=[])
    parser.add_argument("--adopt", action="store_true")
    parser.add_argument("guest")
    words = parser.parse_args(argv)
    report = Report(words.report)
    try:
        host = Host.open(os.environ)
        lock = host.locks.take(running.lock_name(words.guest))
        try:
            supervisor = Supervisor(host, words.guest, words.medium, words.tap, report)
            supervisor.adopt() if words.adopt else supervisor.live()
        finally:
            os.close(lock)  # whoever hears why the guest did not come up may start it again at once
    except ChyvesError as error:
        report.say(str(error))
        return 1
    except Exception as error:
        report.say(f"{words.guest}: its supervisor failed, which is a fault of chyves: {error!r}")
        raise
    return 0


class Report:
    """The pipe to the command that started this: one word or sentence, then closed."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # bhyve would hold it open for as long as it runs
        self._descriptor: int | None = descriptor

    def say(self, text: str) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(BrokenPipeError):  # the command was ended; the guest goes on
            os.write(self._descriptor, text.encode())
        os.close(self._descriptor)
        self._descriptor = None


class Supervisor:
    """Runs one guest from its start to its end."""

    def __init__(self, host: Host, name: str, medium: str | None, taps: Sequence[str], report: Report) -> None:
        self.host, self.name, self.report = host, name, report
        self.holdings = Holdings.read(host)
        self.holding = self.holdings.guest(name)
        self.journal = Journal(self.holdings, self.holding)
        self.recording = Recording(host, self.holding.logs, self.journal.write)
        self.ending: bool = False
        self.seen_up: bool = False
        self.facts: Facts | None = None
        self.state = running.Running(
            supervisor=os.getpid(),
            taps=list(taps),
            medium=medium,
            started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        )
        self._note_holding()

    def _note_holding(self) -> None:
        """Have in what is written down what the guest has of its properties and disks at its next boot."""
        guest, state = self.holding.properties, self.state
        state.properties = dict(guest.text)
        state.disks = prepare.held_disks(self.holding)
        state.serial = guest.serial
        state.vnc_port = guest.uefi_vnc_port if guest.uefi_console_output == "vnc" else None

    def live(self) -> None:
        """Boot the guest, again after each reboot, until it ends; raises ChyvesError when it did not come up."""
        self._heed_signals()
        with self._to_the_end():
            self.host.files.make_directory(running.directory(self.host, self.name))
            self._remember()
            self._follow(self._boot())
            if not self.seen_up:
                raise ChyvesError(f"{self.name}: was stopped before it was up")

    def adopt(self) -> None:
        """Look after a guest whose supervisor died: wait for its end, boot it again where the kernel tells of a reboot.

        It goes on with the properties that it ran with, as far as they were written down.
        """
        self._heed_signals()
        state = running.read(self.host, self.name)
        if state is None or state.bhyve is None:
            raise ChyvesError(f"{self.name}: there is nothing to adopt")
        self.state = state
        self.state.supervisor = os.getpid()
        if state.properties:
            self.holding.properties = Guest(self.name, state.properties)
        self._remember()
        self.journal.write(1, f"adopted: bhyve is process {state.bhyve}")
        self._record_again()
        self.seen_up = True
        self.report.say(UP)
        with self._to_the_end():
            status = self.host.processes.wait_for_status(state.bhyve)
            self.state.bhyve = self.state.identity = None
            if status is None:
                self.journal.write(1, "ended; it was adopted, so that its status is not known")
                return
            self._tell_end(status)
            self._follow(status)

    def _heed_signals(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._press_button)
        signal.signal(signal.SIGUSR1, self._note_end)

    @contextlib.contextmanager
    def _to_the_end(self) -> Iterator[None]:
        """Free everything at the end, and have in the log why it came, where that is an error."""
        try:
            yield
        except ChyvesError as error:
            self.journal.write(1, f"failed: {error}")
            raise
        finally:
            self._clean_up()

    def _follow(self, status: int) -> None:
        """Boot the guest again after each reboot; raises ChyvesError where it cannot."""
        while status == REBOOT and not self.ending:
            self._rebooted()
            self._read_again()
            status = self._boot()

    def _record_again(self) -> None:
        """Relay the console of a guest that was started with console_log; without that nobody could join it."""
        try:
            if self.state.recorded:
                self.recording.begin(self.holding.properties, adopted=True)
        except ChyvesError as error:
            self.journal.write(1, str(error))

    def _remember(self) -> None:
        running.write(self.host, self.name, self.state)

    def _read_again(self) -> None:
        """Go back to a snapshot and read the properties again, where that is wanted; raises ChyvesError."""
        try:
            found = read_again(self.host, self.holding.properties, self.state, self.journal, lambda: self.ending)
        except Interrupted:
            self.ending = True
        except ChyvesError:
            if not self.ending:
                raise
        else:
            if found is not None:
                self.holdings, self.holding = found, found.guest(self.name)
                self.journal, self.facts = Journal(self.holdings, self.holding), None
                self._note_holding()
                self._remember()

    def _rebooted(self) -> None:
        """Count a reboot, and take the medium out when it was the last with it."""
        self.state.reboots += 1
        own = self.holding.properties.eject_iso_on_n_reboot
        limit = self.holdings.globals.eject_iso_on_n_reboot if own is None else own
        if self.state.medium is not None and limit and self.state.reboots >= limit:
            self.journal.write(2, f"{self.state.medium} is ejected after reboot {self.state.reboots}")
            self.state.medium = None
        self._remember()

    def _boot(self) -> int:
        """Run the loader and bhyve once; bhyve's status (negative: the signal that ended it). Raises ChyvesError."""
        if self.ending:
            return ENDED
        self.facts = self.facts or prepare.facts(self.holdings, self.holding)
        lines = launch(self.holding.properties, self.facts, prepare.medium_path(self.holdings, self.state.medium))
        free_vmm(self.host, self.name)
        self.recording.begin(self.holding.properties)
        self.state.recorded = self.recording.on
        for path, text in lines.files.items():
            self.host.files.write(Path(path), text)
        if lines.loader:
            self._load(lines.loader)
        if self.ending:
            return ENDED
        status, words = self._run(lines.bhyve)
        means = self._tell_end(status)
        if self.ending and not self.seen_up:
            return ENDED
        if self._failed(status, words):
            raise ChyvesError(f"{self.name}: bhyve ended with status {status} ({means}): {_last(words)}")
        self._up()
        return status

    def _tell_end(self, status: int) -> str:
        """Have in the log how bhyve ended; what that means."""
        means = ENDS.get(status, f"signal {-status}" if status < 0 else "error")
        self.journal.write(1, f"bhyve ended with status {status}: {means}")
        return means

    def _failed(self, status: int, words: str) -> bool:
        """Whether bhyve ended without the guest having come up; a usage error has the status of a power-off."""
        return not self.seen_up and (status not in QUIET_ENDS or (status == 1 and words != ""))

    def _load(self, line: Sequence[str]) -> None:
        """Run the loader to its end; raises ChyvesError with its words when it did not load the guest."""
        self.journal.write(3, shlex.join(line))
        self.state.loader = children.spawn(self.host.run, line, self._output)
        if self.ending:
            self._end_programs()
        self._remember()
        status = children.wait(self.state.loader)
        self.state.loader = None
        words = self._words()
        if status != 0 and not self.ending:
            raise ChyvesError(f"{self.name}: {line[0]} ended with status {status}: {_last(words)}")

    def _run(self, line: Sequence[str]) -> tuple[int, str]:
        """Run bhyve to its end, telling when it is up; its status and its words."""
        self.journal.write(3, shlex.join(line))
        pid = self.state.bhyve = children.spawn(self.host.run, line, self._output)
        if self.ending:
            self._end_programs()
        self.state.identity = self.host.processes.identity(pid)
        self._remember()
        status = self._watch(pid)
        if status is None:
            self._up()
            status = children.wait(pid)
        self.state.bhyve = self.state.identity = None
        return status, self._words()

    def _watch(self, pid: int) -> int | None:
        """Look at bhyve until its title says that its devices are there (None), or until it has ended (its status)."""
        while (status := children.ended(pid)) is None:
            if (self.host.processes.title(pid) or "").startswith(f"bhyve: {names.vm(self.name)}"):
                return None
            time.sleep(LOOK_AGAIN)
        return status

    def _up(self) -> None:
        if not self.seen_up:
            self.journal.write(1, "is up")
        self.seen_up = True
        self.report.say(UP)

    @property
    def _output(self) -> Path:
        """Where the loader and bhyve write, until it is in the log."""
        return running.directory(self.host, self.name) / "output"

    def _words(self) -> str:
        """What the program that ended said, now also in the log."""
        words = self._output.read_text(errors="replace").strip()
        self.journal.write(1, words)
        return words

    def _press_button(self, number: int, frame: FrameType | None) -> None:
        """The guest is to power off."""
        self.ending = True
        self._end_programs()

    def _end_programs(self) -> None:
        """Have a loader end, and bhyve, which makes of SIGTERM an ACPI button; before it is up nothing can be lost."""
        if self.state.loader is not None:
            children.send(self.state.loader, signal.SIGTERM)
        if self.state.bhyve is not None:
            children.send(self.state.bhyve, signal.SIGTERM if self.seen_up else signal.SIGKILL)

    def _note_end(self, number: int, frame: FrameType | None) -> None:
        self.ending = True

    def _clean_up(self) -> None:
        """Free everything, each part also when another could not be."""
        self.recording.end()
        try:
            free(self.host, self.name, self.state)
        except ChyvesError as error:
            self.journal.write(1, str(error))
        self.journal.write(1, "is off")


def _last(words: str) -> str:
    """The last lines of what a program said, in one line for a message."""
    return " / ".join(words.splitlines()[-3:]) or "it said nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
