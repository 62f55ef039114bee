"""The PCI devices of the host: their drivers, and the guests that have them."""

from __future__ import annotations

from chyves.cli.tables import Column, Row, Table, Value
from chyves.guests import bound
from chyves.host.machine import Host
from chyves.host.pci import PciDevice
from chyves.pools.holdings import Holdings

COLUMNS = (
    Column("device", "Device"),
    Column("driver", "Driver"),
    Column("passed", "For guests"),
    Column("guests", "Guest"),
    Column("description", "Description"),
)


def show(host: Host) -> Table:
    """Every device of the host; those that ppt has are for guests."""
    holdings, devices = Holdings.read(host), host.pci.all()
    owners = bound.owners(holdings.each_properties(host.terminal.warn), devices)
    return Table("pci", COLUMNS, tuple(_row(device, owners.get(place, [])) for place, device in devices.items()))


def _row(device: PciDevice, guests: list[str]) -> Row:
    values: dict[str, Value] = {
        "device": device.place,
        "driver": device.name or None,
        "passed": device.passed,
        "guests": [*guests],
        "vendor": device.vendor or None,
        "description": device.text or None,
    }
    text = " ".join(filter(None, (device.vendor, device.text)))
    return Row(values, {"passed": "yes" if device.passed else "-", "description": text or "-"})
