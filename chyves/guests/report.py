"""The tables of `list` and `info`: a row a guest, and below it a row a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chyves import __version__, names
from chyves.cli.sizes import rounded
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import crashes, lineage, running
from chyves.host.machine import Host
from chyves.pools import newer
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import DATASET_VERSION, GUEST_VERSION, Guest
from chyves.section import PropertyError
from chyves.values import NONE

NOT_KNOWN = "?"
"""Shown for what stands in a file that cannot be read; in JSON its key is missing."""


@dataclass(frozen=True)
class Sight:
    """What a column can look at: a guest, its properties, and the host as it is now; `crash` is why it is off."""

    host: Host
    holding: GuestHolding
    guest: Guest
    state: running.Running | None
    vmm: bool
    crash: str | None = None


class _NotKnown(ChyvesError):
    """What a column would show stands in a file that cannot be read."""


class _Unread(Guest):
    """The properties of a guest whose file cannot be read: none is known, and no default takes its place."""

    def get(self, name: str) -> str:
        raise _NotKnown(name)


Show = Callable[[Sight], tuple[Value, str | None]]
"""The value of a column for JSON, and how it is shown where its own text is not it."""


@dataclass(frozen=True)
class Facet:
    """A column of info, and the flag that shows it."""

    flag: str
    column: Column
    show: Show


def _property(name: str) -> Show:
    """A property as it is written; in JSON as its type, where its text can be one."""

    def show(sight: Sight) -> tuple[Value, str | None]:
        text = sight.guest.get(name)
        try:
            value = getattr(sight.guest, name)
        except PropertyError:
            value = text
        if value is None or value in NONE:
            return None, "-"
        return (value if isinstance(value, bool | int | str) else [str(item) for item in value]), text or "-"

    return show


def _yes_number(number: int | None) -> str:
    return "NO" if number is None else f"YES ({number})"


def _running(sight: Sight) -> tuple[Value, str | None]:
    if sight.state is not None and running.crashed(sight.state):
        return None, f"NO, {crashes.told(sight.state)}"
    pid = None if sight.state is None else sight.state.bhyve or sight.state.supervisor
    return pid, f"NO, {sight.crash}" if pid is None and sight.crash else _yes_number(pid)


def _state_of(sight: Sight) -> dict[str, Value]:
    """The state of a guest for programs, which people see in the column of the process."""
    state = sight.state
    if state is None:
        return {"state": "crashed" if sight.crash else "off", "crash": sight.crash}
    if running.crashed(state):
        return {"state": "kept" if state.again is None else "restarting", "crash": state.crash}
    return {"state": "starting" if state.bhyve is None else "running", "crash": None}


def _rcboot(sight: Sight) -> tuple[Value, str | None]:
    value, text = _property("rcboot")(sight)
    return value, "NO" if text == "0" else f"YES ({text})"


def _serial(sight: Sight) -> tuple[Value, str | None]:
    serial = sight.guest.get("serial")
    if serial in NONE:
        return None, "-"
    used = sight.state is not None and sight.state.serial == serial
    return serial, f"{serial} (A)" if used else serial


def _vnc(sight: Sight) -> tuple[Value, str | None]:
    port = sight.guest.get("uefi_vnc_port")
    return (None, "-") if port in NONE else (f"{sight.guest.get('uefi_vnc_ip')}:{port}", None)


def _parent(sight: Sight) -> tuple[Value, str | None]:
    """The guest that this one's datasets were cloned from."""
    origin = lineage.parent(sight.holding)
    return (origin.guest, f"Child of {origin.guest}") if origin and origin.guest else (None, "-")


def _size(sight: Sight) -> tuple[Value, str | None]:
    used = int(sight.holding.rows[sight.holding.dataset].get("used", "0"))
    return used, rounded(used)


FACETS = (
    Facet("z", Column("used", "Used", right=True), _size),
    Facet("b", Column("cpu", "CPU", right=True), _property("cpu")),
    Facet("b", Column("ram", "RAM", right=True), _property("ram")),
    Facet("p", Column("pool", "Pool"), lambda sight: (sight.holding.pool.name, None)),
    Facet("r", Column("role", "Role"), lambda sight: (sight.holding.pool.properties.get("dataset_role"), None)),
    Facet("v", Column("os", "OS"), _property("os")),
    Facet("v", Column("loader", "Loader"), _property("loader")),
    Facet("v", Column("version", "Version"), _property("chyves_guest_version")),
    Facet("v", Column("interfaces", "Interfaces"), _property("net_ifaces")),
    Facet("v", Column("serial", "Serial"), _serial),
    Facet("s", Column("vmm", "VMM"), lambda sight: (sight.vmm, "YES" if sight.vmm else "NO")),
    Facet("s", Column("running", "Running"), _running),
    Facet("s", Column("rcboot", "rcboot"), _rcboot),
    Facet("t", Column("template", "Template"), _property("template")),
    Facet("c", Column("parent", "Clone"), _parent),
    Facet("u", Column("uefi_console", "Console"), _property("uefi_console_output")),
    Facet("u", Column("firmware", "Firmware"), _property("uefi_firmware")),
    Facet("u", Column("vnc", "VNC"), _vnc),
    Facet("u", Column("mouse", "Mouse"), _property("uefi_vnc_mouse_type")),
    Facet("u", Column("pause", "Pause"), _property("uefi_vnc_pause_until_client_connect")),
    Facet("u", Column("resolution", "Resolution"), _property("uefi_vnc_res")),
    Facet("d", Column("description", "Description"), _property("description")),
    Facet("n", Column("notes", "Notes"), _property("notes")),
)
GUEST = Column("guest", "Guest")
USED = ("used",)
"""What is asked of ZFS for sizes."""
SIZED = {"z", "a"}
"""The flags that show sizes."""


def listing(host: Host) -> Table:
    """The guests, with the columns that default_list_flags names."""
    holdings = Holdings.read(host)
    flags = set(holdings.globals.default_list_flags)
    return _table(_with_sizes(holdings, flags), flags)


def info(host: Host, **flags: bool) -> Table | str:
    """The guests, with the columns that the flags name, or default_info_flags does: -h there explains them."""
    wanted = {flag for flag, given in flags.items() if given}
    holdings = Holdings.read(host, USED if wanted & SIZED else ())
    if not wanted:
        wanted = set(holdings.globals.default_info_flags)
        holdings = _with_sizes(holdings, wanted)
    if "h" in wanted:
        from chyves.cli.help import help_

        return help_(("info",))
    return _table(holdings, wanted)


def _with_sizes(holdings: Holdings, flags: set[str]) -> Holdings:
    """What there is, asked for again with sizes where the flags want them: a big pool takes long to tell them."""
    return Holdings.read(holdings.host, USED) if flags & SIZED else holdings


def _table(holdings: Holdings, flags: set[str]) -> Table:
    facets = [facet for facet in FACETS if facet.flag in flags or "a" in flags]
    with_disks, with_size = "k" not in flags, bool(flags & SIZED)
    newer.warn(holdings, holdings.guests.values())
    columns = (GUEST, *(facet.column for facet in facets))
    if with_disks:
        columns = (*columns, Column("size", "Size", right=True))
    rows = []
    for sight in _sights(holdings):
        values, texts = _seen(sight, facets)
        if "running" in values:
            values |= _state_of(sight)
        rows.append(Row(values, texts, tuple(_disks(sight.holding, with_size)) if with_disks else None))
    return Table("guests", columns, tuple(rows), cut="w" in flags, paged="l" in flags)


def _seen(sight: Sight, facets: Iterable[Facet]) -> tuple[dict[str, Value], dict[str, str]]:
    """What the columns show of a guest: values, and texts where those are not their own."""
    values: dict[str, Value] = {"guest": sight.holding.name}
    texts: dict[str, str] = {}
    for facet in facets:
        key = facet.column.key
        try:
            values[key], text = facet.show(sight)
        except _NotKnown:
            text = NOT_KNOWN
        texts |= {} if text is None else {key: text}
    return values, texts


def _disks(holding: GuestHolding, with_size: bool) -> Iterable[Row]:
    for name, row in holding.volumes.items():
        size = int(row["volsize"])
        values: dict[str, Value] = {"guest": name, "size": size}
        if with_size:
            values["used"] = int(row["used"])
        yield Row(values, {key: rounded(value) for key, value in values.items() if isinstance(value, int)})
    for image in holding.images():
        size = image.stat().st_size
        yield Row({"guest": str(image.relative_to(holding.mountpoint)), "size": size}, {"size": rounded(size)})


def _sights(holdings: Holdings) -> Iterable[Sight]:
    """Every guest; of those whose properties cannot be read, which are warned of, the rest is shown."""
    host = holdings.host
    recorded = set(running.recorded(host))
    vmms, crashed = running.vmms(host), crashes.noted(host)
    properties = holdings.each_properties(host.terminal.warn)
    for name, holding in holdings.guests.items():
        guest = properties.get(name) or _Unread(name, {})
        state = _state(host, name) if name in recorded else None
        yield Sight(host, holding, guest, state, names.vm(name) in vmms, crashed.get(name))


def _state(host: Host, name: str) -> running.Running | None:
    """What is written down of a guest that runs; what cannot be read is warned of."""
    try:
        return running.living(host, name)
    except ChyvesError as error:
        host.terminal.warn(str(error))
        return None


def version(host: Host) -> Table:
    """The versions of the program, of the datasets and guests that it makes, and of the host."""
    release = host.run.ask("freebsd-version").strip()
    values = {"chyves": __version__, "dataset": DATASET_VERSION, "guest": GUEST_VERSION, "host": release}
    columns = (
        Column("chyves", "chyves"),
        Column("dataset", "Dataset"),
        Column("guest", "Guest"),
        Column("host", "Host"),
    )
    return Table("versions", columns, (Row(values),))
