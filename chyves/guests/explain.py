"""The lines with which a guest would start, without starting it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from chyves.bhyve import config
from chyves.bhyve.facts import HostFacts
from chyves.bhyve.launch import Launch
from chyves.bhyve.limits import behind, rctl
from chyves.cli.tables import Column, Row, Table, Value
from chyves.errors import ChyvesError
from chyves.guests import prepare, running, seed, sockets, variables
from chyves.host.facts import host_facts
from chyves.host.files import printf
from chyves.host.machine import Host
from chyves.masking import holds_secret, masked
from chyves.names import is_switch
from chyves.network.plan import bridge_of, taps, uplink_of
from chyves.nics import vlans
from chyves.pools.holdings import GuestHolding, Holdings
from chyves.properties import Global
from chyves.vlans import TRUNK, Vlans

COLUMNS = (Column("guest", "Guest"), Column("program", "Program"), Column("line", "Line"))
VARIABLES = (Column("name", "Variable"), Column("value", "Value"))


def explain(host: Host, guest: str, iso: str | None = None, config: bool = False) -> Table:
    """The files that a start would write, the loader's line and bhyve's, fit for sh; secrets are masked.

    With `config` the file of bhyve_config(5) that starts the same guest, whole. Raises ChyvesError for what keeps the
    guest from starting, as far as that can be known without trying.
    """
    holdings = Holdings.read(host)
    holding = holdings.guest(guest)
    facts = host_facts(host, passthrough=bool(holding.properties.pcidev))
    launch = prepare.lines(holdings, holding, iso, facts)
    for warning in (*prepare.hidden_images(holding), *launch.warnings):
        host.terminal.warn(warning)
    if config:
        return _configuration(holdings, holding, launch, facts)
    return Table("lines", COLUMNS, tuple(_rows(guest, launch)), told=tuple(_told(launch)))


def _told(launch: Launch) -> Iterator[str]:
    for path, text in launch.files.items():
        yield f"# {path}:"
        yield from (f"#   {masked(line)}" for line in text.splitlines())
    if launch.loader:
        yield masked(shlex.join(launch.loader))
    yield from seed.lines(launch.seed) if launch.seed else ()
    yield from (shlex.join(line) for line in (launch.tpm.lines if launch.tpm else ()))
    yield f"{masked(shlex.join(launch.line))} {behind(launch.limits)}".rstrip()


def _rows(guest: str, launch: Launch) -> Iterator[Row]:
    programs = {
        "makefs": launch.seed.line if launch.seed else (),
        "swtpm": launch.tpm.line if launch.tpm else (),
        "bhyve": launch.line,
        "rctl": rctl(launch.limits, "PID"),
    }
    if launch.loader:
        programs = {launch.loader[0]: launch.loader} | programs
    for program, argv in programs.items():
        words: list[Value] = [masked(word) for word in argv]
        if words:
            yield Row({"guest": guest, "program": program, "words": words}, {"line": masked(shlex.join(argv))})


def _configuration(holdings: Holdings, holding: GuestHolding, launch: Launch, facts: HostFacts) -> Table:
    name = holding.name
    if facts.options and "k" not in facts.options:
        raise ChyvesError(f"{name}: --config: the bhyve of this host reads no file (FreeBSD 13.0 has -k); leave it out")
    try:
        found = config.variables(launch.bhyve, launch.files, facts.release)
    except ChyvesError as error:
        raise ChyvesError(f"{name}: --config: {error}") from None
    lines = config.text(found).splitlines()
    if any(holds_secret(line) for line in lines):
        safe = f"umask 077; chyves explain {name} --config > FILE"
        holdings.host.terminal.warn(f"{name}: --config: a secret stands in it as it is; keep it for root alone: {safe}")
    rows = tuple(Row({"name": name, "value": value}) for name, value in found.items())
    return Table("variables", VARIABLES, rows, told=(*_before(holdings, holding, launch), *lines))


def _before(holdings: Holdings, holding: GuestHolding, launch: Launch) -> Iterator[str]:
    """What has to be there before bhyve reads the file, as comments of it."""
    interfaces = holding.properties.net_ifaces
    start = f"{shlex.join((*launch.before, 'bhyve', '-k'))} FILE {behind(launch.limits)}".rstrip()
    yield f"# Starts {holding.name} without chyves: {start}"
    yield f"# before: kldload -n vmm nmdm if_tuntap if_bridge{' netmap' if any(map(is_switch, interfaces)) else ''}"
    known = vlans(holding.properties)
    cards = {tap: known.get(tap, Vlans()) for tap in taps(interfaces)}
    yield from (f"# before: {line}" for line in _network(holdings.globals, cards))
    yield from _files(holdings, holding, launch)
    if launch.loader:
        yield f"# before, each time: {masked(shlex.join(launch.loader))}"
    if launch.seed:
        yield f"# before, each time: {'; '.join(seed.lines(launch.seed))}"
    if launch.tpm:
        yield f"# before, each time: {'; '.join(map(shlex.join, launch.tpm.lines))}"


def _network(settings: Global, cards: Mapping[str, Vlans]) -> Iterator[str]:
    """The taps, each on its bridge in its VLANs; a bridge is made where it is not there yet."""
    bridges = {tap: bridge_of(settings, tap) for tap in cards}
    for bridge in dict.fromkeys(filter(None, bridges.values())):
        uplink = uplink_of(settings, bridge)
        filters = any(vlans for tap, vlans in cards.items() if bridges[tap] == bridge)
        attached = shlex.join(("addm", uplink, *(TRUNK.words if filters else ()))) if uplink else ""
        words = " ".join(filter(None, ("create", "vlanfilter" if filters else "", attached, "up")))
        yield f"ifconfig {bridge} > /dev/null 2>&1 || ifconfig {bridge} {words}"
    for tap, joined in bridges.items():
        joins = f"; {shlex.join(('ifconfig', joined, 'addm', tap, *cards[tap].words))}" if joined else ""
        yield f"ifconfig {tap} create up{joins}"


def _files(holdings: Holdings, holding: GuestHolding, launch: Launch) -> Iterator[str]:
    """What has to lie where bhyve and the loader read it, or make their sockets."""
    guest = holding.properties
    own = variables.found(holdings, holding)
    template = variables.empty(holdings, guest)
    if own and own.size is None and template:
        yield f"# before: {shlex.join(('install', '-m', f'{variables.MODE:o}', str(template), own.path))}"
    files = {path: text for path, text in launch.files.items() if path not in launch.bhyve}
    if files or guest.uefi_vnc_socket:
        yield f"# before: {shlex.join(('mkdir', '-p', str(running.directory(holdings.host, holding.name))))}"
    for path, text in files.items():
        yield f"# before: {masked(shlex.join(printf(text)))} > {shlex.quote(path)}"
    if room := "; ".join(sockets.lines(holdings.host, guest)):
        yield f"# before, each time: {room}"
