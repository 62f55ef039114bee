"""All findings of what was looked at. Pure: facts in, findings out."""

from __future__ import annotations

from chyves.doctor import live, network, pools, sections
from chyves.doctor.facts import Facts
from chyves.doctor.kinds import KINDS, Finding

CHECKS = (
    pools.broken_off,
    pools.datasets,
    pools.clones,
    pools.snapshots,
    pools.templates,
    pools.disks,
    sections.readable,
    sections.values,
    sections.named,
    sections.shared,
    network.lists,
    network.uplinks,
    network.interfaces,
    live.programs,
    live.records,
    live.files,
)


def findings(facts: Facts) -> list[Finding]:
    """What does not fit, each thing once, by owner and then in the order of the table."""
    order = list(KINDS)
    every = {finding.key: finding for check in CHECKS for finding in check(facts)}
    return sorted(every.values(), key=lambda it: (it.owner, order.index(it.kind.name), it.thing))
