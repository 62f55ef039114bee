"""Which virtual machines the lab's kernel has: /dev/vmm/NAME, what a loader put there, and a way to reach their bhyve.

The node is a file that holds, as JSON, what the kernel would remember: memory size and what was loaded. A bhyve that
runs a machine keeps the node locked, and reads words from the FIFO `state/vmm/NAME`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from chyves.lab.place import Lab

LONGEST_NAME, LONGEST_NAME_12 = 229, 37
PATIENCE = 10.0


class Machine:
    """What the kernel knows of a machine: memory in bytes once it was set up; what a loader loaded, for whom."""

    def __init__(self, memory: int | None = None, loaded: dict[str, Any] | None = None) -> None:
        self.memory = memory
        self.loaded = {} if loaded is None else loaded


def node(lab: Lab, name: str) -> Path:
    """Where /dev/vmm/NAME is."""
    return lab.root / "dev" / "vmm" / name


def _fifo(lab: Lab, name: str) -> Path:
    return lab.state / "vmm" / name


def names(lab: Lab) -> list[str]:
    """The machines that exist, sorted."""
    try:
        return sorted(os.listdir(lab.root / "dev" / "vmm"))
    except FileNotFoundError:
        return []


def exists(lab: Lab, name: str) -> bool:
    """Whether the kernel has this machine; says nothing of a bhyve that runs it."""
    return name not in ("", ".", "..") and "/" not in name and node(lab, name).exists()


def create(lab: Lab, name: str) -> None:
    """Make an empty machine; raises OSError: EEXIST, EINVAL for no name, ENAMETOOLONG."""
    if not name or "/" in name or name in (".", "..") or any(character in " \t\n\"'" for character in name):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    longest = LONGEST_NAME_12 if lab.release.startswith(("11.", "12.")) else LONGEST_NAME
    if len(os.fsencode(name)) > longest:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    place = node(lab, name)
    (lab.state / "vmm").mkdir(parents=True, exist_ok=True)
    while True:
        # Another program may take the last machine, and with it the directory, away between the two.
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            break
        except FileNotFoundError:
            continue
    os.write(descriptor, json.dumps(vars(Machine())).encode())
    os.close(descriptor)
    _fifo(lab, name).unlink(missing_ok=True)
    os.mkfifo(_fifo(lab, name), 0o600)


def destroy(lab: Lab, name: str) -> None:
    """Take a machine away; its bhyve, if one runs, ends. Raises FileNotFoundError.

    Returns when that bhyve is gone, or after some seconds where it does not listen (it may be stopped).
    """
    descriptor = os.open(node(lab, name), os.O_RDWR)
    try:
        told = tell(lab, name, "destroy")
        _forget(lab, name)
        late = time.monotonic() + PATIENCE
        while told and not _alone(descriptor) and time.monotonic() < late:
            time.sleep(0.01)
    finally:
        os.close(descriptor)


def _alone(descriptor: int) -> bool:
    """Whether no bhyve has the machine open that a descriptor is of."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget(lab: Lab, name: str) -> None:
    node(lab, name).unlink(missing_ok=True)
    _fifo(lab, name).unlink(missing_ok=True)
    try:
        node(lab, name).parent.rmdir()
    except OSError:
        pass  # other machines are there


def tell(lab: Lab, name: str, word: str) -> bool:
    """Say `destroy`, `poweroff`, `reset` or `nmi` to the bhyve that runs a machine; False where none does."""
    try:
        descriptor = os.open(_fifo(lab, name), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(descriptor, f"{word}\n".encode())
    os.close(descriptor)
    return True


def machine(lab: Lab, name: str) -> Machine:
    """What the kernel knows of a machine; raises FileNotFoundError."""
    return Machine(**json.loads(node(lab, name).read_text()))


class Open:
    """A machine as the one program that runs or fills it has it open.

    Raises FileNotFoundError, and BlockingIOError while another program has it.
    """

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        self._node = os.open(node(lab, name), os.O_RDWR)
        try:
            fcntl.flock(self._node, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._node)
            raise
        self.known = Machine(**json.loads(os.pread(self._node, 1 << 20, 0)))

    def keep(self) -> None:
        """Write down what is known now."""
        data = json.dumps(vars(self.known)).encode()
        os.pwrite(self._node, data, 0)
        os.ftruncate(self._node, len(data))

    def listen(self) -> int:
        """A descriptor on which the words of `tell` come, one a line."""
        return os.open(_fifo(self.lab, self.name), os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        """Let others open the machine."""
        os.close(self._node)

    def destroy(self) -> None:
        """Take the machine away, as bhyve -D does."""
        _forget(self.lab, self.name)
