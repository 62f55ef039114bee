"""Repairs what can be repaired safely: first what every changing command settles, then each finding by its kind.

Nothing is destroyed but what an unfinished operation made, and nothing is chosen that the administrator has to choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chyves.doctor import show
from chyves.doctor.acts import ACTS
from chyves.doctor.kinds import Finding, How
from chyves.doctor.look import look
from chyves.errors import ChyvesError, Interrupted, SeveralFailed
from chyves.guests import leftovers
from chyves.host.machine import Host
from chyves.host.undo import Undo


def repair(host: Host, yes: bool = False) -> None:
    """Show what will be repaired, how and why, and do it when the user agrees: each whole or not at all.

    What has to be settled is settled first, as by every command. A repair that fails is told, and the others are done;
    then ChyvesError is raised.
    """
    seen = look(host)
    show.tell_limits(host, seen)
    plan = [finding for finding in seen.findings if finding.repairable]
    lines = [f"{finding.owner}: {finding.remedy}: {finding.what}" for finding in plan]
    if yes or host.dry:
        host.terminal.show(lines)
    if not plan:
        host.terminal.say(1, "there is nothing to repair")
    elif host.dry or host.terminal.confirm("repair these?", yes, lines):
        _carry_out(host, plan)
    left = (finding for finding in seen.findings if not finding.repairable)
    host.terminal.show(f"left to you: {finding.owner}: {finding.what}; {finding.remedy}" for finding in left)


def _carry_out(host: Host, plan: Sequence[Finding]) -> None:
    """Settle, look again, and do what of the plan is still to be done."""
    with host.locks.hold("all"):
        leftovers.settled(host)
        wanted = {finding.key for finding in plan}
        now = [finding for finding in look(host).findings if finding.key in wanted]
        if host.dry:
            now = list(_not_settled(now))
        failed = list(_failing(host, _in_order(now)))
    if len(failed) == 1:
        raise failed[0]
    for error in failed:
        host.terminal.failed(error)
    if failed:
        raise SeveralFailed(f"{len(failed)} of {len(plan)} failed")


def _not_settled(findings: Sequence[Finding]) -> Iterable[Finding]:
    """What is left to do once all is settled, for a dry run, which still sees what settling has done.

    What is half made or half deleted takes the snapshots of clones with it.
    """
    swept = any(finding.kind.name in ("half-made", "half-deleted") for finding in findings)
    for finding in findings:
        if finding.kind.how is How.REPAIRED and not (swept and finding.kind.name == "spare-snapshot"):
            yield finding


def _failing(host: Host, findings: Iterable[Finding]) -> Iterable[ChyvesError]:
    """Repair each; the errors of those that could not be."""
    for finding in findings:
        try:
            with Undo() as undo:
                undo.do(lambda finding=finding: _repair(host, finding))  # type: ignore[misc]
                host.events.note("repaired", finding=finding.kind.name, thing=str(finding.thing))
        except Interrupted:
            raise
        except ChyvesError as error:
            yield error
        else:
            host.terminal.say(1, f"{finding.owner}: {finding.kind.name}: {finding.thing} is repaired")


def _repair(host: Host, finding: Finding) -> None:
    """Do it; raises ChyvesError, also for what was to be settled and is still there.

    A program can fail, or be ended, when its work is done.
    """
    if finding.kind.how is not How.REPAIRED:
        raise ChyvesError(f"{finding.owner}: {finding.what}; what keeps it from being settled stands above")
    try:
        ACTS[finding.kind.name](host, finding)
    except ChyvesError:
        if host.dry or any(other.key == finding.key for other in look(host).findings):
            raise


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """File systems are mounted first, and each after what it is in; else as they were found."""
    return sorted(findings, key=lambda it: (0, it.thing) if it.kind.name == "not-mounted" else (1, ""))
