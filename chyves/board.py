"""Properties of a guest's board: what it has that is no PCI device."""

from __future__ import annotations

from chyves.board_values import Domains, Items, Lines, Pins
from chyves.section import Numbered, Property, Section
from chyves.values import Choice, Flag, Int, Ipv4, Match, Maybe

SINCE = "0.3.0"
MOST_DOMAINS = 8
COUNT = Maybe(Int(1, 65535))
KEYBOARD = Match(r"[A-Za-z0-9_-]{1,64}", "layout", "a file of /usr/share/bhyve/kbdlayout, such as de_noacc")
WORDS = Match(
    r"[!-$&-~]([ -$&-~]{0,62}[!-$&-~])?",
    "text",
    "1 to 64 printable ASCII characters without %, with no blank at either end",
)


def _smbios(what: str, example: str) -> Property[str | None]:
    """A row of what the guest's system is told in its SMBIOS tables."""
    doc = f"What SMBIOS tells the guest of {what}; bhyve's own word where it is not set."
    return Property(Maybe(WORDS), "-", doc, example=example, since=SINCE, unset=True)


class Board(Section):
    """The rows that `Guest` has of its board."""

    com2 = Property(
        Lines(),
        "-",
        "What the guest's second serial port is joined to: a null-modem pair, whose B end is for cu(1), or an address.",
        example="nmdm51",
        since=SINCE,
        unset=True,
    )
    com3 = Property(Lines(), "-", "The third serial port, as com2.", example="nmdm52", since=SINCE, unset=True)
    com4 = Property(
        Lines(), "-", "The fourth serial port, as com2.", example="tcp=127.0.0.1:4555", since=SINCE, unset=True
    )
    cpu_cores = Property(
        COUNT,
        "-",
        "Cores that each socket of the guest has; 1 where it is not set.",
        example="4",
        since=SINCE,
        unset=True,
    )
    cpu_pin = Property(
        Pins(),
        "-",
        "The processors of the host that run those of the guest, both counted from 0; one of the guest's that is named "
        "again may run on several.",
        example="0:2,1:3",
        since=SINCE,
        unset=True,
    )
    cpu_sockets = Property(
        COUNT,
        "-",
        "Sockets in which the guest sees its processors; as many as cpu needs where it is not set. "
        "cpu_sockets * cpu_cores * cpu_threads is cpu.",
        example="1",
        since=SINCE,
        unset=True,
    )
    cpu_threads = Property(
        COUNT,
        "-",
        "Threads that each core of the guest has; 1 where it is not set.",
        example="2",
        since=SINCE,
        unset=True,
    )
    fwcfg = Property(
        Choice(("bhyve", "qemu")),
        "bhyve",
        "How a UEFI firmware is told of the machine; qemu, from FreeBSD 14.0 on, is what fwcfg_{n} need.",
        example="qemu",
        since=SINCE,
        unset=True,
    )
    fwcfg_item = Numbered(
        Items(),
        "",
        "Something that firmware and system can read by name: a text, or what is in a file of the host.",
        highest=63,
        name="fwcfg_{n}",
        example="opt/org.example/role,string=mail",
        since=SINCE,
        unset=True,
    )
    gdb_address = Property(
        Ipv4(), "127.0.0.1", "The address at which gdb_port is.", example="192.0.2.1", since=SINCE, unset=True
    )
    gdb_open = Property(
        Flag(),
        "no",
        "Let gdb_address be one that others than this host reach: whoever connects there rules the guest.",
        example="yes",
        since=SINCE,
        unset=True,
    )
    gdb_port = Property(
        Maybe(Int(1, 65535)),
        "-",
        "The port at which bhyve waits for a debugger of the guest: gdb -ex 'target remote :1234'.",
        example="1234",
        since=SINCE,
        unset=True,
    )
    gdb_wait = Property(
        Flag(), "no", "Wait with booting until a debugger connects.", example="yes", since=SINCE, unset=True
    )
    keyboard = Property(
        Maybe(KEYBOARD),
        "-",
        "The layout, a file of /usr/share/bhyve/kbdlayout, by which the keys of VNC viewers without QEMU's extension "
        "are understood; US where it is not set.",
        example="de_noacc",
        since=SINCE,
        unset=True,
    )
    numa = Numbered(
        Domains(),
        "",
        "A domain of the guest's memory and the processors near to it, from numa0 on; together all of ram and cpu.",
        highest=MOST_DOMAINS - 1,
        name="numa{n}",
        example="size=2G,cpus=0-1",
        since=SINCE,
        unset=True,
    )
    ram_wired = Property(
        Maybe(Flag()),
        "-",
        "Whether the guest's memory is never paged out; where this is not set, it is so with -S in bargs and "
        "with a device of the host.",
        example="yes",
        since=SINCE,
        unset=True,
    )
    smbios_bios_release_date = _smbios("its BIOS's date", "11/01/2026")
    smbios_bios_vendor = _smbios("who made its BIOS", "Example")
    smbios_bios_version = _smbios("its BIOS's version", "2.1")
    smbios_board_asset_tag = _smbios("its board's tag in an inventory", "A-0815")
    smbios_board_location = _smbios("where its board sits", "slot 1")
    smbios_board_manufacturer = _smbios("who made its board", "Example")
    smbios_board_product_name = _smbios("which board it has", "X1")
    smbios_board_serial_number = _smbios("its board's serial number", "B-4711")
    smbios_board_version = _smbios("its board's version", "1.1")
    smbios_chassis_asset_tag = _smbios("its chassis's tag in an inventory", "A-0816")
    smbios_chassis_manufacturer = _smbios("who made its chassis", "Example")
    smbios_chassis_serial_number = _smbios("its chassis's serial number", "C-4711")
    smbios_chassis_sku = _smbios("its chassis's order number", "CH-1")
    smbios_chassis_version = _smbios("its chassis's version", "1.2")
    smbios_system_family_name = _smbios("the family of systems it is of", "Rack servers")
    smbios_system_manufacturer = _smbios("who made it", "Example, Inc.")
    smbios_system_product_name = _smbios("which product it is", "R1")
    smbios_system_serial_number = _smbios("its serial number", "S-4711")
    smbios_system_sku = _smbios("its order number", "SY-1")
    smbios_system_version = _smbios("its version", "3.0")
    uefi_vnc_socket = Property(
        Flag(),
        "no",
        "Show the screen at the socket /var/run/chyves/GUEST/vnc.sock, for root of this host alone, instead of "
        "uefi_vnc_ip and uefi_vnc_port; from FreeBSD 15.1 on.",
        example="yes",
        since=SINCE,
        unset=True,
    )


SMBIOS = {name: name.removeprefix("smbios_").replace("_", ".", 1) for name in Board.table if name.startswith("smbios_")}
"""bhyve's variable (bhyve_config(5)) for each of the rows that are told in SMBIOS."""
COMS = ("com2", "com3", "com4")
