"""The lab's network: interfaces that ifconfig makes and guests are plugged into."""

from __future__ import annotations

from chyves.errors import Busy, ChyvesError
from chyves.lab.network.interface import VALE, Interface
from chyves.lab.network.interfaces import changing
from chyves.lab.place import Lab


def attach(lab: Lab, interface: str, unit: int, pid: int, passed: list[int] | None = None) -> list[str]:
    """Open a tap for a process and return QEMU's words for it (`-netdev ...,id=net{unit}`).

    A real tap is in the lab's network, where QEMU is not: its descriptor is added to `passed`, to be handed to QEMU.
    Raises ChyvesError when there is no such tap, and Busy when another living process has it open.
    """
    with changing(lab) as interfaces:
        tap = interfaces.by_device(interface)
        if tap is None:
            raise ChyvesError(f"{interface}: no such interface; make it with: ifconfig {interface} create")
        if tap.family not in ("tap", "vmnet"):
            raise ChyvesError(f"{interface}: is no tap; plug the guest into one")
        if tap.opened_by not in (0, pid):
            raise Busy(f"{interface}: is opened by process {tap.opened_by}")
        tap.opened(pid)
        if interfaces.kernel.sysctl("net.link.tap.up_on_open") == "1":
            tap.up = True
    from chyves.lab.network import namespace, switch

    if namespace.wanted(lab):
        if passed is None:
            return ["-netdev", f"tap,id=net{unit},ifname={tap.name},script=no,downscript=no"]
        passed.append(namespace.open_tap(lab, tap.name))
        return ["-netdev", f"tap,id=net{unit},fd={passed[-1]}"]
    switch.start(lab)
    return switch.words(lab, tap, unit)


def connect(lab: Lab, port: str, unit: int, pid: int) -> list[str]:
    """Open a port of a VALE switch (`vale0:1`), both made by that, and return QEMU's words for it; raises Busy."""
    with changing(lab) as interfaces:
        known = interfaces.known.get(port)
        if known is not None and known.opened_by not in (0, pid):
            raise Busy(f"{port}: is opened by process {known.opened_by}")
        opened = Interface(port, port, VALE, interfaces.next_number(), up=True, bridge=port.partition(":")[0])
        opened.opened(pid)
        interfaces.add(opened)
    from chyves.lab.network import switch

    switch.start(lab)
    return switch.words(lab, opened, unit)


def release(lab: Lab, interface: str, pid: int) -> None:
    """Close a tap or a VALE port that a process has open; nothing where it has not, or where the tap is gone."""
    with changing(lab) as interfaces:
        tap = interfaces.known.get(interface) if ":" in interface else interfaces.by_device(interface)
        if tap is not None and tap.opener == pid:
            interfaces.end_of_opener(tap)
