"""The suite of chyves's hands on ZFS, on the real OpenZFS of the machines."""

from __future__ import annotations

import pytest

from tests.zfs.machine.machine import ZfsMachine


@pytest.mark.timeout(1800)
def test_the_suite_passes_on_real_zfs(zfs_machine: ZfsMachine) -> None:
    zfs_machine.make_pool("suite", zfs_machine.disk(0), "-m", "none")
    try:
        words = "-m pytest -q -rs -p no:cacheprovider -p no:hypothesispytest tests/zfs/suite -k".split()
        # Changes are made by zfs(8) in both adapters: here, where a process is dear, they are tried with one.
        which = "zfs8 or (libzfs and test_questions)"
        said = zfs_machine.python(*words, which, env={"CHYVES_TEST_POOL": "suite"}, timeout=1500)
    finally:
        zfs_machine.done("zpool", "destroy", "-f", "suite")
    assert said.status == 0, said.stdout[-8000:]
    # Debian has py-libzfs for its own OpenZFS, which is 2.1, and for no other.
    without = "py-libzfs cannot be imported here: No module named 'libzfs'"
    assert (without in said.stdout) == (zfs_machine.release != "2.1")
    assert " skipped" not in said.stdout or without in said.stdout
