"""The PCI devices of a lab's machine, and which driver has each."""

from __future__ import annotations

import re
from typing import NamedTuple

from chyves.lab.kernel import Kernel

PASSTHROUGH = "ppt"


class Device(NamedTuple):
    """A device: where it sits (`0:25:0` is bus:slot:function), its own driver, what pciconf tells of it."""

    place: str
    driver: str
    class_code: int
    vendor: int
    device: int
    vendor_text: str
    device_text: str
    class_text: str
    subclass: str

    @property
    def selector(self) -> str:
        return f"pci0:{self.place}"


INTEL, NVIDIA, SAMSUNG = (
    (0x8086, "Intel Corporation"),
    (0x10DE, "NVIDIA Corporation"),
    (0x144D, "Samsung Electronics Co Ltd"),
)


def _device(place: str, driver: str, code: int, vendor: tuple[int, str], number: int, text: str, kind: str) -> Device:
    class_text, _, subclass = kind.partition("/")
    return Device(place, driver, code, vendor[0], number, vendor[1], text, class_text, subclass)


DEVICES = (
    _device("0:0:0", "hostb", 0x060000, INTEL, 0x4C43, "Rocket Lake Host Bridge", "bridge/HOST-PCI"),
    _device("0:1:0", "pcib", 0x060400, INTEL, 0x4C01, "Rocket Lake PCIe Root Port", "bridge/PCI-PCI"),
    _device("0:2:0", "vgapci", 0x030000, INTEL, 0x4C8A, "RocketLake-S GT1 [UHD Graphics 750]", "display/VGA"),
    _device(
        "0:20:0", "xhci", 0x0C0330, INTEL, 0x43ED, "Tiger Lake-H USB 3.2 Gen 2x1 xHCI Host Controller", "serial bus/USB"
    ),
    _device("0:23:0", "ahci", 0x010601, INTEL, 0x43D2, "Tiger Lake-H SATA AHCI Controller", "mass storage/SATA"),
    _device("0:25:0", "em", 0x020000, INTEL, 0x15FA, "Ethernet Connection (14) I219-V", "network/ethernet"),
    _device("0:31:0", "isab", 0x060100, INTEL, 0x4385, "H570 LPC/eSPI Controller", "bridge/PCI-ISA"),
    _device("1:0:0", "vgapci", 0x030000, NVIDIA, 0x2504, "GA106 [GeForce RTX 3060 Lite Hash Rate]", "display/VGA"),
    _device("1:0:1", "hdac", 0x040300, NVIDIA, 0x228E, "GA106 High Definition Audio Controller", "multimedia/HDA"),
    _device("2:0:0", "em", 0x020000, INTEL, 0x10D3, "82574L Gigabit Network Connection", "network/ethernet"),
    _device("3:0:0", "nvme", 0x010802, SAMSUNG, 0xA808, "NVMe SSD Controller SM981/PM981/PM983", "mass storage/NVM"),
)


def drivers(kernel: Kernel) -> dict[str, str]:
    """The driver of each device, by its place; empty for one without.

    Devices that /boot/loader.conf names in pptdevs, pptdevs2 and pptdevs3 (`1/0/0 1/0/1`) are set aside for guests
    while vmm is loaded.
    """
    tunables = kernel.tunables()
    listed = (name for variable in ("pptdevs", "pptdevs2", "pptdevs3") for name in tunables.get(variable, "").split())
    set_aside = {name.replace("/", ":") for name in listed}
    now = {device.place: PASSTHROUGH if device.place in set_aside else device.driver for device in DEVICES}
    now.update(kernel.database.execute("select place, name from driver"))
    if not kernel.loaded("vmm"):
        now = {place: "" if name == PASSTHROUGH else name for place, name in now.items()}
    return now


def names(kernel: Kernel) -> dict[str, str]:
    """What each device is called, by its place: driver and number (`em0`), `none0` for one without a driver."""
    counted: dict[str, int] = {}
    called = {}
    for place, driver in drivers(kernel).items():
        name = driver or "none"
        called[place] = f"{name}{counted.get(name, 0)}"
        counted[name] = counted.get(name, 0) + 1
    return called


STAND_INS = {"2:0:0": "e1000e"}
"""What QEMU has of these devices, by their place: the very same card."""


def find(kernel: Kernel, word: str) -> Device | None:
    """The device that a word means: a name (`em1`) or a selector (`pci0:2:0:0`, also `pci0:0:2:0:0`)."""
    found = re.fullmatch(r"pci(?:0:){1,2}(\d+:\d+:\d+):?", word)
    called = names(kernel)
    place = found[1] if found else next((place for place, name in called.items() if name == word), None)
    return next((device for device in DEVICES if device.place == place), None)


def set_driver(kernel: Kernel, device: Device, name: str) -> None:
    """Give a device to a driver, or (empty) to none, until the machine is started anew."""
    kernel.database.execute("insert or replace into driver values (?, ?)", (device.place, name))


def clear_driver(kernel: Kernel, device: Device) -> None:
    """Let the drivers bid for a device again, as at the start."""
    kernel.database.execute("delete from driver where place = ?", (device.place,))
