"""The state of the lab's zfs: whole when commands are killed, when many run at once, and after any sequence of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chyves.lab.zfs import commands, replay
from tests.lab.zfs_lab import Zfs, contents, disagreements, made, picture, poke

# What tells that files are about to change; a command is killed at each of these moments.
_EVENTS = {
    *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.truncate", "os.utime"),
    *("shutil.rmtree", "open"),
}


def child(work: Callable[[], int]) -> int:
    """Run something in a process of its own; its wait status."""
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    return os.waitpid(pid, 0)[1]


def killed(zfs: Zfs, moment: int, program: str, words: tuple[str, ...]) -> bool:
    """Run a command and kill it at a moment of its work; whether it was still at work then."""

    def run() -> int:
        left = moment

        def count(event: str, arguments: object) -> None:
            nonlocal left
            if event in _EVENTS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        do = replay.do

        def do_and_count(*arguments: object) -> None:
            do(*arguments)  # type: ignore[arg-type]
            count("os.rename", None)  # done, and not yet struck off

        setattr(replay, "do", do_and_count)  # noqa: B010 (a function of the module under test)
        sys.addaudithook(count)
        return zfs.run(program, *words).status

    status = child(run)
    assert status in (0, signal.SIGKILL), f"ended with {status} at {moment}"
    return status == signal.SIGKILL


def furnish(zfs: Zfs) -> None:
    """Datasets of each kind, with something in them."""
    zfs.ok("create", "-o", "x:y=1", "zroot/a")
    zfs.ok("create", "-o", "snapdir=visible", "zroot/a/b")
    zfs.ok("create", "-s", "-V", "128K", "zroot/a/v")
    poke(zfs.path("zroot/a") / "file", "old a")
    poke(zfs.path("zroot/a/b") / "file", "old b")
    poke(zfs.device("zroot/a/v"), "old v")
    zfs.ok("snapshot", "-r", "zroot/a@one")
    zfs.ok("clone", "zroot/a@one", "zroot/c")
    poke(zfs.path("zroot/a") / "file", "new a")
    poke(zfs.path("zroot/a/b") / "other", "new b")
    poke(zfs.device("zroot/a/v"), "new v")
    zfs.ok("snapshot", "zroot/a/v@two")
    (zfs.lab.root / "data").mkdir()
    poke(zfs.lab.root / "data/under", "hidden by a mount")


_INTERRUPTED = [
    ("zfs", "create", "-p", "-o", "mountpoint=/data", "zroot/x/y"),
    ("zfs", "create", "-V", "1M", "zroot/x"),
    ("zfs", "snapshot", "-r", "zroot/a@three"),
    ("zfs", "clone", "zroot/a/v@one", "zroot/w"),
    ("zfs", "clone", "zroot/a/b@one", "zroot/x"),
    ("zfs", "rename", "zroot/a", "zroot/renamed"),
    ("zfs", "rename", "-r", "zroot/a@one", "@renamed"),
    ("zfs", "promote", "zroot/c"),
    ("zfs", "rollback", "zroot/a/b@one"),
    ("zfs", "rollback", "-r", "zroot/a/v@one"),
    ("zfs", "destroy", "-R", "zroot/a"),
    ("zfs", "destroy", "zroot/a/b@one"),
    ("zfs", "set", "mountpoint=/data", "zroot/a"),
    ("zfs", "set", "mountpoint=none", "zroot/a"),
    ("zfs", "set", "volmode=none", "zroot/a"),
    ("zfs", "set", "volsize=1M", "x:y=2", "zroot/a/v"),
    ("zfs", "inherit", "-r", "snapdir", "zroot"),
    ("zfs", "unmount", "zroot/a"),
    ("zpool", "export", "zroot"),
    ("zpool", "destroy", "zroot"),
]


@pytest.mark.parametrize("line", _INTERRUPTED, ids=" ".join)
def test_a_killed_command_is_done_whole_or_not_at_all(tmp_path: Path, line: tuple[str, ...]) -> None:
    top, pristine = tmp_path / "lab", tmp_path / "pristine"
    zfs = made(top)
    furnish(zfs)
    assert disagreements(zfs) == []
    shutil.copytree(top, pristine, symlinks=True)
    before = picture(zfs)
    assert zfs.run(*line).status == 0
    after = picture(zfs)
    assert after != before
    moment, outcomes = 1, list[bool]()
    while True:
        shutil.rmtree(top)
        shutil.copytree(pristine, top, symlinks=True)
        if not killed(zfs, moment, line[0], line[1:]):
            break
        found = picture(zfs)
        assert found in (before, after), f"killed at {moment}"
        outcomes.append(found == after)
        zfs("inherit", "x:none", "zroot")  # any command that changes sweeps up what was being put together
        assert disagreements(zfs) == [], f"killed at {moment}"
        assert picture(zfs) == found
        assert outcomes == sorted(outcomes), "what was committed stays"
        moment += 1 if moment < 25 else 3  # the later steps are many of a kind
    assert moment > 1 and outcomes[0] is False
    assert picture(zfs) == after


def test_commands_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    zfs = made(tmp_path / "lab")

    def work(name: str) -> int:
        lines = [["create", f"zroot/{name}"]]
        for number in range(6):
            lines += [["create", "-V", "64K", f"zroot/{name}/v{number}"], ["set", f"x:{name}={number}", "zroot"]]
            lines += [["snapshot", "-r", f"zroot/{name}@s{number}"], ["list", "-H", "-t", "all"]]
            lines += [["rename", f"zroot/{name}/v{number}", f"zroot/{name}/w{number}"]]
        return sum(zfs(*line).status for line in lines)

    workers = []
    for name in "abcd":
        pid = os.fork()
        if pid == 0:
            os._exit(work(name))
        workers.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in workers] == [0] * 4
    assert len(zfs.names("-t", "volume", "-r", "zroot")) == 24
    assert len(zfs.names("-t", "snapshot", "-r", "zroot")) == 4 * (6 + 21)
    assert [zfs.value(f"x:{name}", "zroot") for name in "abcd"] == ["5"] * 4
    assert disagreements(zfs) == []


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    zfs = made(tmp_path / "lab")
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(zfs.lab.top)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin and writer.stdout
        assert writer.stdout.readline() == "changing\n"
        assert zfs.names() == ["zroot"]
        assert zfs.value("atime", "zroot") == "on"
        writer.communicate("\n")
    assert zfs.names() == ["zroot", "zroot/late"]


_WRITER = """
import sys
from pathlib import Path
from chyves.lab.place import Lab
from chyves.lab.zfs import datasets
from chyves.lab.zfs.state import State
state = State(Lab.open(Path(sys.argv[1])))
with state.changing():
    made = datasets.add(state, "zroot/late", "filesystem", "filesystem")
    state.then("directory", state.stored(made.id))
    print("changing", flush=True)
    sys.stdin.readline()
state.close()
"""


def test_what_users_make_in_the_place_of_a_killed_commands_work_stays(tmp_path: Path) -> None:
    zfs = made(tmp_path / "lab")
    zfs.ok("create", "zroot/a")
    place = zfs.path("zroot/a")
    poke(place / "file", "x")
    moment = 1
    while killed(zfs, moment, "zfs", ("destroy", "zroot/a")) and place.exists():
        zfs("list")
        if not place.exists():
            break
        moment += 1
    place.mkdir(exist_ok=True)
    poke(place / "mine", "y")
    zfs.ok("set", "x:y=z", "zroot")
    assert (place / "mine").read_text() == "y"


def test_a_mounted_directory_that_somebody_removed(tmp_path: Path) -> None:
    zfs = made(tmp_path / "lab")
    zfs.ok("create", "zroot/a")
    shutil.rmtree(zfs.path("zroot/a"))
    zfs.ok("unmount", "zroot/a")
    zfs.ok("mount", "zroot/a")
    assert zfs.path("zroot/a").is_dir() and contents(zfs, "zroot/a") == {}
    shutil.rmtree(zfs.path("zroot/a"))
    zfs.ok("destroy", "zroot/a")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_an_ordinary_user_is_root_of_a_lab() -> None:
    top = Path(tempfile.mkdtemp(prefix="lab"))
    try:
        zfs = made(top)
        furnish(zfs)
        for path in [top, *top.rglob("*")]:
            os.lchown(path, 65534, 65534)

        def work() -> int:
            os.setuid(65534)
            zfs.ok("create", "zroot/d")
            zfs.ok("snapshot", "-r", "zroot@user")
            zfs.ok("rollback", "zroot/a@user")
            zfs.ok("destroy", "-R", "zroot/a")
            return 0 if zfs.names() == ["zroot", "zroot/d"] else 1

        assert child(work) == 0
    finally:
        shutil.rmtree(top)


_NAMES = st.sampled_from(["zroot/a", "zroot/b", "zroot/a/c", "zroot/b/d", "zroot/a/c/e"])
_TAGS = st.sampled_from(["one", "two", "three"])
_SNAPSHOTS = st.builds("{}@{}".format, _NAMES, _TAGS)
_SETTINGS = st.sampled_from(
    [
        *("mountpoint=/data", "mountpoint=/data/deep", "mountpoint=none", "mountpoint=legacy", "canmount=off"),
        *("canmount=on", "snapdir=visible", "snapdev=visible", "volmode=none", "volmode=dev", "volsize=256K", "x:y=z"),
        *("refreservation=auto", "quota=1G"),
    ]
)
_COMMANDS = st.one_of(
    st.tuples(st.just("create"), _NAMES),
    st.tuples(st.just("create"), st.just("-p"), _NAMES),
    st.tuples(st.just("create"), st.just("-V"), st.just("128K"), _NAMES),
    st.tuples(st.just("snapshot"), st.sampled_from(["-r", "--"]), _SNAPSHOTS),
    st.tuples(st.just("clone"), _SNAPSHOTS, _NAMES),
    st.tuples(st.just("promote"), _NAMES),
    st.tuples(st.just("rename"), st.sampled_from(["-u", "-p", "--"]), _NAMES, _NAMES),
    st.tuples(st.just("rename"), _SNAPSHOTS, _SNAPSHOTS),
    st.tuples(st.just("rollback"), st.sampled_from(["-r", "-R", "--"]), _SNAPSHOTS),
    st.tuples(st.just("destroy"), st.sampled_from(["-r", "-R", "--"]), st.one_of(_NAMES, _SNAPSHOTS)),
    st.tuples(st.just("destroy"), st.just("-d"), _SNAPSHOTS),
    st.tuples(st.just("hold"), st.just("keep"), _SNAPSHOTS),
    st.tuples(st.just("release"), st.just("keep"), _SNAPSHOTS),
    st.tuples(st.just("set"), _SETTINGS, _NAMES),
    st.tuples(st.just("inherit"), st.sampled_from(["mountpoint", "snapdir", "volmode", "x:y"]), _NAMES),
    st.tuples(st.just("unmount"), _NAMES),
    st.tuples(st.just("mount"), st.just("-a")),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_COMMANDS, min_size=4, max_size=25))
def test_state_and_files_agree_after_any_commands(lines: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        zfs = made(Path(directory) / "lab")
        for number, line in enumerate(lines):
            before = picture(zfs)
            said = zfs(*line)
            assert said.status in (0, 1, 2) and "internal error" not in said.err
            assert disagreements(zfs) == [], line
            if said.status and "successfully created" not in said.err:
                assert picture(zfs) == before, (line, said)
            for name in zfs.names("-t", "filesystem"):
                place = zfs.value("mountpoint", name)
                if zfs.value("mounted", name) == "yes" and Path(place).is_dir():
                    poke(Path(place) / "file", f"{name} {number}")


def test_the_launchers_way(tmp_path: Path) -> None:
    zfs = made(tmp_path / "lab")
    assert commands.run(zfs.lab, "zfs", ["list", "-H", "-o", "name"]) == 0
    program = "import sys; from chyves.lab.programs import run; sys.exit(run(sys.argv[1], sys.argv[2:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(zfs.lab.bin / "zfs"), "list", "zroot/none"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "cannot open 'zroot/none': dataset does not exist\n")
