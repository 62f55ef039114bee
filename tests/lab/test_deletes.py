"""Deleting guests as somebody at a terminal does: what is shown, what is asked, and what may happen meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pexpect
import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, everything, second_pool, sentence, zfs

PATIENCE = 60


@pytest.fixture
def family(lab: Lab) -> Lab:
    """A guest with a clone and a clone of that, and another on a second pool."""
    done(lab, "dataset", lab.pool, "install")
    done(lab, "dataset", second_pool(lab), "install")
    done(lab, "a", "create", "16M")
    done(lab, "other", "create", "16M", "tank")
    done(lab, "a", "clone", "b", "-cu")
    done(lab, "b", "clone", "c", "-cu")
    return lab


@pytest.fixture
def asked(family: Lab) -> Iterator[pexpect.spawn[str]]:
    """`chyves a delete force` on a terminal, which waits for an answer."""
    words = ["-m", "chyves", "a", "delete", "force"]
    child = pexpect.spawn(
        sys.executable, words, env=environment(family), encoding="utf-8", timeout=PATIENCE, dimensions=(50, 200)
    )
    child.expect_exact("c, b, a: delete with all disks and snapshots? [y/N]")
    yield child
    child.close(force=True)


def end(child: pexpect.spawn[str], answer: str) -> tuple[int | None, str]:
    """The status, and what was said after the answer."""
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus, child.before or ""


def test_all_that_goes_is_shown_in_order_and_asked_about_once(family: Lab, asked: pexpect.spawn[str]) -> None:
    """Fault 12 of 0.2.0: its delete force asked for each clone anew, and showed nothing before."""
    shown = [line.strip() for line in (asked.before or "").splitlines() if line.strip()]
    destroyed = [line.split()[1] for line in shown if line.endswith("will be destroyed")]
    there = zfs(family, "list", "-H", "-t", "all", "-o", "name").splitlines()
    of = [name for name in there if name.startswith(tuple(f"{family.pool}/chyves/guests/{guest}" for guest in "abc"))]
    assert sorted(destroyed) == sorted(of)
    assert [line.partition(":")[0] for line in shown] == sorted(
        (line.partition(":")[0] for line in shown), reverse=True
    )
    status, said = end(asked, "y")
    assert (status, "?" in said) == (0, False), said
    assert done(family, "list", "cpu", "-H") == "other\t1\n"


def test_no_keeps_all(family: Lab, asked: pexpect.spawn[str]) -> None:
    before = everything(family)
    assert end(asked, "")[0] == 0
    assert everything(family) == before


def test_other_commands_do_not_wait_for_the_answer(family: Lab, asked: pexpect.spawn[str]) -> None:
    done(family, "other", "set", "cpu=2")
    assert end(asked, "y")[0] == 0
    assert done(family, "list", "cpu", "-H") == "other\t2\n"


def test_what_has_come_since_it_was_shown_is_not_deleted(family: Lab, asked: pexpect.spawn[str]) -> None:
    zfs(family, "snapshot", f"{family.pool}/chyves/guests/b/disk0@precious")
    before = everything(family)
    status, said = end(asked, "y")
    assert status == 1
    assert "chyves: what would be deleted has changed since it was shown; nothing is deleted; try again" in said
    assert everything(family) == before


def test_force_is_a_word_behind_delete_and_nothing_else(family: Lab) -> None:
    """Fault 12 of 0.2.0: it looked for `force` in the wrong place of the line."""
    done(family, "force", "create", "16M")
    for line, status, told in (
        ("a force delete", 2, "force: is no command; see"),
        ("a delete now", 2, "delete: now is not possible; give force or keepnet"),
        ("a delete keepnet force", 2, "force is one word too many"),
        ("a,force delete", 1, "a: b was cloned from it; free it with: chyves b promote, or delete all with"),
    ):
        assert told in sentence(family, *line.split(), status=status)
    done(family, "force", "delete")
    assert "force" not in done(family, "list", "cpu", "-H")
    assert "there is no terminal to ask on; give --yes" in sentence_after_list(family, "a", "delete", "force")


def sentence_after_list(lab: Lab, *words: str) -> str:
    """The sentence by which chyves refuses, once it has shown what would go."""
    before = everything(lab)
    result = chyves(lab, *words)
    assert result.returncode == 1
    assert everything(lab) == before
    return result.stderr.splitlines()[-1]


def test_deleting_an_exact_clone_leaves_its_twin_on_the_bridge(family: Lab) -> None:
    done(family, "other", "clone", "twin,third", "-ce")
    members = done(family, "global", "get", "bridge0_tap_members")
    done(family, "twin", "delete", "--yes")
    done(family, "third", "delete", "keepnet", "--yes")
    assert done(family, "global", "get", "bridge0_tap_members") == members
    done(family, "other", "delete", "--yes")
    assert "tap51" in members and "tap51" not in done(family, "global", "get", "bridge0_tap_members")


def test_the_snapshot_that_a_clone_of_0_2_0_was_made_from_goes_with_it(family: Lab) -> None:
    """Complaint 18: stray snapshots; those of 0.2.0 stayed when the clone had gone."""
    guests, tag = f"{family.pool}/chyves/guests", "chyves-clone-process-0b1c5ec0-7b8e-11f0-9c6e-589cfc000001"
    done(family, "old", "create", "16M")
    zfs(family, "snapshot", "-r", f"{guests}/c@{tag}")
    zfs(family, "destroy", "-r", f"{guests}/old/disk0")
    zfs(family, "clone", f"{guests}/c/disk0@{tag}", f"{guests}/old/disk0")
    done(family, "old", "delete", "--yes")
    assert f"{guests}/c/disk0@{tag}" not in zfs(family, "list", "-H", "-t", "snapshot", "-o", "name").split()
