"""Show properties: of guests, of the host, of what new guests begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chyves.cli.tables import Column, Row, Table
from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.names import shown
from chyves.pools import newer
from chyves.pools.holdings import Holdings
from chyves.properties import Defaults, Global, Guest, Pool
from chyves.section import Section
from chyves.targets import Target, named
from chyves.values import NONE

OWNED = (Column("owner", "Owner"), Column("property", "Property"), Column("value", "Value"))


def get(host: Host, owner: Target, property: str) -> Table:
    """One property, or all, of each owner; one property of one owner as its bare value, for scripts."""
    holdings = Holdings.read(host)
    sections, failed = _readable(holdings, owner)
    newer.warn(holdings, [guest for guest in map(holdings.guests.get, (s.owner for s in sections)) if guest])
    if property == "all":
        return replace(_table(sections, None), failed=failed)
    table = replace(_table(sections, property), failed=failed)
    alone = owner in ("global", "defaults") or (len(owner) == 1 and len(named(owner)) == 1)
    return replace(table, columns=OWNED[2:], bare=True) if alone else table


def _readable(holdings: Holdings, owner: Target) -> tuple[list[Section], str]:
    """The sections of an owner that can be read, and what is told of others in the end; raises it where all cannot."""
    if isinstance(owner, str) and owner != "all":
        return owned(holdings, owner), ""
    found: list[Section] = []
    failed: list[ChyvesError] = []
    for holding in holdings.find(owner):
        try:
            found.append(holding.properties)
        except ChyvesError as error:
            failed.append(error)
    for before in failed[:-1]:
        holdings.host.terminal.failed(before)
    if failed and not found:
        raise failed[-1]
    return found, str(failed[-1]) if failed else ""


def owned(holdings: Holdings, owner: Target) -> list[Section]:
    """The sections that a command's owner means: guests by name or `all`, `global`, `defaults`."""
    if owner == "global":
        return [holdings.globals]
    if owner == "defaults":
        return [holdings.defaults]
    return [holding.properties for holding in holdings.find(owner)]


def _table(sections: Sequence[Section], name: str | None) -> Table:
    rows = [
        Row({"owner": section.owner, "property": key, "value": _value(value)})
        for section in sections
        for key, value in (section if name is None else [(name, section.get(name))])
    ]
    return Table("properties", OWNED, tuple(rows))


def _value(text: str) -> str | None:
    """A property's text as `set` takes it, for JSON: none is null, however it is written."""
    return None if text in NONE else text


def defaults(host: Host) -> Table:
    """Everything that new guests begin with."""
    return _table([Holdings.read(host).defaults], None)


def global_(host: Host, pool: str | None = None) -> Table:
    """The properties of the host, and those of its pools or of one."""
    holdings = Holdings.read(host)
    if pool is not None and pool != "primary":
        return _table([holdings.pool(pool).properties], None)
    return _table([holdings.globals, holdings.primary.properties], None)


def across(host: Host, property: str) -> Table:
    """One property of every guest."""
    holdings = Holdings.read(host)
    sections = holdings.each_properties(host.terminal.warn).values()
    if Guest.row(property) is None and not any(property in section.text for section in sections):
        raise ChyvesError(f"list: {shown(property)} is no property of guests; see: chyves list properties")
    found = [(section.owner, section.counting(property) or "") for section in sections]
    rows = [Row({"guest": owner, "property": property, "value": _value(text)}) for owner, text in found]
    return Table("values", (Column("guest", "Guest"), Column("value", property)), tuple(rows))


def properties(host: Host) -> Table:
    """The names of all properties, and what each is."""
    columns = (
        Column("property", "Property"),
        Column("scope", "Of"),
        Column("default", "Default"),
        Column("doc", "What it is"),
    )
    scopes = (("guest", Guest), ("defaults", Defaults), ("global", Global), ("pool", Pool))
    rows = [
        Row({"property": row.name, "scope": scope, "default": _value(row.default), "doc": row.doc})
        for scope, section in scopes
        for row in (*section.table.values(), *section.numbered.values())
        if not (section is Defaults and row.inherited)
    ]
    return Table("properties", columns, tuple(rows))
