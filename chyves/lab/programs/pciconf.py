"""pciconf(8): lists the PCI devices of the lab's machine."""

from __future__ import annotations

import getopt
import sys

from chyves.lab import pci
from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab
from chyves.lab.releases import release

USAGE = (
    "usage: pciconf -l [-BbceVv] [device]\n       pciconf -a device\n       pciconf -r [-b | -h] device addr[:addr2]"
)


def main(lab: Lab, argv: list[str]) -> int:
    """Run pciconf(8): -l lists all devices or one, with -v also in words; -a tells whether a driver has it."""
    try:
        options, words = getopt.getopt(argv, "aBbcehlrVvw")
    except getopt.GetoptError as error:
        print(f"pciconf: illegal option -- {error.opt}", file=sys.stderr)
        options, words = [], []
    asked = {option for option, _ in options}
    if not asked & {"-l", "-a"} or len(words) > 1 or ("-a" in asked and not words):
        print(USAGE, file=sys.stderr)
        return 1
    with Kernel(lab) as kernel:
        devices = list(pci.DEVICES)
        if words:
            device = pci.find(kernel, words[0])
            if device is None:
                print(f"pciconf: cannot find device {words[0]}", file=sys.stderr)
                return 1
            devices = [device]
        if "-a" in asked:
            attached = pci.drivers(kernel)[devices[0].place]
            print(f"{words[0]}: {'' if attached else 'not '}attached")
            return 0
        called = pci.names(kernel)
    old = release(lab.release).number < (13, 0)
    for device in devices:
        print(_line(device, called[device.place], old))
        if "-v" in asked:
            print(_words(device))
    return 0


def _line(device: pci.Device, name: str, old: bool) -> str:
    head = f"{name}@pci0:{device.place}:\tclass=0x{device.class_code:06x}"
    if old:
        return f"{head} card=0x00000000 chip=0x{device.device:04x}{device.vendor:04x} rev=0x01 hdr=0x00"
    chip = f"vendor=0x{device.vendor:04x} device=0x{device.device:04x}"
    return f"{head} rev=0x01 hdr=0x00 {chip} subvendor=0x0000 subdevice=0x0000"


def _words(device: pci.Device) -> str:
    rows = {
        "vendor": f"'{device.vendor_text}'",
        "device": f"'{device.device_text}'",
        "class": device.class_text,
        "subclass": device.subclass,
    }
    return "\n".join(f"    {name:10} = {value}" for name, value in rows.items())
