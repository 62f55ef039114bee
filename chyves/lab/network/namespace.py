"""Real taps and bridges for a lab: the same interfaces once more, in a network namespace of Linux.

A lab that root makes where there is /dev/net/tun has such a namespace, pinned to `state/netns` and so gone with the
lab: `nsenter --net=LAB/state/netns` enters it. It is made again after the machine was started anew. What ifconfig keeps
is the truth; after each change of it, the differences are carried out with ip(8). VLANs of bridges are not: there the
bridges of Linux carry all, as many machines have none that filter.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab.network.interface import VALE, Interface
from chyves.lab.place import Lab

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000
PROGRAMS = ("ip", "nsenter", "unshare", "umount")
VLAN_TRIAL = ["link add link lo name vlan0 type vlan id 1", "link delete vlan0"]


def place(lab: Lab) -> Path:
    """Where the namespace of a lab is pinned; the file is there in a lab that has one."""
    return lab.state / "netns"


def wanted(lab: Lab) -> bool:
    """Whether this lab was made with real taps and bridges."""
    return place(lab).exists()


def make(lab: Lab) -> bool:
    """Give a new lab a namespace where the machine allows one, and return whether it did."""
    import shutil

    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun") or not all(map(shutil.which, PROGRAMS)):
        return False
    place(lab).touch()
    try:
        _pin(lab)
    except ChyvesError:
        place(lab).unlink()
        return False
    return True


def remove(lab: Lab) -> None:
    """Let go of a lab's namespace; what is in it goes with it when no process is left there."""
    if _pinned(lab):
        _run("umount", str(place(lab)))


def _pin(lab: Lab) -> None:
    _run("unshare", f"--net={place(lab)}", "ip", "link", "set", "lo", "up")
    # Linux loads its vlan module when one is asked for, if the machine has it at all.
    with contextlib.suppress(ChyvesError):
        _ip(lab, VLAN_TRIAL)


def _ip(lab: Lab, lines: list[str]) -> None:
    """Carry out lines of ip(8) in the namespace, all of them; raises ChyvesError when one failed."""
    _run("nsenter", f"--net={place(lab)}", "ip", "-force", "-batch", "-", text="".join(f"{line}\n" for line in lines))


def _run(*words: str, text: str = "") -> None:
    # Imported late: most calls of ifconfig change nothing.
    import subprocess

    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode:
        raise ChyvesError(f"{words[0]}: {done.stderr.strip()}")


def _pinned(lab: Lab) -> bool:
    """Whether the namespace is there: then its file belongs to the file system of namespaces."""
    try:
        return os.stat(place(lab)).st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False


def ensure(lab: Lab) -> bool:
    """Make the namespace anew where it was lost with the last start of the machine, and return whether it was."""
    if _pinned(lab):
        return False
    _pin(lab)
    return True


def open_tap(lab: Lab, name: str) -> int:
    """Open a tap in the namespace, for QEMU to be given, which then need not be there itself; raises OSError."""
    import fcntl
    import struct

    with Path("/proc/thread-self/ns/net").open() as before:
        join(lab)
        try:
            tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)  # which stays in the namespace of this moment
        finally:
            _enter(before.fileno())
    try:
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    except OSError:
        os.close(tap)
        raise
    return tap


def join(lab: Lab) -> None:
    """Move this process into the namespace; raises OSError."""
    with place(lab).open() as pinned:
        _enter(pinned.fileno())


def _enter(namespace: int) -> None:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def follow(lab: Lab, before: list[Interface], after: list[Interface]) -> None:
    """Carry out in the namespace what has changed; a step that Linux refuses is told on stderr."""
    if not wanted(lab):
        return
    if ensure(lab):
        before = []
    lines = list(steps(before, after, vlans=os.path.isdir("/proc/net/vlan")))
    try:
        if lines:
            _ip(lab, lines)
    except ChyvesError as error:
        print(f"lab: the real network refuses a step: {error}", file=sys.stderr)


def steps(before: list[Interface], after: list[Interface], vlans: bool = True) -> Iterator[str]:
    """Lines for `ip -batch` that turn one set of interfaces into another; an interface is known by its number.

    Without `vlans`, on a machine that has none, a vlan is a tap that nothing is plugged into.
    """
    old = {interface.number: interface for interface in before}
    new = {interface.number: interface for interface in after}
    ended = [interface for number, interface in old.items() if number not in new]
    for interface in ended:
        # The other end of a pair goes with the first.
        if _is_real(interface) and not (interface.family == "epair" and interface.name.endswith("b")):
            yield f"link delete {interface.name}"
    for number, interface in new.items():
        if _is_real(interface) and not (number in old and _is_real(old[number])):
            yield from _creation(interface, vlans)
    for number, interface in new.items():
        if _is_real(interface):
            there = old.get(number)
            yield from _changes(there if there and _is_real(there) else _fresh(interface), interface)


def _is_real(interface: Interface) -> bool:
    """Loopback is the namespace's own; a VALE port is the switch's; a vlan without tag is nothing yet."""
    return interface.family not in ("loop", VALE) and (interface.family != "vlan" or interface.vlan > 0)


def _fresh(interface: Interface) -> Interface:
    return Interface(interface.name, interface.device, interface.family, interface.number)


def _creation(interface: Interface, vlans: bool) -> Iterator[str]:
    """Cards and all that has no twin in Linux are taps that nobody opens."""
    name, family = interface.name, interface.family
    if family == "bridge":
        yield f"link add {name} type bridge forward_delay 0 mcast_snooping 0"
    elif family == "epair":
        if name.endswith("a"):
            yield f"link add {name} type veth peer name {interface.peer}"
    elif family == "vlan" and vlans:
        yield f"link add link {interface.parent} name {name} type vlan id {interface.vlan}"
    else:
        yield f"tuntap add {name} mode tap"


def _changes(old: Interface, new: Interface) -> Iterator[str]:
    name = new.name
    if old.name != name:
        yield f"link set {old.name} down"
        yield f"link set {old.name} name {name}"
        old.up = False
    if old.ether != new.ether:
        yield f"link set {name} address {new.ether}"
    if old.bridge != new.bridge:
        yield f"link set {name} master {new.bridge}" if new.bridge else f"link set {name} nomaster"
    was_private = old.bridge == new.bridge and "PRIVATE" in old.member_flags
    is_private = "PRIVATE" in new.member_flags
    if new.bridge and is_private != was_private:
        yield f"link set {name} type bridge_slave isolated {'on' if is_private else 'off'}"
    if old.mtu != new.mtu:
        yield f"link set {name} mtu {new.mtu}"
    if old.up != new.up:
        yield f"link set {name} {'up' if new.up else 'down'}"
    yield from _addresses(old, new)


def _addresses(old: Interface, new: Interface) -> Iterator[str]:
    name = new.name
    for address in old.addresses:
        if address not in new.addresses:
            yield f"address delete {_bare(address)} dev {name}"
    # Linux drops IPv6 addresses of an interface that goes down.
    returning = new.up and not old.up
    for address in new.addresses:
        if address not in old.addresses or (returning and address.startswith("inet6")):
            yield f"address replace {_bare(address)} dev {name}{' nodad' if address.startswith('inet6') else ''}"


def _bare(address: str) -> str:
    return address.partition(" ")[2]
