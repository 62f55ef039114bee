"""`chyves lab shell`: a lab entered, as root, as an ordinary user, and where the machine allows nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.lab import shell
from chyves.lab.network import namespace
from chyves.lab.place import Lab

Answer = subprocess.CompletedProcess[str]
Shell = Callable[..., Answer]
REPOSITORY = Path(__file__).parents[2]
WAYS = {
    "as it is": [],
    "as an ordinary user": ["unshare", "--user", "--map-user=1000", "--map-group=1000"],
}
NOTHING_ALLOWED = ["unshare", "--user", "--map-root-user", "sh", "-c"]
NO_NAMESPACES = 'echo 0 >/proc/sys/user/max_mnt_namespaces; exec "$@"'


def works(way: list[str]) -> bool:
    return subprocess.run([*way, "unshare", "--mount", "--map-root-user", "true"], capture_output=True).returncode == 0


def enter(lab: Lab, before: list[str], words: tuple[str, ...], where: Path) -> Answer:
    script = "import sys; from chyves.lab.shell import shell; sys.exit(shell(sys.argv[1:]))"
    environment = {**os.environ, "CHYVES_LAB": str(lab.top), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [*before, sys.executable, "-c", script, *words],
        env=environment, cwd=where, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


@pytest.fixture(params=WAYS)
def inside(lab: Lab, request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Runs a command line of sh in the lab."""
    way = WAYS[request.param]
    if not works(way):
        pytest.skip("this machine allows no mount namespaces")
    if way:
        # A lab that an ordinary user made has no network of its own.
        namespace.remove(lab)
        namespace.place(lab).unlink(missing_ok=True)
    return lambda line: enter(lab, way, ("sh", "-c", line), tmp_path)


def test_programs_of_the_lab_come_first(inside: Shell, lab: Lab) -> None:
    answer = inside("command -v zfs; uname -s; id -u; sysctl -n kern.osreldate")
    assert (answer.stdout, answer.stderr) == (f"{lab.bin}/zfs\nFreeBSD\n0\n1403000\n", "")


def test_the_lab_is_not_named_in_the_environment(inside: Shell) -> None:
    assert inside('echo "${CHYVES_LAB-unset}"').stdout == "unset\n"


def test_programs_are_found_by_their_absolute_paths(inside: Shell) -> None:
    answer = inside("/sbin/ifconfig -l && /usr/sbin/sysrc -n zfs_enable && /sbin/zfs list -H -o name")
    assert (answer.stdout, answer.stderr) == ("em0 em1 lo0\nYES\nzroot\n", "")


def test_files_are_at_their_freebsd_paths_and_live(inside: Shell, lab: Lab) -> None:
    (lab.root / "usr/local/share/uefi-firmware/MARK").touch()
    line = (
        "cat /boot/loader.conf /etc/rc.conf >/dev/null && test -e /usr/local/share/uefi-firmware/MARK"
        " && ifconfig tap7 create && test -e /dev/tap7 && touch /dev/nmdm-web1.1A"
        " && echo x >/var/run/mark && echo x >/var/log/mark && echo x >>/etc/rc.conf && mkdir /usr/local/etc/mine"
    )
    answer = inside(line)
    assert (answer.returncode, answer.stderr) == (0, "")
    for name in ("dev/tap7", "dev/nmdm-web1.1A", "var/run/mark", "var/log/mark", "usr/local/etc/mine"):
        assert (lab.root / name).exists(), name
    assert (lab.root / "etc/rc.conf").read_text().endswith("x\n")


def test_mountpoints_of_pools_are_there_as_soon_as_they_are_made(inside: Shell, lab: Lab) -> None:
    answer = inside(
        "test -d /zroot && zfs create -o mountpoint=/chyves zroot/chyves && touch /chyves/mark"
        " && zfs create -V 1M zroot/disk && test -e /dev/zvol/zroot/disk && zfs get -H -o value mountpoint zroot/chyves"
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert (lab.root / "chyves/mark").exists()


def test_the_machine_is_still_there(inside: Shell, lab: Lab, tmp_path: Path) -> None:
    answer = inside(
        "echo gone >/dev/null && head -c 3 /dev/zero | wc -c && test -c /dev/tty && test -s /etc/passwd && pwd"
        " && touch left && python3 -c 'import json; print(1)' && test -d /proc/self && test -d /var/lib"
    )
    assert answer.stderr == ""
    assert answer.stdout == f"3\n{tmp_path}\n1\n"
    assert (tmp_path / "left").exists()
    assert (lab.root / "dev/null").stat().st_size == 0


def test_terminals_and_null_modems_work(inside: Shell) -> None:
    answer = inside(
        "python3 -c 'import os; print(os.path.exists(os.ttyname(os.openpty()[1])))'"
        " && kldload nmdm && mkfifo keys && { cu -l /dev/nmdm7B <keys >/dev/null & exec 9>keys; }"
        " && until ls /dev/nmdm7A 2>/dev/null; do sleep 0.1; done; exec 9>&-; wait"
    )
    assert (answer.stdout, answer.stderr) == ("True\n/dev/nmdm7A\n", "")


def test_nothing_of_it_is_seen_outside(inside: Shell, lab: Lab) -> None:
    before = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(lab.top) in line]
    inside("true")
    assert [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(lab.top) in line] == before
    assert not Path("/boot/loader.conf").exists() or "zfs_load" not in Path("/boot/loader.conf").read_text()


@pytest.mark.parametrize(
    ("line", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_the_status_is_the_command_s(inside: Shell, line: str, status: int) -> None:
    assert inside(line).returncode == status


def test_a_shell_in_the_shell(inside: Shell) -> None:
    assert inside("unshare --mount true && echo in").stdout == "in\n"


def test_a_program_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    answer = enter(lab, [], ("nonesuch-program",), tmp_path)
    # Where the machine allows no private file tree, that is told first.
    assert (answer.returncode, answer.stderr.splitlines()[-1]) == (127, "nonesuch-program: No such file or directory")


def test_where_nothing_is_allowed_it_says_so_and_goes_on(lab: Lab, tmp_path: Path) -> None:
    if not works([]):
        pytest.skip("this machine allows no user namespaces, in which to forbid the others")
    before = [*NOTHING_ALLOWED, NO_NAMESPACES, "sh"]
    answer = enter(lab, before, ("sh", "-c", 'echo "$CHYVES_LAB"; command -v zfs; exit 3'), tmp_path)
    assert (answer.returncode, answer.stdout) == (3, f"{lab.top}\n{lab.bin}/zfs\n")
    assert answer.stderr.startswith(f"lab shell: FreeBSD's paths are only below {lab.root}: ")
    assert answer.stderr.count("\n") == 1


def test_without_a_lab_it_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHYVES_LAB", str(tmp_path))
    with pytest.raises(ChyvesError, match="make one with: chyves lab create"):
        shell.shell(["true"])


def test_what_was_started_inside_lives_on(lab: Lab, tmp_path: Path) -> None:
    line = f"setsid sleep 300 >/dev/null 2>&1 & echo $! >{tmp_path}/pid"
    enter(lab, [], ("sh", "-c", line), tmp_path)
    pid = int((tmp_path / "pid").read_text())
    # Raises ProcessLookupError when it has ended.
    os.kill(pid, signal.SIGKILL)


def test_a_removed_program_comes_back_with_the_shell(lab: Lab, tmp_path: Path) -> None:
    """A lab that an older chyves made gets the programs that this one has."""
    shutil.rmtree(lab.bin)
    assert enter(lab, [], ("uname",), tmp_path).stdout == "FreeBSD\n"


def test_an_interrupt_at_the_terminal_is_for_the_command(lab: Lab, tmp_path: Path) -> None:
    script = "import sys; from chyves.lab.shell import shell; sys.exit(shell(sys.argv[1:]))"
    environment = {**os.environ, "CHYVES_LAB": str(lab.top), "PYTHONPATH": str(REPOSITORY)}
    words = ["sh", "-c", f"trap 'exit 5' INT; touch {tmp_path}/ready; while :; do sleep 0.1; done"]
    process = subprocess.Popen([sys.executable, "-c", script, *words], env=environment, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "ready").exists() and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 5
    finally:
        process.kill()
        process.wait()
