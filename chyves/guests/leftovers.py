"""What a crash left: half-made and half-deleted guests, and guests whose supervisor died.

Every changing command settles it first, under the lock `all`, and says what it did.
"""

from __future__ import annotations

from chyves.errors import Busy, ChyvesError
from chyves.guests import running
from chyves.guests.reclaim import free
from chyves.guests.supervise import launch_supervisor
from chyves.host.machine import Host
from chyves.network.plan import without_member
from chyves.pools.holdings import Holdings, PoolHolding, save
from chyves.properties import Guest

UNFINISHED = {".new": "was not made to its end; it is taken back", ".old": "was not deleted to its end; it is finished"}


def settle(host: Host, holdings: Holdings) -> None:
    """Take back what was half made, finish what was half deleted, and look after guests without a supervisor."""
    for pool in holdings.pools.values():
        for parent, what in UNFINISHED.items():
            _clear(host, holdings, pool, f"{pool.guests_dataset}/{parent}", what)
    settle_running(host)


def _clear(host: Host, holdings: Holdings, pool: PoolHolding, parent: str, what: str) -> None:
    below = [name for name in pool.rows if name.startswith(parent + "/")]
    for dataset in [name for name in below if name.count("/") == parent.count("/") + 1]:
        host.terminal.warn(f"{dataset.rpartition('/')[2]}: {what}")
        _free_taps(host, holdings, pool, dataset)
        host.zfs.destroy_all(dataset, host.zfs.below(dataset))
    for name in below:
        del pool.rows[name]


def _free_taps(host: Host, holdings: Holdings, pool: PoolHolding, dataset: str) -> None:
    """Take the interfaces of a half-made guest off the bridges, where its file tells them and no guest has them."""
    if f"{dataset}/.config" not in pool.rows:
        return
    file = pool.place(f"{dataset}/.config") / ".cfg"
    text = host.files.read_properties(file) if file.exists() else {}
    taken = {tap for guest in holdings.each_properties(host.terminal.warn).values() for tap in guest.net_ifaces}
    changed = without_member(holdings.globals, *(set(Guest("", text).net_ifaces) - taken))
    if changed.text != holdings.globals.text:
        save(host, changed, holdings.globals_file)
        holdings.globals = changed


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

    The caller has locked the guest.
    """
    state = running.read(host, name)
    if state is None or running.supervisor(host, name) is not None:
        return
    if running.bhyve_lives(host, name, state):
        host.terminal.warn(f"{name}: its supervisor had died; a new one looks after it")
        launch_supervisor(host, name, adopt=True)
        return
    host.terminal.warn(f"{name}: its supervisor had died, and bhyve too; what it held is freed")
    free(host, name, state)
