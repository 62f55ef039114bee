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
        wanted = {finding.key for finding in plan if finding.kind.how is How.REPAIRED}
        now = [finding for finding in look(host).findings if finding.key in wanted] if wanted else []
        if host.dry and {"half-made", "half-deleted"} & {finding.kind.name for finding in plan}:
            # What settles these has let the snapshots of clones go, and a dry run still sees them.
            now = [finding for finding in now if finding.kind.name != "spare-snapshot"]
        failed = list(_failing(host, _in_order(now)))
    if len(failed) == 1:
        raise failed[0]
    if failed:
        for error in failed:
            host.terminal.failed(error)
        raise SeveralFailed(f"{len(failed)} of {len(now)} failed")


def _failing(host: Host, findings: Iterable[Finding]) -> Iterable[ChyvesError]:
    """Repair each; the errors of those that could not be."""
    for finding in findings:
        try:
            with Undo() as undo:
                undo.do(lambda finding=finding: ACTS[finding.kind.name](host, finding))  # type: ignore[misc]
        except Interrupted:
            raise
        except ChyvesError as error:
            yield error
        else:
            host.terminal.say(1, f"{finding.owner}: {finding.kind.name}: {finding.thing} is repaired")


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """File systems are mounted first, and each after what it is in; else as they were found."""
    return sorted(findings, key=lambda it: (0, it.thing) if it.kind.name == "not-mounted" else (1, ""))
