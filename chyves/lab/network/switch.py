"""The bridges of a lab that has no real ones, and VALE switches: a process that carries frames between QEMUs.

Each open tap is a pair of sockets below `state/net`: `NUMBER.guest` is QEMU's, `NUMBER.switch` is this process's, and a
datagram is a frame. Who is on which bridge, and up, is what ifconfig keeps. No privilege is needed, and nothing
leaves the machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import time
from pathlib import Path

from chyves.lab.network import namespace, vlans
from chyves.lab.network.interface import VALE, Interface
from chyves.lab.network.interfaces import looked_at
from chyves.lab.place import Lab

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_IDLE = 10.0
LARGEST_FRAME = 65550
GROUP_BIT = 1


def place(lab: Lab) -> Path:
    """The directory of the sockets."""
    return lab.state / "net"


def launcher(lab: Lab) -> Path:
    """The program that calls `run`."""
    return lab.state / "switch"


def words(lab: Lab, tap: Interface, unit: int) -> list[str]:
    """QEMU's words for a guest on a tap."""
    ends = place(lab) / str(tap.number)
    local, remote = f"local.type=unix,local.path={ends}.guest", f"remote.type=unix,remote.path={ends}.switch"
    return ["-netdev", f"dgram,id=net{unit},{local},{remote}"]


def start(lab: Lab) -> None:
    """See to it that the process runs; it ends by itself when no tap has been open for some seconds."""
    place(lab).mkdir(exist_ok=True)
    if child := os.fork():
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            nothing = os.open("/dev/null", os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            os.execv(launcher(lab), [str(launcher(lab))])
    finally:
        os._exit(0)


def run(path: str, _: list[str]) -> int:
    """Carry frames while a tap is open, unless another process does so already."""
    lab = Lab.open(Path(path).parent.parent)
    with (place(lab) / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            Switch(lab).carry()
            fcntl.flock(lock, fcntl.LOCK_UN)
            # A tap that was opened since the last look found the lock held, and relies on this process.
            if not _open_taps(lab):
                return 0


def _open_taps(lab: Lab) -> dict[int, Interface]:
    """The taps that this process carries frames for, and the ports; a real tap is carried by Linux."""
    real = namespace.wanted(lab)
    found = (interface for interface in looked_at(lab) if interface.family == VALE or not real)
    return {interface.number: interface for interface in found if interface.opened_by}


class Switch:
    """The open taps, their sockets, and which address was last seen behind which."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.sockets: dict[int, socket.socket] = {}
        self.taps: dict[int, Interface] = {}
        self.bridges_up: set[str] = set()
        self.filtering: set[str] = set()
        self.behind: dict[tuple[int, bytes], int] = {}

    def carry(self) -> None:
        """Carry frames until no tap has been open for some seconds."""
        looked, used = 0.0, time.monotonic()
        while time.monotonic() - used < SECONDS_IDLE:
            if time.monotonic() - looked > SECONDS_BETWEEN_LOOKS:
                self.look()
                looked = time.monotonic()
            if self.taps:
                used = looked
            numbers = {ours: number for number, ours in self.sockets.items()}
            ready, _, _ = select.select(list(numbers), [], [], SECONDS_BETWEEN_LOOKS)
            for ours in ready:
                self.pass_on(numbers[ours], ours.recv(LARGEST_FRAME))
        for number in list(self.sockets):
            self.unplug(number)

    def look(self) -> None:
        """Take in what has become of the taps and bridges."""
        self.taps = _open_taps(self.lab)
        bridges = [it for it in looked_at(self.lab) if it.family == "bridge" and it.up]
        self.bridges_up = {it.name for it in bridges}
        self.filtering = {it.name for it in bridges if vlans.FILTERS in it.flags}
        self.bridges_up |= {port.bridge for port in self.taps.values() if port.family == VALE and port.bridge}
        for number in self.sockets.keys() - self.taps.keys():
            self.unplug(number)
        for number in self.taps.keys() - self.sockets.keys():
            self.plug(number)

    def plug(self, number: int) -> None:
        path = place(self.lab) / f"{number}.switch"
        path.unlink(missing_ok=True)
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.bind(str(path))
        ours.setblocking(False)
        self.sockets[number] = ours

    def unplug(self, number: int) -> None:
        self.sockets.pop(number).close()
        for end in ("switch", "guest"):
            (place(self.lab) / f"{number}.{end}").unlink(missing_ok=True)

    def pass_on(self, number: int, frame: bytes) -> None:
        """Send a frame to the member that its address was seen behind, or to all of the bridge."""
        sender = self.taps.get(number)
        if sender is None or not sender.up or sender.bridge not in self.bridges_up:
            return
        filters = sender.bridge in self.filtering
        entered = vlans.enter(frame, sender) if filters else (0, frame)
        if entered is None:
            return
        vlan, bare = entered
        target, source = frame[:6], frame[6:12]
        self.behind[vlan, source] = number
        for other, receiver in self.taps.items():
            if other == number or receiver.bridge != sender.bridge or not receiver.up or _apart(sender, receiver):
                continue
            if target[0] & GROUP_BIT or self.behind.get((vlan, target), other) == other:
                heard = vlans.leave(vlan, bare, receiver) if filters else frame
                # A guest that is not ready loses frames, as behind any full queue.
                with contextlib.suppress(OSError):
                    if heard is not None:
                        self.sockets[number].sendto(heard, str(place(self.lab) / f"{other}.guest"))


def _apart(one: Interface, other: Interface) -> bool:
    return "PRIVATE" in one.member_flags and "PRIVATE" in other.member_flags
