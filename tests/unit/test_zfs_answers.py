"""What chyves makes of ZFS's answers: those that are right, and those that it must not believe."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chyves.errors import ChyvesError, ProgramFailed
from chyves.host.machine import Host
from chyves.host.zfs import Zfs

Say = Callable[..., None]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory that is a host, whose zfs(8) notes its words and gives the answer it was told to."""
    for name in ("bin", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "lab.json").write_text("{}")
    for name in ("zfs", "zpool"):
        program = tmp_path / "bin" / name
        program.write_text(
            f"#!/bin/sh\nprintf '%s\\n' {name} \"$@\" >> {tmp_path}/asked; echo ';' >> {tmp_path}/asked\n"
            f"cat {tmp_path}/error >&2\ncat {tmp_path}/answer\nexit $(cat {tmp_path}/status)\n"
        )
        program.chmod(0o755)
    return tmp_path


@pytest.fixture
def say(top: Path) -> Say:
    def told(answer: str = "", error: str = "", status: int = 0) -> None:
        (top / "answer").write_text(answer)
        (top / "error").write_text(error)
        (top / "status").write_text(str(status))

    told()
    return told


@pytest.fixture
def zfs(top: Path) -> Zfs:
    return Host.open({"CHYVES_LAB": str(top)}).zfs


@pytest.fixture
def asked(top: Path) -> Callable[[], list[str]]:
    """The command lines since the last look."""

    def lines() -> list[str]:
        found = (top / "asked").read_text().split("\n;\n")
        (top / "asked").write_text("")
        return [shlex.join(line.split("\n")) for line in found if line]

    return lines


def test_a_listing_is_rows_by_property(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    say("p\tfilesystem\t-\np/a\tvolume\t1073741824\n")
    rows = zfs.list("p", properties=("name", "type", "volsize"), recursive=True)
    assert rows[1] == {"name": "p/a", "type": "volume", "volsize": "1073741824"}
    assert asked() == ["zfs list -Hp -o name,type,volsize -t filesystem,volume -r p"]


def test_the_name_is_always_asked_for(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    say("p\t12\n")
    assert zfs.list("p", properties=("used",), types="all", depth=0) == [{"name": "p", "used": "12"}]
    assert asked() == ["zfs list -Hp -o name,used -t all -d 0 p"]


def test_all_of_the_host(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    say("p\nq/x\n")
    assert zfs.list() == [{"name": "p"}, {"name": "q/x"}]
    say("", "no datasets available\n")
    assert zfs.list() == []
    assert asked()[0] == "zfs list -Hp -o name -t filesystem,volume"


@pytest.mark.parametrize(
    "answer",
    [
        "p/web1x\t1\n",
        "p/web\t1\n",
        "p\t1\n",
        "q/web1\t1\n",
        "p/web1\n",
        "p/web1\t1\t2\n",
        "p/web1\tone\ntwo\n",
        "p/web1\ta\tb\n",
        "no datasets available\n",
    ],
)
def test_an_answer_to_another_question_is_refused(zfs: Zfs, say: Say, answer: str) -> None:
    say(answer)
    with pytest.raises(ChyvesError, match=r"^zfs list: answered what was not asked for: "):
        zfs.list("p/web1", properties=("name", "used"), recursive=True)


@pytest.mark.parametrize("name", ["p/web1", "p/web1/disk0", "p/web1@s", "p/web1#b"])
def test_what_is_at_or_below_a_name_is_believed(zfs: Zfs, say: Say, name: str) -> None:
    say(f"{name}\n")
    assert zfs.list("p/web1", "p/web2", types="all", recursive=True) == [{"name": name}]


def test_a_missing_name_among_others_is_an_error(zfs: Zfs, say: Say) -> None:
    say("p/a\n", "cannot open 'p/b': dataset does not exist\n", 1)
    with pytest.raises(ProgramFailed, match=r"cannot open 'p/b': dataset does not exist$"):
        zfs.list("p/a", "p/b")


def test_a_property_of_one_dataset(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    say("p/a\tsome text\n")
    assert zfs.get("p/a", "chyves:notes") == "some text"
    assert asked() == ["zfs get -Hp -o name,value chyves:notes p/a"]
    for value in ("", "one\ttwo", "one\np/a\ttwo", "one\n"):
        say(f"p/a\t{value}\n")
        assert zfs.get("p/a", "chyves:notes") == value


@pytest.mark.parametrize("answer", ["", "p/a\n", "p/b\t1\n", "p/b\t1\np/a\t2\n", "p/a/x\t1\n"])
def test_a_property_of_another_dataset_is_refused(zfs: Zfs, say: Say, answer: str) -> None:
    say(answer)
    with pytest.raises(ChyvesError, match=r"^zfs get: answered what was not asked for: "):
        zfs.get("p/a", "used")


def test_only_absence_is_absence(zfs: Zfs, say: Say) -> None:
    say("p/a\n")
    assert zfs.exists("p/a")
    say("", "cannot open 'p/a': dataset does not exist\n", 1)
    assert not zfs.exists("p/a")


@pytest.mark.parametrize(
    "error",
    [
        "cannot open 'p/b': dataset does not exist",
        "cannot open 'p/a': permission denied",
        "cannot open 'p/a': pool I/O is currently suspended",
        "Unable to open /dev/zfs: No such file or directory.",
        "cannot iterate filesystems: no such device",
        "",
    ],
)
def test_no_other_error_is_absence(zfs: Zfs, say: Say, error: str) -> None:
    say("", f"{error}\n", 1)
    with pytest.raises(ProgramFailed):
        zfs.exists("p/a")


def test_changes_have_their_options_before_the_name(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    zfs.create("p/a", {"mountpoint": "/a b", "chyves:x": "1"})
    zfs.create_volume("p/a/disk0", 1 << 30, {"volmode": "dev"})
    zfs.set("p/a", {"volsize": "2147483648", "chyves:x": "a=b"})
    zfs.set("p/a", {})
    zfs.rename("p/a", "p/b")
    zfs.destroy("p/b@s")
    assert asked() == [
        "zfs create -o 'mountpoint=/a b' -o chyves:x=1 p/a",
        "zfs create -V 1073741824 -o volmode=dev p/a/disk0",
        "zfs set volsize=2147483648 chyves:x=a=b p/a",
        "zfs rename p/a p/b",
        "zfs destroy p/b@s",
    ]


def test_what_a_destroy_would_take(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    say("destroy\tp/a/disk0@s\ndestroy\tp/a/disk0\ndestroy\tp/a\nreclaim\t4096\n")
    assert zfs.below("p/a") == ["p/a/disk0@s", "p/a/disk0", "p/a"]
    assert asked() == ["zfs destroy -rnpv p/a"]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "reclaim\t4096\n",
        "destroy\tp/a/disk0\n",
        "destroy\tp/ab\ndestroy\tp/a\n",
        "would destroy p/a\n",
        "destroy\tp/a\nwarning: odd\n",
    ],
)
def test_a_destroy_that_is_not_understood_is_refused(zfs: Zfs, say: Say, answer: str) -> None:
    say(answer)
    with pytest.raises(ChyvesError, match=r"^zfs destroy -rnpv: answered what was not asked for: "):
        zfs.below("p/a")


def test_what_depends_elsewhere_is_an_error(zfs: Zfs, say: Say) -> None:
    say("", "cannot destroy 'p/a': filesystem has dependent clones\nuse '-R' to destroy ...\np/b\n", 1)
    with pytest.raises(ProgramFailed, match="has dependent clones"):
        zfs.below("p/a")


def test_nothing_recursive_is_destroyed_that_was_not_expected(
    zfs: Zfs, say: Say, asked: Callable[[], list[str]]
) -> None:
    say("destroy\tp/a/new\ndestroy\tp/a\nreclaim\t0\n")
    with pytest.raises(ChyvesError, match=r"^p/a: has more below it than it had: p/a/new; "):
        zfs.destroy_all("p/a", ["p/a", "p/a/gone"])
    assert asked() == ["zfs destroy -rnpv p/a"]
    zfs.destroy_all("p/a", ["p/a", "p/a/new", "p/a/gone"])
    assert asked() == ["zfs destroy -rnpv p/a", "zfs destroy -r p/a"]


def test_pools(zfs: Zfs, say: Say, asked: Callable[[], list[str]]) -> None:
    say("p\t100\t40\t60\tONLINE\n")
    assert zfs.pools() == [{"name": "p", "size": "100", "alloc": "40", "free": "60", "health": "ONLINE"}]
    assert asked() == ["zpool list -Hp -o name,size,alloc,free,health"]


def test_a_dry_run_asks_and_changes_nothing(
    top: Path, say: Say, asked: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    dry = Host.open({"CHYVES_LAB": str(top)}, dry=True).zfs
    say("p\n")
    assert dry.exists("p")
    dry.rename("p/a", "p/b")
    dry.wait_for_volume(top / "none", seconds=1000)
    assert asked() == ["zfs list -H -o name p"]
    assert capsys.readouterr().out == "zfs rename p/a p/b\n"


def test_a_volume_is_waited_for(zfs: Zfs, top: Path) -> None:
    import threading

    device = top / "disk0"
    threading.Timer(0.1, device.touch).start()
    zfs.wait_for_volume(device, seconds=60)
    with pytest.raises(ChyvesError, match=r"/none: did not appear within 0 seconds; "):
        zfs.wait_for_volume(top / "none", seconds=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(some.text(some.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_answer_makes_it_believe_another_dataset(zfs: Zfs, say: Say, answer: str) -> None:
    say(answer)
    try:
        rows = zfs.list("p/web1", recursive=True)
    except ChyvesError:
        return
    assert all(row["name"].startswith("p/web1") for row in rows)


def test_what_comes_back_with_snapshots_is_believed_only_for_those(
    zfs: Zfs, say: Say, asked: Callable[[], list[str]]
) -> None:
    say("destroy\tt/g@a\ndestroy\tt/g/x@b\nreclaim\t4096\n")
    assert zfs.reclaimed("t/g", ["@a", "@b"]) == (["t/g@a", "t/g/x@b"], 4096)
    assert asked() == ["zfs destroy -rnpv t/g@a,b"]
    for answer in (
        "destroy\tt/g@a\n",
        "destroy\tt/g@c\nreclaim\t1\n",
        "destroy\tt/other@a\nreclaim\t1\n",
        "destroy\tt/g@a\nreclaim\t1.5K\n",
        "destroy\tt/g@a\nreclaim\t1\nreclaim\t1\n",
        "destroy\tt/g@a\nreclaim\t1\nand more\n",
    ):
        say(answer)
        with pytest.raises(ChyvesError, match="answered what was not asked for"):
            zfs.reclaimed("t/g", ["@a", "@b"])


def test_snapshots_are_taken_gone_back_to_and_destroyed_together(
    zfs: Zfs, say: Say, asked: Callable[[], list[str]]
) -> None:
    zfs.snapshot("t/g@a")
    zfs.rollback("t/g@a")
    zfs.destroy_snapshots("t/g", ["@a", "@b"])
    assert asked() == ["zfs snapshot -r t/g@a", "zfs rollback t/g@a", "zfs destroy -r t/g@a,b"]


def test_what_changes_between_two_answers_is_no_part_of_a_value(top: Path, zfs: Zfs) -> None:
    """Values are told apart by the datasets of an earlier answer."""
    program = top / "bin" / "zfs"
    for more in ("p/a/new\tx:z\t2", "p/a\tx:z\t2"):
        program.write_text(
            f"#!/bin/sh\ncase $* in *value*) printf 'p/a\\tx:y\\tone\\nand more\\n{more}\\n';; "
            f"*) printf 'p/a\\tx:y\\n';; esac\n"
        )
        with pytest.raises(ChyvesError, match=r"^zfs get: answered what was not asked for: "):
            zfs.local("p/a")
    program.write_text(program.read_text().replace(more, "the end\tof it"))
    assert zfs.local("p/a") == {"p/a": {"x:y": "one\nand more\nthe end\tof it"}}
