"""The table of bridges."""

from __future__ import annotations

from chyves.cli.tables import Column, Row, Table, Value
from chyves.host.machine import Host
from chyves.pools.holdings import Holdings

COLUMNS = (
    Column("bridge", "Bridge"),
    Column("uplink", "Attached to"),
    Column("default", "Default"),
    Column("members", "Taps"),
)


def bridges(host: Host) -> Table:
    """Every bridge that the properties name, what it is attached to, whether new guests join it, and its taps."""
    holdings = Holdings.read(host)
    settings, default = holdings.globals, holdings.defaults.bridge
    numbers = {*settings.bridge_phy_attach, *settings.bridge_tap_members, int(default.removeprefix("bridge"))}
    rows = []
    for number in sorted(numbers):
        name, members = f"bridge{number}", settings.bridge_tap_members.get(number, ())
        values: dict[str, Value] = {
            "bridge": name,
            "uplink": settings.bridge_phy_attach.get(number),
            "default": name == default,
            "members": list(members),
        }
        shown = {
            "uplink": values["uplink"] or "-",
            "default": "default" if name == default else "-",
            "members": ",".join(members) or "-",
        }
        rows.append(Row(values, {key: str(text) for key, text in shown.items()}))
    return Table("bridges", COLUMNS, tuple(rows))
