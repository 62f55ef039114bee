"""What a crash left: half-made and half-deleted guests, half-done changes, and guests whose supervisor died.

Every changing command settles it first, under the lock `all`, and says what it did.
"""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chyves.adopt import unfinished as adopted
from chyves.errors import Busy, ChyvesError
from chyves.guests import (
    arrival,
    bound,
    export_leftovers,
    following,
    freeze,
    prepare,
    rollback,
    running,
    snapshot_set,
    succession,
    template,
    variables,
)
from chyves.guests.arrival import MOVED
from chyves.guests.export_leftovers import EXPORTED
from chyves.guests.process_snapshots import drop_process_snapshots
from chyves.guests.reclaim import clear
from chyves.guests.supervise import launch_supervisor
from chyves.host.machine import Host
from chyves.host.undo import Undo
from chyves.names import PROCESS
from chyves.network import change
from chyves.network.plan import without_member
from chyves.pools import leftovers as pool_leftovers
from chyves.pools import together
from chyves.pools.holdings import MOVING, Holdings, PoolHolding
from chyves.pools.writing import save
from chyves.properties import Global, Guest
from chyves.resources import leftovers as resource_leftovers


@dataclass(frozen=True)
class Unfinished:
    """A dataset in which things are made or deleted, and what is said of one that is found there."""

    name: str
    state: str
    done: str


NEW = Unfinished(".new", "was not made to its end", "taken back")
OLD = Unfinished(".old", "was not deleted to its end", "finished")

PATIENCE = 10
"""Seconds that a program is given to end by itself."""

KEEPNET = ":keepnet"
"""What the name of a guest that is being deleted ends in when the bridges' lists are to stay as they are."""


def settled(host: Host, columns: Sequence[str] = ()) -> Holdings:
    """All that chyves has on this host, once what a crash left is settled; the caller holds the lock `all`."""
    holdings = pool_leftovers.settled(host, columns)
    return Holdings.read(host, columns).for_change() if settle(host, holdings) else holdings


def settle(host: Host, holdings: Holdings) -> bool:
    """Take back what was half made or half changed, finish what was half deleted, mind guests without a supervisor.

    Whether anything on the pools has changed by that, so that they have to be read again.
    """
    if arrival.finish(holdings):
        settle(host, Holdings.read(host))
        return True
    found = False
    if holdings.has_primary:
        found = _restore(host, holdings)
        found |= resource_leftovers.settle_all(host, holdings)
        following.settle(host, holdings)
        _sweep(host, holdings)
        _move_on(host, holdings)
        _close_templates(host, holdings)
        for holding in holdings.guests.values():
            adopted.finish(holding)
        bound.settle(host, holdings)
        for pool in holdings.pools.values():
            for unfinished in (NEW, OLD):
                found |= _clear(host, holdings, pool, unfinished)
    settle_running(host)
    if holdings.has_primary:
        found |= rollback.finish(host, holdings)
    return found


def _restore(host: Host, holdings: Holdings) -> bool:
    owners = together.restore(holdings)
    if owners:
        host.terminal.warn(f"{', '.join(owners)}: a change of properties did not come to its end; it is taken back")
        holdings.forget_properties()
    promoted = succession.restore(holdings)
    if promoted is not None:
        host.terminal.warn(f"{promoted}: was not promoted to its end; it is taken back")
    return bool(owners or promoted) | _without_half_sets(host, holdings)


def _without_half_sets(host: Host, holdings: Holdings) -> bool:
    """Destroy snapshots of guests whose set is not whole; whether there were some. What cannot be keeps nothing."""
    try:
        names = snapshot_set.restore(holdings)
    except ChyvesError as error:
        host.terminal.warn(f"a set of snapshots was not taken to its end, and cannot be taken back: {error}")
        return False
    if names:
        host.terminal.warn(f"{', '.join(names)}: were not taken to their end; they are taken back")
    return bool(names)


def _move_on(host: Host, holdings: Holdings) -> None:
    """Bring interfaces that were moving to their bridges; what cannot be is told and left for the next command."""
    try:
        concern = change.settle(holdings)
    except ChyvesError as error:
        host.terminal.warn(f"a change of the network did not come to its end, and cannot be finished: {error}")
    else:
        if concern is not None:
            moved = ", ".join(concern.interfaces)
            host.terminal.warn(
                f"{moved}: a change of the network did not come to its end; all is as the properties say"
            )


def _sweep(host: Host, holdings: Holdings) -> None:
    """Remove new files that were never put in their places."""
    notes = (each.note(holdings) for each in (together, rollback, succession, snapshot_set))
    for path in (holdings.globals_file, holdings.defaults_file, *notes):
        host.files.remove_unfinished(path)
    for guest in holdings.guests.values():
        with suppress(ChyvesError):  # one without a mountpoint is told when it is used
            host.files.remove_unfinished(guest.file)
            host.files.remove_unfinished(variables.file(guest))


def _close_templates(host: Host, holdings: Holdings) -> None:
    """Close the datasets of templates that are open: one was about to be made, or to be ended."""
    for holding in holdings.guests.values():
        with suppress(ChyvesError):  # a file that cannot be read is told when it is used
            if holding.properties.template and not template.closed(holding):
                template.close(host, holding.dataset)
                host.terminal.warn(f"{holding.name}: is a template whose datasets could be changed; they are closed")


def _clear(host: Host, holdings: Holdings, pool: PoolHolding, unfinished: Unfinished) -> bool:
    """Destroy what is in one such dataset, and that itself; what cannot be is told and left for the next command."""
    parent = f"{pool.guests_dataset}/{unfinished.name}"
    if parent not in pool.rows:
        return False
    _await_copiers(host, parent)
    drop_process_snapshots(host, *(each.guests_dataset for each in holdings.pools.values()))
    if f"{parent}/.config" in pool.rows:
        raise ChyvesError(
            f"{unfinished.name}: is a guest of chyves 0.2.0 with a name that chyves needs now; "
            f"rename it first, with: zfs rename {parent} {pool.guests_dataset}/NAME"
        )
    for dataset in _children(pool.rows, parent) or [parent]:
        name, state, done = _said_of(host, dataset, unfinished)
        try:
            export_leftovers.take_back(host, dataset)
            if dataset != parent:
                _take_from_files(host, holdings, pool, dataset)
            adopted.bring_back(host, pool, dataset)
            # A snapshot of all of the pool may have come to it meanwhile, also to the parent.
            discard(host, pool, dataset, host.zfs.below(parent))
        except ChyvesError as error:
            host.terminal.warn(f"{name}: {state}, and cannot be {done}: {error}")
        else:
            if dataset != parent:
                host.terminal.warn(f"{name}: {state}; it is {done}")
    return True


def _said_of(host: Host, dataset: str, unfinished: Unfinished) -> tuple[str, str, str]:
    """What is called by the name of a dataset, what it was not, and what it is then."""
    name, mark, kind = dataset.rpartition("/")[2].partition(":")
    if mark + kind == MOVED:
        return name, "was not moved to its end", unfinished.done
    if mark + kind == EXPORTED:
        return name, "was not exported to its end", export_leftovers.outcome(host, dataset, unfinished.done)
    return f"{name} {kind}".removesuffix(f" {KEEPNET[1:]}").rstrip(), unfinished.state, unfinished.done


def _children(rows: Collection[str], parent: str) -> list[str]:
    """The datasets right below one; a guest that is made or deleted with many asks often, and mostly there is none."""
    if parent not in rows:
        return []
    return [name for name in rows if name.startswith(parent + "/") and name.count("/") == parent.count("/") + 1]


def _await_copiers(host: Host, parent: str) -> None:
    """Wait for the end of programs that copied for a command that was killed: without it they get no more to do."""
    # Of a dataset's characters only the dot means something to pgrep(1), which refuses backslashes before others.
    below = parent.replace(".", "[.]")
    for pid in host.processes.find(f"([^ ]*/)?zfs (send|receive) .*({PROCESS}|{below}/).*"):
        if not host.dry and not host.processes.wait_for_end(pid, PATIENCE):
            host.processes.signal(pid, signal.SIGKILL)
            host.processes.wait_for_end(pid, PATIENCE)


def discard(host: Host, pool: PoolHolding, dataset: str, expected: Iterable[str]) -> None:
    """Destroy what is in `.new` or `.old`, with that where nothing else is in it; raises ChyvesError.

    `expected` is all that may be destroyed with the dataset.
    """
    parent = dataset.rpartition("/")[0]
    alone = not set(_children(pool.rows, parent)) - {dataset} and parent != pool.guests_dataset
    doomed = parent if alone else dataset
    try:
        host.zfs.destroy_all(doomed, {*expected, parent})
    except ChyvesError:
        for name in (parent, dataset):
            pool.rows.setdefault(name, {"type": "filesystem", "mountpoint": "-", "origin": "-"})
        raise
    if doomed in pool.rows:
        for name in [row for row in pool.rows if row == doomed or row.startswith(doomed + "/")]:
            del pool.rows[name]


def tidy(host: Host, pool: PoolHolding, dataset: str) -> None:
    """Destroy `.new` or `.old`, once nothing is in it; where that cannot be, the next command will."""
    parent = dataset.rpartition("/")[0]
    if not _children(pool.rows, parent):
        try:
            host.zfs.destroy(parent)
        except ChyvesError as error:
            host.terminal.warn(
                f"{parent}: is empty and cannot be destroyed, which the next command tries again: {error}"
            )


def finish(
    host: Host, pool: PoolHolding, dataset: str, expected: Iterable[str], done: str, snapshots: Sequence[str] = ()
) -> None:
    """Destroy what was put below `.old`; raises ChyvesError, which says what is `done` and what is not.

    With it go those of the `snapshots` it was cloned from that were made for that.
    """
    try:
        drop_process_snapshots(host, *snapshots)
        discard(host, pool, dataset, expected)
    except ChyvesError as error:
        left = f"{dataset} is not destroyed yet, which the next command tries again"
        raise ChyvesError(f"{done}, but {left}: {error}") from None


def within(undo: Undo, host: Host, pool: PoolHolding, dataset: str) -> None:
    """Have `.new` or `.old` destroyed again where what is about to be done in it is taken back.

    Raises ChyvesError where there is such a dataset from before, which could not be taken back or finished.
    """
    parent, _, name = dataset.rpartition("/")
    if dataset in pool.rows and not host.dry:
        name = name.partition(":")[0]
        raise ChyvesError(f"{name}: {dataset} is left from before; see above what is in the way, and try again")
    undo.do(lambda: None, lambda: tidy(host, pool, dataset) if host.zfs.exists(parent) else None, f"destroy {parent}")


def arriving(undo: Undo, host: Host, pool: PoolHolding, new: str) -> None:
    """Have what is about to be received or cloned destroyed, as far as it has come, where that is taken back."""
    undo.do(
        lambda: None,
        lambda: discard(host, pool, new, host.zfs.below(new)) if host.zfs.exists(new) else None,
        f"destroy {new}",
    )


def _take_from_files(host: Host, holdings: Holdings, pool: PoolHolding, dataset: str) -> None:
    """Take what is about to go out of the files in which it is named: a disk's guest, a guest's bridges."""
    guest, _, disk = dataset.rpartition("/")[2].rpartition(":")
    if pool.rows[dataset]["type"] == "volume" and guest in holdings.guests:
        holding = holdings.guest(guest)
        before, after = holding.properties, prepare.without_disk(holdings, holding, disk)
        together.write(holdings, [before], [after])
    elif dataset.endswith((KEEPNET, MOVED)) or pool.rows[dataset].get(MOVING, "-") != "-":
        return  # the guest keeps them, wherever it is
    elif f"{dataset}/.config" in pool.rows:
        _free_taps(host, holdings, pool, dataset)


def _free_taps(host: Host, holdings: Holdings, pool: PoolHolding, dataset: str) -> None:
    """Take the interfaces of a half-made guest off the bridges, where its file tells them and no guest has them."""
    file = pool.place(f"{dataset}/.config") / ".cfg"
    text = host.files.read_properties(file) if file.exists() else {}
    taken = {tap for guest in holdings.each_properties(host.terminal.warn).values() for tap in guest.net_ifaces}
    changed = _without_named_for(without_member(holdings.globals, *(set(Guest("", text).net_ifaces) - taken)), holdings)
    if changed.text != holdings.globals.text:
        save(host, changed, holdings.globals_file)
        holdings.globals = changed


def _without_named_for(settings: Global, holdings: Holdings) -> Global:
    """The host's properties without bridges that have nothing now, and that were named for what has just left them."""
    before, now = holdings.globals.bridge_tap_members, settings.bridge_tap_members
    emptied = [number for number, taps in before.items() if taps and not now[number]]
    return settings.with_changes(
        {f"bridge{number}_tap_members": None for number in emptied if number not in settings.bridge_phy_attach}
    )


def settle_running(host: Host) -> None:
    """Look after every guest that some supervisor wrote down and no longer holds."""
    for name in running.recorded(host):
        try:
            with host.locks.hold(f"guest.{name}", wait=0):
                settle_guest(host, name)
        except Busy:
            continue  # whoever changes the guest now has settled it first
        except ChyvesError as error:
            host.terminal.warn(str(error))


def settle_guest(host: Host, name: str) -> None:
    """Give a guest whose supervisor died a new one, or free what it held where bhyve has ended too.

    The caller has locked the guest. Raises ChyvesError for what cannot be freed.
    """
    state = running.read(host, name)
    if state is None:
        return
    if running.supervisor(host, name) is not None:
        freeze.settle(host, name)
        return
    if running.find_bhyve(host, name, state):
        host.terminal.warn(f"{name}: its supervisor had died; a new one looks after it")
        launch_supervisor(host, name, adopt=True)
        return
    begun = state.bhyve is not None or state.loader is not None
    died = "its supervisor had died, and bhyve too" if begun else "its start did not come to its end"
    host.terminal.warn(f"{name}: {died}; what it held is freed")
    clear(host, name, state)
