"""Where a lab keeps what, and which host path stands where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from chyves.errors import ChyvesError

SETTINGS = "lab.json"

# Below /dev, what the real machine has and a lab does not play.
MACHINE_DEVICES = "null zero full random urandom tty ptmx pts shm fd stdin stdout stderr net/tun kvm".split()


class Lab(NamedTuple):
    """A lab's directory: `bin/` its programs, `root/` the host's file tree, `state/` what the programs remember."""

    top: Path
    release: str
    pool: str
    zfs: str = "model"
    machine: str = "amd64"

    @property
    def is_arm64(self) -> bool:
        """Whether it plays a host of that machine, whose bhyve is another one; see bhyve/arm64.py."""
        return self.machine == "arm64"

    @property
    def on_real_zfs(self) -> bool:
        """Whether its pools are those of the machine's own OpenZFS; see real_zfs.py."""
        return self.zfs == "real"

    @classmethod
    def open(cls, top: Path) -> Lab:
        """Read a lab's settings; raises ChyvesError where there is none, or none that can be read."""
        try:
            settings = json.loads((top / SETTINGS).read_text())
            kinds = settings.get("zfs", "model"), settings.get("machine", "amd64")
            return cls(top, settings["release"], settings["pool"], *kinds)
        except (FileNotFoundError, NotADirectoryError):
            raise ChyvesError(f"{top}: is not a lab; make one with: chyves lab create {top}") from None
        except OSError as error:
            raise ChyvesError(f"{top}: the lab cannot be entered: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise ChyvesError(f"{top / SETTINGS}: is damaged; it holds release and pool, as JSON") from None

    @property
    def bin(self) -> Path:
        return self.top / "bin"

    @property
    def root(self) -> Path:
        return self.top / "root"

    @property
    def state(self) -> Path:
        return self.top / "state"

    def inside(self, path: str) -> Path:
        """Where a path that a program was given really is.

        A path below the lab's tree is itself; a host path (`/dev/zvol/...`) is looked for in the tree; anything
        else (a medium in the user's home, /dev/null) is a path of the real machine.
        """
        given = Path(path)
        if not given.is_absolute() or given.is_relative_to(self.top):
            return given
        if path.startswith("/dev/"):
            of_machine = given.parts[2:3] and given.parts[2] in MACHINE_DEVICES
            return given if of_machine else self.root / path.lstrip("/")
        below = self.root / path.lstrip("/")
        return below if below.exists() else given
