"""What does not fit of what runs, and of files: VMMs, supervisors, what is written down of them, owners. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from chyves.doctor.facts import Facts
from chyves.doctor.kinds import Finding, found

PREFIX = "chy-"
OPEN = 0o022
"""The bits of a mode with which others than the owner may write."""


def _locks(guest: str) -> tuple[str, ...]:
    return ("all", f"guest.{guest}", f"running.{guest}")


def programs(facts: Facts) -> Iterator[Finding]:
    """VMMs and programs of guests that nothing looks after, supervisors of guests that are no more."""
    recorded = {record.guest for record in facts.records}
    for vm in sorted(facts.vmms):
        guest = vm.removeprefix(PREFIX)
        if vm.startswith(PREFIX) and not facts.runs(guest) and guest not in recorded:
            yield found(
                "dead-vmm", guest, vm, f"/dev/vmm/{vm} is there, and no bhyve runs it", "destroy it", _locks(guest)
            )
    for guest, pid in sorted({**facts.programs, **facts.supervised}.items()):
        if facts.pools and guest not in facts.by_name:
            what = "its supervisor" if guest in facts.supervised else "its bhyve"
            yield found(
                "lost-guest",
                guest,
                guest,
                f"there is no such guest, and {what} runs: process {pid}",
                f"end it: kill -TERM {pid}",
                _locks(guest),
            )
        elif guest not in facts.supervised and guest not in recorded:
            yield found(
                "lone-bhyve",
                guest,
                guest,
                f"process {pid} runs it, and nothing looks after that",
                f"shut it down from inside, or end it: chyves {guest} reclaim",
                _locks(guest),
            )


def records(facts: Facts) -> Iterator[Finding]:
    """What is written down of guests whose supervisor died, and files that are left of them."""
    for record in facts.records:
        guest = record.guest
        if record.problem:
            runs = facts.runs(guest) or f"{PREFIX}{guest}" in facts.vmms
            yield found(
                "bad-record",
                guest,
                guest,
                record.problem.removeprefix(f"{guest}: ").partition("; remove")[0],
                f"stop it: chyves {guest} stop force; then repair" if runs else "remove it",
                _locks(guest),
                repair=not runs,
            )
        elif guest not in facts.supervised:
            lives = guest in facts.programs
            remedy = "have a new one look after it" if lives else "free what it held"
            what = "its supervisor died, and bhyve runs on" if lives else "is written down as running, and does not run"
            yield found("dead-supervisor", guest, guest, what, remedy, _locks(guest))
    for file, guest in facts.spare_files.items():
        yield found(
            "spare-files", guest, file, f"{file} is left, and the guest does not run", "remove it", _locks(guest)
        )
    for session in facts.sessions:
        yield found(
            "dead-session",
            "host",
            session.device,
            f"{session.file} locks {session.device} for a process that is gone",
            "remove it",
        )


def files(facts: Facts) -> Iterator[Finding]:
    """Files that others may change, or that are not root's, and what could not be looked at."""
    for place in facts.places:
        mode = f"{place.path} has the mode {place.mode:o}"
        if place.mode & OPEN:
            what = f"{mode}: others than its owner may write to it"
            yield found("loose-file", place.owner, place.path, what, "forbid that")
        if place.secret and place.mode & closed(place.directory):
            what = f"{mode}: others may read it, and it holds a secret"
            yield found("open-secret", place.owner, place.path, what, "forbid that")
        if place.uid != facts.root:
            yield found(
                "wrong-owner",
                place.owner,
                place.path,
                f"{place.path} belongs to the user {place.uid}",
                f"give it to {facts.root}",
            )
    for owner, why in facts.unseen:
        yield found("unseen", owner, why, why, "see to that, and look again")


def closed(directory: bool) -> int:
    """The bits that the mode of a file with a secret may not have, or of the directory that it is in."""
    return 0o007 if directory else 0o077
