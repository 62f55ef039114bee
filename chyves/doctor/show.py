"""The table of what does not fit, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable

from chyves.cli.tables import Column, Row, Table
from chyves.doctor.kinds import Finding
from chyves.doctor.look import Seen, look
from chyves.host.machine import Host

COLUMNS = (
    Column("kind", "Kind"),
    Column("owner", "Of"),
    Column("thing", "What"),
    Column("finding", "Finding"),
    Column("repairable", "Repair"),
    Column("remedy", "Remedy"),
)


def doctor(host: Host) -> Table:
    """What does not fit on this host; it is only looked at. The status is 1 where there is any."""
    seen = look(host)
    tell_limits(host, seen)
    rows = tuple(_row(finding) for finding in seen.findings)
    return Table("findings", COLUMNS, rows, failed=_failed(seen.findings), told=_lines(seen.findings))


def tell_limits(host: Host, seen: Seen) -> None:
    """Warn of what was not told, as it could not be seen or is being changed."""
    for sentence in seen.passing:
        host.terminal.warn(f"{sentence}; what that changes is left out: look again when it is done")
    if seen.hidden:
        host.terminal.warn(f"{seen.hidden} files can be read by others only; start this as root to have all looked at")


def _row(finding: Finding) -> Row:
    return Row(
        {
            "kind": finding.kind.name,
            "owner": finding.owner,
            "thing": finding.thing,
            "finding": finding.what,
            "repairable": finding.repairable,
            "remedy": finding.remedy,
        }
    )


def _lines(found: Iterable[Finding]) -> tuple[str, ...]:
    """Two lines a finding, for people."""
    who = {True: "repair", False: "by hand"}
    lines = ((f"{it.owner}: {it.what}", f"  {who[it.repairable]}: {it.remedy}") for it in found)
    return tuple(line for both in lines for line in both) or ("nothing found that does not fit",)


def _failed(found: list[Finding]) -> str:
    """The sentence at the end, where there was anything."""
    if not found:
        return ""
    count = f"{len(found)} thing{'s' if found[1:] else ''} found that {'do' if found[1:] else 'does'} not fit"
    able = sum(finding.repairable for finding in found)
    return (
        f"{count}; {able} of them can be repaired: chyves doctor repair" if able else f"{count}; see above what to do"
    )
