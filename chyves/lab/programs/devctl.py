"""devctl(8): gives the devices of the lab's machine to drivers, or takes them away."""

from __future__ import annotations

import sys

from chyves.lab import pci
from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab

USAGE = """\
usage: devctl attach device
       devctl detach [-f] device
       devctl disable [-f] device
       devctl enable device
       devctl suspend device
       devctl resume device
       devctl set driver [-f] device driver
       devctl clear driver [-f] device
       devctl rescan device
       devctl delete [-f] device
       devctl freeze
       devctl thaw
       devctl reset [-d] device"""
FAILURES = {
    "attach": "Failed to attach {}",
    "enable": "Failed to enable {}",
    "detach": "Failed to detach {}",
    "disable": "Failed to disable {}",
    "delete": "Failed to delete {}",
    "suspend": "Failed to suspend {}",
    "resume": "Failed to resume {}",
    "rescan": "Failed to rescan {}",
    "reset": "Failed to reset {}",
    "clear driver": "Failed to clear {} driver",
}
TAKING = ("detach", "disable", "delete")


def main(lab: Lab, argv: list[str]) -> int:
    """Run devctl(8): a driver is changed only with -f while another has the device."""
    words = [word for word in argv if word not in ("-f", "-d")]
    force = "-f" in argv
    verb = " ".join(words[:2]) if words[:1] in (["set"], ["clear"]) else "".join(words[:1])
    rest = words[len(verb.split()) :]
    if verb in ("freeze", "thaw") and not rest:
        return 0
    if len(rest) != {"set driver": 2}.get(verb, 1) or verb not in (*FAILURES, "set driver"):
        print(USAGE, file=sys.stderr)
        return 1
    with Kernel(lab) as kernel:
        refusal = _carry_out(kernel, verb, rest, force)
    if refusal:
        said = (
            f"Failed to set {rest[0]} driver to {rest[1]}" if verb == "set driver" else FAILURES[verb].format(rest[0])
        )
        print(f"devctl: {said}: {refusal}", file=sys.stderr)
    return 1 if refusal else 0


def _carry_out(kernel: Kernel, verb: str, rest: list[str], force: bool) -> str | None:
    device = pci.find(kernel, rest[0])
    if device is None:
        return "No such file or directory"
    has = pci.drivers(kernel)[device.place]
    if verb == "set driver":
        return _set_driver(kernel, device, rest[1], has, force)
    if verb == "clear driver":
        if has and not force:
            return "Device busy"
        pci.clear_driver(kernel, device)
    elif verb in TAKING:
        if not has:
            return "Device not configured"
        pci.set_driver(kernel, device, "")
    elif verb in ("attach", "enable"):
        if has:
            return "Device busy"
        pci.clear_driver(kernel, device)
    return None


def _set_driver(kernel: Kernel, device: pci.Device, name: str, has: str, force: bool) -> str | None:
    known = {one.driver for one in pci.DEVICES} | ({pci.PASSTHROUGH} if kernel.loaded("vmm") else set())
    if name not in known:
        return "No such file or directory"
    if has and not force:
        return "Device busy"
    if name not in (device.driver, pci.PASSTHROUGH):
        return "Device not configured"
    pci.set_driver(kernel, device, name)
    return None
