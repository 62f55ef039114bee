"""What the lab's zfs did otherwise than OpenZFS, found by running both side by side (tests/zfs/differential).

One test for each kind of difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.zfs.differential.lab_side import LabSide
from tests.zfs.differential.steps import WHOLE, Said

OLD, NEW = "13.2", "15.0"
Lab = Callable[[str], LabSide]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Makes labs with an empty pool `tank`, of the ZFS of a release of FreeBSD."""
    with ExitStack() as sides:

        def make(release: str) -> LabSide:
            side = LabSide(tmp_path / release, "tank", release)
            sides.callback(side.close)
            side.reset(1 << 30)
            return side

        yield make


@pytest.fixture
def side(lab: Lab) -> LabSide:
    return lab(NEW)


def ran(side: LabSide, line: str) -> Said:
    return side.run(["zfs", *line.split()])


def done(side: LabSide, *lines: str) -> str:
    """What the last of some commands prints, none of which may fail."""
    out = ""
    for line in lines:
        status, out, err = ran(side, line)
        assert (status, err) == (0, ""), (line, err)
    return out


def copied(side: LabSide, send: str, receive: str, part: float = WHOLE) -> list[Said]:
    return side.pipe(["zfs", "send", *send.split()], ["zfs", "receive", *receive.split()], part)


def names(side: LabSide) -> list[str]:
    return done(side, "list -H -o name -t all -r tank").split()


def cut_off(side: LabSide) -> None:
    """tank/new has received the beginning of a stream."""
    done(side, "create tank/a")
    side.write("tank/a", "f", 1, 100_000)
    done(side, "snapshot tank/a@s")
    assert copied(side, "tank/a@s", "-s tank/new", 0.5)[1][0] == 1


def test_numbers_without_a_limit_and_what_is_empty(lab: Lab) -> None:
    for release, unlimited in (OLD, str(2**64 - 1)), (NEW, "none"):
        side = lab(release)
        rows = done(side, "get -Hp -o value,source filesystem_limit,snapshot_count tank").split("\n")
        assert rows[:2] == [f"{unlimited}\tdefault"] * 2
        done(side, "create -V 8M tank/v", "snapshot tank/v@s")
        assert done(side, "get -H -o source volsize tank/v@s") == "local\n"
        assert "clones" not in done(side, "get -H all tank/v@s")


def test_bookmarks_have_no_user_properties_and_follow_a_promotion(side: LabSide) -> None:
    done(side, "create -o x:y=1 tank/a", "snapshot tank/a@s", "bookmark tank/a@s tank/a#old", "clone tank/a@s tank/c")
    done(side, "snapshot tank/a@later", "bookmark tank/a@later tank/a#new", "promote tank/c")
    assert {"tank/c#old", "tank/a#new"} <= set(names(side))
    assert done(side, "get -H -o value x:y tank/c#old") == "-\n"
    assert "x:y" not in done(side, "get -H all tank/c#old")
    assert ran(side, "destroy -r tank/c#old") == (255, "", "recursive is not supported with bookmark\n")


def test_holds_tell_that_nothing_was_found_and_releases_what_they_looked_for(side: LabSide, lab: Lab) -> None:
    done(side, "create -p tank/a/b", "snapshot -r tank/a@s", "hold keep tank/a@s")
    assert ran(side, "holds -r tank/a@none")[2] == "no datasets available\n"
    assert ran(side, "holds tank/a/b@s")[2] == ""
    assert ran(side, "release -r none tank/a@s")[::2] == (
        1, "cannot release hold from snapshot 'tank/a@s': no such tag on this dataset\n",
    )  # fmt: skip
    done(side, "release -r keep tank/a@s", "destroy tank/a/b@s")
    assert ran(side, "release -r keep tank/a@s")[2].endswith("dataset does not exist\n")
    assert ran(lab(OLD), "holds -p tank@s")[0] == 2


def test_depth_and_columns_are_looked_at_as_zfs_does(side: LabSide) -> None:
    done(side, "create tank/a", "snapshot tank/a@s")
    assert done(side, "list -H -d 0 -o name -t all") == "tank\n"
    assert done(side, "list -H -d 1 -o name -t filesystem") == "tank\ntank/a\n"
    assert ran(side, "get -d x nosuch tank")[2].startswith("x is not an integer")
    assert ran(side, "list -o name,,type tank/none")[2].startswith("bad property list: empty property name")
    assert done(side, "list -H -o name, tank") == "tank\n"


def test_set_keeps_what_can_be_kept_and_ends_with_the_releases_status(lab: Lab) -> None:
    for release, refused in (OLD, 1), (NEW, 255):
        side = lab(release)
        assert ran(side, "set reservation=2G x:y=1 tank")[0] == refused
        assert done(side, "get -H -o value x:y,reservation tank") == "1\nnone\n"
        assert ran(side, "set x:y=2 tank/none")[0] == 1
        assert ran(side, "set tank tank/none")[2] == "cannot open 'tank/none': dataset does not exist\n"
        assert ran(side, "set x:y=2 x:y=3 tank")[0] == 255
        assert ran(side, "create -o reservation=2G tank/big")[2] == "cannot create 'tank/big': out of space\n"
        assert ran(side, "create -o quota=10K tank/small")[2] == "cannot create 'tank/small': out of space\n"


def test_inherit_names_the_word_given_and_passes_over_what_has_no_such_property(side: LabSide) -> None:
    done(side, "snapshot tank@s", "inherit -r volmode tank@s")
    assert "cannot inherit rdonly for 'tank@s'" in ran(side, "inherit rdonly tank@s")[2]


def test_a_destruction_that_is_refused_has_told_what_it_would_take(side: LabSide) -> None:
    done(
        side,
        "create tank/a",
        "snapshot tank/a@s",
        "snapshot tank/a@t",
        "clone tank/a@s tank/c",
        "clone tank/a@t tank/d",
    )
    status, out, err = ran(side, "destroy -rnpv tank/a@s,t")
    assert (status, out) == (1, "destroy\ttank/a@s\ndestroy\ttank/a@t\n")
    assert err.count("has dependent clones") == 2


def test_what_is_told_of_what_cannot_be_sent(side: LabSide) -> None:
    done(side, "create tank/a", "snapshot tank/a@s")
    assert ran(side, "send -n -i @none tank/a@s")[2] == "cannot open 'tank/a@none': dataset does not exist\n"
    assert ran(side, "send -n -i #none tank/a@s")[0] == 0
    assert ran(side, "send -nP -i #none tank/a@s")[2] == "warning: cannot send 'tank/a@s': No such process\n"
    assert ran(side, "send -nv tank/a")[2] == "warning: cannot send 'tank/a': Invalid argument\n"
    assert ran(side, "send -np tank/a")[2].endswith("warning: cannot send 'tank/a': backup failed\n")
    assert ran(side, "send -n tank/a")[0] == 0
    assert ran(side, "send -nt nonsense")[0] == 255
    done(side, "snapshot tank/a@t")
    assert "(tank/a@t) does not exist" in ran(side, "send -n -I @t tank/a@s")[2]


def test_a_package_passes_over_what_is_younger_than_its_snapshot(side: LabSide) -> None:
    done(side, "create -p tank/a/old", "snapshot tank/a@s", "create tank/a/young")
    status, _, err = ran(side, "send -nR tank/a@s")
    assert status == 1 and "snapshot tank/a/old@s does not exist\nwarning: cannot send 'tank/a': backup failed" in err
    done(side, "destroy tank/a/old")
    assert [one[0] for one in copied(side, "-R tank/a@s", "tank/c")] == [0, 0]
    assert names(side) == ["tank", "tank/a", "tank/a@s", "tank/a/young", "tank/c", "tank/c@s"]


def test_a_package_is_received_with_properties_of_some_of_its_datasets(side: LabSide) -> None:
    done(side, "create tank/a", "create -V 8M tank/a/v", "snapshot -r tank/a@s")
    assert copied(side, "-R tank/a@s", "-o canmount=noauto tank/c")[1][0] == 0
    assert done(side, "get -H -o value canmount tank/c tank/c/v") == "noauto\n-\n"


def test_a_package_of_nothing_is_no_stream(side: LabSide) -> None:
    done(side, "create tank/a", "snapshot tank/a@s")
    sent, received = copied(side, "-R -i @s tank/a@s", "tank/c")
    assert sent[0] == 1 and received == (1, "", "cannot receive: failed to read from stream\n")
    assert copied(side, "-R tank/a@s", "tank/c", 0.1)[1] == (1, "", "cannot receive: failed to read from stream\n")


def test_a_receiver_tells_of_the_origin_it_found(side: LabSide) -> None:
    done(side, "create tank/a", "snapshot tank/a@s", "clone tank/a@s tank/c", "snapshot tank/c@t")
    told = copied(side, "-i tank/a@s tank/c@t", "-v tank/d")[1][1]
    assert told.startswith("found clone origin tank/a@s\nreceiving incremental stream of tank/c@t into tank/d@t\n")


def test_what_was_received_in_part_is_busy_and_has_no_properties_yet(side: LabSide) -> None:
    cut_off(side)
    assert ran(side, "snapshot tank/new@s")[2] == "cannot create snapshot 'tank/new@s': dataset is busy\n"
    assert "Contains partially-completed state" in ran(side, "mount tank/new")[2]
    assert "utf8only" not in done(side, "get -H all tank/new")
    done(side, "create -V 8M tank/v", "snapshot tank/v@s")
    side.write("tank/v", "", 1, 100_000)
    done(side, "snapshot tank/v@t")
    copied(side, "tank/v@t", "-s tank/w", 0.5)
    assert done(side, "get -Hp -o value,source volsize tank/w") == "0\tdefault\n"
