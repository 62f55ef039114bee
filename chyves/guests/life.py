"""One guest's life: its boots, what follows from the end of each, and what is freed after the last."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import chyves
from chyves.bhyve import board
from chyves.bhyve.facts import Facts
from chyves.bhyve.launch import launch
from chyves.errors import ChyvesError, Interrupted
from chyves.guests import crashes, hooks, policy, prepare, running, seed, sockets, tpm
from chyves.guests.journal import Journal
from chyves.guests.last_words import last, on_console
from chyves.guests.policy import Act
from chyves.guests.programs import Programs
from chyves.guests.reboot import read_again
from chyves.guests.reclaim import free, free_vmm
from chyves.guests.recording import Recording
from chyves.guests.supervise import UP
from chyves.guests.watch import HEEDED
from chyves.host import children
from chyves.host.machine import Host
from chyves.masking import holds_secret
from chyves.pools.holdings import Holdings
from chyves.properties import Guest

ENDED = -1
"""Instead of a status: the guest was told to end before bhyve ran."""

QUIET_ENDS = (0, 1, 2)
"""Statuses with which a guest may end before anyone saw it up, without that being a failure to start."""


class BootFailed(ChyvesError):
    """The loader or bhyve did not bring the guest up."""


class Life:
    """A guest as its supervisor has it; `report` tells the command that started it that it is up."""

    def __init__(self, host: Host, name: str, lock: int, report: Callable[[str], None]) -> None:
        self.host, self.name, self.lock, self.report = host, name, lock, report
        self.holdings = Holdings.read(host)
        self.holding = self.holdings.guest(name)
        self.journal = Journal(self.holdings, self.holding)
        self.recording = Recording(host, self.holding.logs, self._tell)
        self.seen_up: bool = False
        self._up_again = ""
        self.facts: Facts | None = None
        self._look_after(running.Running(supervisor=os.getpid(), started=time.strftime("%Y-%m-%dT%H:%M:%S%z")))

    def _look_after(self, state: running.Running) -> None:
        self.state = state
        self.programs = Programs(self.host, self.name, state, self._tell)
        self.hooks = hooks.Hooks(self, self._tell)

    def _tell(self, level: int, text: str) -> None:
        self.journal.write(level, text)

    def _note_holding(self) -> None:
        """Have in what is written down what the guest has of its properties and disks at its next boot."""
        guest, state = self.holding.properties, self.state
        state.properties = {name: text for name, text in guest.text.items() if not holds_secret(f"{name}={text}")}
        state.disks = prepare.held_disks(self.holding)
        state.serial = guest.serial
        state.lines = [line.pair for line in board.coms(guest).values() if line.pair]
        on_network = guest.uefi_console_output == "vnc" and not guest.uefi_vnc_socket
        state.vnc_port = guest.uefi_vnc_port if on_network else None

    def begin(self, medium: str | None, taps: Sequence[str]) -> None:
        """Boot the guest, and again as its properties want; raises ChyvesError when it did not come up."""
        self._heed_signals()
        self.state.medium, self.state.taps = medium, list(taps)
        self._note_holding()
        with self._to_the_end():
            self.host.files.make_directory(running.directory(self.host, self.name))
            self._remember()
            self.hooks.before()
            self._follow(self._boot())
            if not self.seen_up:
                raise ChyvesError(f"{self.name}: was stopped before it was up")

    def adopt(self) -> None:
        """Look after a guest whose supervisor died: wait for its end, boot it again where the kernel tells of a reboot.

        It goes on with the properties that it ran with, as far as they were written down.
        """
        self._take_up()
        self._heed_signals()
        if self.state.bhyve is None:
            raise ChyvesError(f"{self.name}: there is nothing to adopt")
        hooks.end_left_over(self.host, self.name, self.state)
        self.state.supervisor = os.getpid()
        self._remember()
        self._tell(1, f"adopted: bhyve is process {self.state.bhyve}")
        self.host.events.note("supervisor_replaced", self.name)
        self._record_again()
        self.report(UP)
        with self._to_the_end():
            self._become_watch(child=False)
            self.host.processes.wait_for_end(self.state.bhyve, None)
            self._after(None)

    def go_on(self, status: int | None, stopping: bool, console: Sequence[int]) -> None:
        """Go on once bhyve has ended, with this status where it is known.

        `stopping` says that the guest is to stay off, `console` are the ends of its console where that is relayed.
        """
        with self._to_the_end():
            self._take_up()
            self.programs.ending = stopping
            if console:
                self.recording.take_over(self.holding.properties, (console[0], console[1]))
            self._heed_signals()
            self._after(status)

    def _take_up(self) -> None:
        """Have the guest as it was written down; raises ChyvesError where it was not."""
        state = running.read(self.host, self.name)
        if state is None:
            raise ChyvesError(f"{self.name}: nothing is written down of it")
        self._look_after(state)
        if state.properties:
            now = self.holding.properties.text
            secret = {name: text for name, text in now.items() if holds_secret(f"{name}={text}")}
            self.holding.properties = Guest(self.name, state.properties | secret)
        self.seen_up = True

    def _heed_signals(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._press_button)
        signal.signal(signal.SIGUSR1, self._note_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)

    @contextlib.contextmanager
    def _to_the_end(self) -> Iterator[None]:
        """Free everything at the end, and have in the log why it came, where that is an error."""
        try:
            yield
        except ChyvesError as error:
            self._tell(1, f"failed: {error}")
            raise
        finally:
            self._clean_up()

    def _after(self, status: int | None) -> None:
        """Follow what the end of a bhyve means that was another program's to wait for."""
        self.programs.ended()
        self.programs.words()
        if status is None:
            self._tell(1, "ended; it was adopted, so that its status is not known")
            return
        self._tell_end(status)
        self._follow(status)

    def _follow(self, status: int) -> None:
        """Do after each end of bhyve what the guest's properties want; raises ChyvesError where it cannot boot."""
        while not self.programs.ending:
            guest = self.holding.properties
            following = policy.after(status, guest, self.state.crashes, time.monotonic())
            try:
                if not self._prepare(following, status):
                    return
                status = self._boot()
            except ChyvesError as error:
                if self.programs.ending:
                    raise
                if not isinstance(error, BootFailed) or guest.on_crash != "restart":
                    self._note_crash("did not boot again")
                    self.hooks.after("crashed", str(error))
                    raise
                self._tell(1, f"failed: {error}")
                status = policy.ERROR

    def _prepare(self, following: policy.Next, status: int) -> bool:
        """Have the guest ready for its next boot, which may have to be waited for; whether there is one."""
        if following.why:
            self._tell(1, following.why)
        self._up_again = "restarted" if following.crash else "rebooted"
        if following.crash:
            self.host.events.note("crashed", self.name, status=status, why=following.crash)
            self.hooks.after("crashed", following.crash)
        if following.act is Act.OFF:
            self._note_crash(following.crash)
            return False
        if following.crash:
            self.state.crashes, self.state.crash = list(following.crashes), following.crash
        if following.act is Act.KEEP:
            self._pause(None)
            return False
        if status != policy.REBOOT:
            free_vmm(self.host, self.name)
            self._pause(following.delay)
        if not following.crash:
            self._rebooted()
        self.state.crash = None
        if not self.programs.ending:
            self._read_again()
        return True

    def _note_crash(self, crash: str) -> None:
        if crash:
            try:
                crashes.note(self.host, self.name, crash)
            except ChyvesError as error:
                self._tell(1, str(error))

    def _pause(self, seconds: int | None) -> None:
        """Sleep so many seconds, or for ever, and no longer than until the guest is stopped."""
        began = time.monotonic()
        self.state.again = None if seconds is None else began + seconds
        self._remember()
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        while not self.programs.ending:
            if self.state.again is None:
                signal.sigwait(HEEDED)
            elif signal.sigtimedwait(HEEDED, max(0.0, self.state.again - time.monotonic())) is None:
                break
            self.programs.ending = True
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
        self.state.again = None

    def _record_again(self) -> None:
        """Relay the console of a guest that was started with console_log; without that nobody could join it."""
        try:
            if self.state.recorded:
                self.recording.begin(self.holding.properties, adopted=True)
        except ChyvesError as error:
            self._tell(1, str(error))

    def _remember(self) -> None:
        running.write(self.host, self.name, self.state)

    def _read_again(self) -> None:
        """Go back to a snapshot and read the properties again, where that is wanted; raises ChyvesError."""
        guest, programs = self.holding.properties, self.programs
        try:
            found = read_again(self.host, guest, self.state, self.journal, lambda: programs.ending)
        except Interrupted:
            programs.ending = True
        except ChyvesError:
            if not programs.ending:
                raise
        else:
            if found is not None:
                self.holdings, self.holding = found, found.guest(self.name)
                self.journal, self.facts = Journal(self.holdings, self.holding), None
                self._note_holding()
                self._remember()
                seed.forget(self.host, self.name)

    def _rebooted(self) -> None:
        """Count a boot that the guest wanted, and take the medium out when it was the last with it."""
        self.state.reboots += 1
        own = self.holding.properties.eject_iso_on_n_reboot
        limit = self.holdings.globals.eject_iso_on_n_reboot if own is None else own
        if self.state.medium is not None and limit and self.state.reboots >= limit:
            self._tell(2, f"{self.state.medium} is ejected after reboot {self.state.reboots}")
            self.state.medium = None
        self._remember()
        self.hooks.after("reboot")

    def _boot(self) -> int:
        """Run the loader and bhyve once; bhyve's status (negative: the signal that ended it). Raises ChyvesError."""
        if self.programs.ending:
            return ENDED
        self.facts = self.facts or self._facts()
        guest = self.holding.properties
        lines = launch(guest, self.facts, prepare.medium_path(self.holdings, self.state.medium))
        free_vmm(self.host, self.name)
        sockets.make_room(self.host, guest)
        self.recording.begin(guest)
        self.state.recorded = self.recording.on
        for path, text in lines.files.items():
            self.host.files.write(Path(path), text)
        if lines.loader:
            self._load(lines.loader)
        if self.programs.ending:
            return ENDED
        seed.make(self.host, lines.seed)
        tpm.begin(self.host, self.name, lines.tpm)
        status = self.programs.run(lines.line, lines.limits)
        return self._sleep() if status is None else self._ended_at_once(status)

    def _facts(self) -> Facts:
        """What the command lines need to know; a guest that boots again has the disks that it had."""
        facts = prepare.facts(self.holdings, self.holding)
        facts = facts if self.seen_up and seed.there(facts) else seed.looked_at(self.holding, facts)
        kept = self.seen_up and self.state.disks
        return replace(facts, disks=prepare.named_disks(self.state.disks, self.holding.properties)) if kept else facts

    def _ended_at_once(self, status: int) -> int:
        """What became of a bhyve that ended before its devices were there; a usage error has a power-off's status."""
        words = self.programs.words()
        means = self._tell_end(status)
        if self.programs.ending and not self.seen_up:
            return ENDED
        if status not in QUIET_ENDS or (status == 1 and words):
            raise BootFailed(f"{self.name}: bhyve ended with status {status} ({means}): {last(words)}")
        self._up()
        return status

    def _sleep(self) -> int:
        """Wait for the end of bhyve, which is up, as a smaller program; returns where this cannot become that."""
        self._up()
        self._become_watch(child=True)
        pid = self.state.bhyve
        assert pid is not None
        status = children.wait(pid)
        self.programs.ended()
        self.programs.words()
        self._tell_end(status)
        return status

    def _become_watch(self, child: bool) -> None:
        """Become the program that waits for bhyve's end, and does not return; or say in the log why that cannot be."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        facts = {
            "guest": self.name,
            "bhyve": self.state.bhyve,
            "lock": self.lock,
            "child": "yes" if child else "no",
            "ending": "yes" if self.programs.ending else "no",
        }
        words = [f"{name}={value}" for name, value in facts.items()]
        words += self.recording.hand_over(self.journal.places())
        os.set_inheritable(self.lock, True)
        environ = {**os.environ, "PYTHONPATH": str(Path(chyves.__file__).parents[1])}
        try:
            os.execve(sys.executable, (sys.executable, "-S", "-m", "chyves.guests.watch", *words), environ)
        except OSError as error:
            os.set_inheritable(self.lock, False)
            self._record_again()
            self._tell(1, f"goes on as a larger process: {sys.executable} cannot be started: {error.strerror}")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)

    def _tell_end(self, status: int) -> str:
        """Have in the log how bhyve ended; what that means."""
        self.hooks.status, means = status, policy.means(status)
        self._tell(1, f"bhyve ended with status {status}: {means}")
        return means

    def _load(self, line: Sequence[str]) -> None:
        """Run the loader to its end; raises BootFailed with its words when it did not load the guest."""
        guest, programs = self.holding.properties, self.programs
        self.recording.begin_loader(guest)
        try:
            status = programs.load(line, guest.loader_timeout)
        finally:
            shown = self.recording.end_loader()
        words = programs.words()
        if status == 0 or programs.ending:
            return
        if status is None:
            why = f"{line[0]} still waited after {guest.loader_timeout} s (loader_timeout) and was ended"
            said = f"it said: {last(words)}; " if words else ""
            raise BootFailed(f"{self.name}: {why}; {said}its console showed: {on_console(shown) or 'nothing'}")
        raise BootFailed(f"{self.name}: {line[0]} ended with status {status}: {last(words)}")

    def _up(self) -> None:
        if not self.seen_up:
            self._tell(1, "is up")
        self.host.events.note(self._up_again or "started", self.name, medium=self.state.medium)
        self._up_again = ""
        self.seen_up = True
        self.report(UP)
        self.hooks.after("started")

    def _press_button(self, number: int, frame: FrameType | None) -> None:
        """The guest is to power off."""
        self.programs.end()

    def _note_end(self, number: int, frame: FrameType | None) -> None:
        self.programs.ending = True

    def _clean_up(self) -> None:
        """Free everything, each part also when another could not be."""
        self.recording.end()
        self.hooks.after("stopped")
        try:
            free(self.host, self.name, self.state)
        except ChyvesError as error:
            self._tell(1, str(error))
        if self.seen_up:
            self.host.events.note("stopped", self.name)
        self._tell(1, "is off")
