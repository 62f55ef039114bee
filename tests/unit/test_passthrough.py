"""Devices of the host: what pciconf prints, and what /boot/loader.conf must say of them."""

from __future__ import annotations

import pytest

from chyves import names
from chyves.bhyve.pptdevs import LONGEST, lasting, listed, settings
from chyves.host.pci import parse
from chyves.names import BadName

NEW = """\
hostb0@pci0:0:0:0:\tclass=0x060000 rev=0x01 hdr=0x00 vendor=0x8086 device=0x4c43 subvendor=0x0000 subdevice=0x0000
    vendor     = 'Intel Corporation'
    device     = 'Rocket Lake Host Bridge'
    class      = bridge
    subclass   = HOST-PCI
none3@pci0:1:0:1:\tclass=0x040300 rev=0xa1 hdr=0x00 vendor=0x10de device=0x228e subvendor=0x0000 subdevice=0x0000
ppt12@pci0:129:31:7:\tclass=0x010802 rev=0x00 hdr=0x00 vendor=0x144d device=0xa808 subvendor=0x0000 subdevice=0x0000
    vendor     = 'Some One's Cards'
em0@pci1:2:0:0:\tclass=0x020000 rev=0x00 hdr=0x00 vendor=0x8086 device=0x10d3 subvendor=0x0000 subdevice=0x0000
"""
OLD = "iwm10@pci0:2:0:0:\tclass=0x028000 card=0x00108086 chip=0x24f38086 rev=0x3a hdr=0x00\n"


def test_devices_of_domain_0_are_told_with_their_drivers() -> None:
    found = parse(NEW)
    assert list(found) == ["0/0/0", "1/0/1", "129/31/7"]
    bridge, bare, passed = found.values()
    assert (bridge.name, bridge.kind, bridge.text) == ("hostb0", 6, "Rocket Lake Host Bridge")
    assert (bare.name, bare.vendor, bare.passed) == ("", "", False)
    assert (passed.name, passed.vendor, passed.passed) == ("ppt12", "Some One's Cards", True)


def test_what_older_releases_print_is_understood() -> None:
    (device,) = parse(OLD).values()
    assert (device.driver, device.number, device.kind) == ("iwm", 10, 2)
    assert parse("") == {}


@pytest.mark.parametrize("name", ["2/0", "2/0/8", "256/0/0", "2/32/0", "02/0/0", "pci0:2:0:0", "ppt0", "2/0/0 ", ""])
def test_a_device_is_bus_slot_and_function(name: str) -> None:
    with pytest.raises(BadName):
        names.pci_device(name)
    assert names.pci_device("255/31/7") == "255/31/7"


LOADER = """\
# pptdevs="9/0/0"
vmm_load="YES"
pptdevs="1/0/0 1/0/1"  # the card
  pptdevs2 = 3/0/0
"""


def test_the_loaders_variables() -> None:
    found = settings(LOADER)
    assert found == {"vmm_load": "YES", "pptdevs": "1/0/0 1/0/1", "pptdevs2": "3/0/0"}
    assert listed(found) == ["1/0/0", "1/0/1", "3/0/0"]
    assert lasting(found, ["3/0/0", "1/0/0"]) == ([], [])
    assert lasting(found, ["4/0/0"]) == (['pptdevs="1/0/0 1/0/1 4/0/0"'], [])
    assert lasting({}, ["2/0/0"]) == (['vmm_load="YES"', 'pptdevs="2/0/0"'], [])
    assert lasting({"vmm_load": "NO", "pptdevs": "2/0/0"}, ["2/0/0"]) == (['vmm_load="YES"'], [])


def test_no_variable_is_longer_than_the_kernel_keeps() -> None:
    """128 characters each, in three variables; what has no room is told."""
    places = [f"10/{slot}/{function}" for slot in range(10, 20) for function in range(8)]
    lines, left = lasting({"vmm_load": "YES"}, places)
    values = [line.partition('="')[2].removesuffix('"') for line in lines]
    assert [line.partition("=")[0] for line in lines] == ["pptdevs", "pptdevs2", "pptdevs3"]
    assert all(LONGEST - len(" 10/10/0") < len(value) <= LONGEST for value in values)
    assert [place for value in values for place in value.split()] + left == places
    assert left
