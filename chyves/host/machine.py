"""The machine that chyves works on: FreeBSD itself, or a lab in a directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from chyves.errors import ChyvesError
from chyves.host.run import PLACES, DryRunner, Runner, find

if TYPE_CHECKING:
    from chyves.host.events import Events
    from chyves.host.files import Files
    from chyves.host.interfaces import Interfaces
    from chyves.host.kernel import Kernel
    from chyves.host.lines import Lines
    from chyves.host.locks import Locks
    from chyves.host.log import Log
    from chyves.host.pci import Pci
    from chyves.host.processes import Processes
    from chyves.host.terminal import Terminal
    from chyves.host.zfs import Zfs

SYSTEM = Path("/")
NO_FREEBSD = "this machine is not FreeBSD; make a host to try chyves on with: chyves lab create"


class Host:
    """A host and all that can be done with it; each part is loaded when it is first used.

    `root` is where its file tree begins, `dry` says that changes are printed instead of made, and `lasting` that this
    process goes on for long: it loads no library that it can do without.
    """

    def __init__(self, root: Path, run: Runner, lasting: bool = False) -> None:
        self.root = root
        self.run = run
        self.dry = run.dry
        self.lasting = lasting

    @classmethod
    def open(cls, environ: Mapping[str, str], dry: bool = False, lasting: bool = False) -> Host:
        """The host of an environment: a lab (`CHYVES_LAB=DIR`), or this machine, where it has a freebsd-version.

        Runs no program. Raises ChyvesError where there is no lab and the machine is not FreeBSD.
        """
        kind = DryRunner if dry else Runner
        if environ.get("CHYVES_LAB"):
            top = Path(os.path.abspath(environ["CHYVES_LAB"]))
            if not os.path.isfile(top / "lab.json"):
                raise ChyvesError(f"{top}: is not a lab; make one with: chyves lab create {top}")
            return cls(top / "root", kind(environ, f"{top / 'bin'}:{PLACES}"), lasting)
        return cls(SYSTEM, kind(environ, _path(environ.get("PATH", ""))), lasting)

    def path(self, text: str) -> Path:
        """Where an absolute path of the host (`/var/run/chyves`) really is."""
        return self.root / text.lstrip("/")

    @property
    def privileged(self) -> bool:
        """Whether the user may change this host: is root, or owns the directory that the host is."""
        try:
            return os.geteuid() in (0, self.owner)
        except OSError:
            return False

    @property
    def owner(self) -> int:
        """The user whose the files of chyves are: root, or who owns the directory that the host is."""
        return 0 if self.root == SYSTEM else self.root.stat().st_uid

    @cached_property
    def zfs(self) -> Zfs:
        from chyves.host.zfs import adapter

        return adapter(self.run, library=self.run.environ["PATH"] == PLACES and not self.lasting)

    @cached_property
    def interfaces(self) -> Interfaces:
        from chyves.host.interfaces import Interfaces

        return Interfaces(self.run)

    @cached_property
    def kernel(self) -> Kernel:
        from chyves.host.kernel import Kernel

        return Kernel(self.run)

    @cached_property
    def pci(self) -> Pci:
        from chyves.host.pci import Pci

        return Pci(self.run)

    @cached_property
    def processes(self) -> Processes:
        from chyves.host.processes import Processes

        return Processes(self.run)

    @cached_property
    def lines(self) -> Lines:
        from chyves.host.lines import Lines

        return Lines(self.path("/var/spool/lock"), self.processes)

    @cached_property
    def files(self) -> Files:
        from chyves.host.files import DryFiles, Files

        return DryFiles() if self.dry else Files()

    @cached_property
    def locks(self) -> Locks:
        from chyves.host.locks import Locks

        return Locks(self.path("/var/run/chyves"), self.dry)

    @cached_property
    def log(self) -> Log:
        from chyves.host.log import Log

        return Log(self.dry)

    @cached_property
    def events(self) -> Events:
        from chyves.host.events import PLACE, Events

        return Events(self.path(PLACE), self.dry)

    @cached_property
    def terminal(self) -> Terminal:
        from chyves.host.terminal import Terminal

        return Terminal(self.dry)


def _path(given: str) -> str:
    """Where this machine's programs are: the system's places; first the user's, where FreeBSD was found there."""
    program = find("freebsd-version", f"{given}:{PLACES}")
    if program is None:
        raise ChyvesError(NO_FREEBSD)
    return PLACES if os.path.dirname(program) in PLACES.split(":") else f"{given}:{PLACES}"
