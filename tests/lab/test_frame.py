"""Making, looking at and removing a lab."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.cli.tables import plain
from chyves.errors import ChyvesError
from chyves.lab import create, destroy, launchers, status
from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab


@pytest.fixture
def place() -> Iterator[Path]:
    """A short directory name below the temporary directory."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    yield top
    for lab in (top, *top.iterdir()) if top.exists() else ():
        if (lab / "lab.json").exists():
            destroy.destroy(str(lab), yes=True)
    shutil.rmtree(top, ignore_errors=True)


REPOSITORY = Path(__file__).parents[2]
DESTROY = "import sys; from chyves.lab.destroy import destroy; destroy(sys.argv[1], yes=True)"


def everything_below(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*")}


def test_a_lab_is_a_host_in_a_directory(lab: Lab) -> None:
    assert {path.name for path in lab.top.iterdir()} == {"lab.json", "bin", "root", "state"}
    assert sorted(path.name for path in lab.bin.iterdir()) == launchers.names(lab)
    for name in (
        "boot/kernel/vmm.ko",
        "boot/loader.conf",
        "etc/rc.conf",
        "etc/rc.subr",
        "var/run/dmesg.boot",
        "dev/zvol",
    ):
        assert (lab.root / name).exists(), name
    assert "VMX" in (lab.root / "var/run/dmesg.boot").read_text()


def test_a_lab_has_a_pool_below_its_tree(lab: Lab, program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    answer = program("zpool", "list", "-H", "-o", "name,altroot")
    assert answer.stdout == f"zroot\t{lab.root}\n"
    assert (lab.root / "zroot").is_dir()


@pytest.mark.skipif(not Path("/usr/share/OVMF/OVMF_VARS_4M.fd").exists(), reason="this machine has no OVMF")
def test_firmware_of_the_machine_stands_where_the_port_puts_it(lab: Lab) -> None:
    for name in ("BHYVE_UEFI.fd", "BHYVE_UEFI_CODE.fd", "BHYVE_UEFI_VARS.fd"):
        assert (lab.root / "usr/local/share/uefi-firmware" / name).stat().st_size > 100_000, name


def test_create_tells_how_to_use_it(place: Path) -> None:
    told = create.create(str(place / "x"))
    assert f"export CHYVES_LAB={place}/x\n" in told
    assert "chyves lab shell" in told


def test_the_default_place_is_the_one_in_the_environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHYVES_LAB", str(place / "mine"))
    create.create(None)
    assert f"directory:        {place}/mine\n" in plain(status.status())
    assert destroy.destroy(None, yes=True) == f"{place}/mine is removed\n"
    assert not (place / "mine").exists()


def test_without_environment_the_default_place_is_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHYVES_LAB", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert create.default_place() == Path("/home/someone/.chyves-lab")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a,b", "has ',' in its path"),
        ("a b", "has ' ' in its path"),
        ("a%b", "has '%' in its path"),
        ("a'b", 'has "\'" in its path'),
        ("a\nb", "in its path"),
        ("x" * 60, "is longer than 60 bytes"),
        ("full", "is not empty"),
        ("file", "is not a directory"),
        ("file/below", "no lab can be made here: Not a directory"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_and_left_alone(place: Path, name: str, reason: str) -> None:
    (place / "full").mkdir()
    (place / "full" / "letter").write_text("mine")
    (place / "file").write_text("mine")
    before = everything_below(place)
    with pytest.raises(ChyvesError) as refusal:
        create.create(str(place / name))
    assert reason in str(refusal.value)
    assert everything_below(place) == before
    assert (place / "file").read_text() == "mine"


def test_a_lab_is_not_made_twice(lab: Lab) -> None:
    with pytest.raises(ChyvesError, match="is a lab already"):
        create.create(str(lab.top))
    assert Lab.open(lab.top) == lab


def test_an_unknown_release_is_refused(place: Path) -> None:
    with pytest.raises(
        ChyvesError, match=r"^14\.9: is no release that a lab plays; take one of 11\.0, 13\.2, 14\.3, 15\.0, 15\.1$"
    ):
        create.create(str(place / "x"), "14.9")
    assert not (place / "x").exists()


@pytest.mark.parametrize("largest_file", [0, 1000, 20_000, 300_000])
@pytest.mark.parametrize("empty_directory_is_there", [False, True])
def test_a_lab_that_cannot_be_made_whole_leaves_nothing(
    place: Path, largest_file: int, empty_directory_is_there: bool
) -> None:
    """The machine's own limit on the size of files stops it in the middle: in the tree, the firmware, the pool."""
    if empty_directory_is_there:
        (place / "x").mkdir()
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file}, {largest_file}));"
        f"from chyves.lab.create import create; create({str(place / 'x')!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ChyvesError" in done.stderr
    assert everything_below(place) == ({"x"} if empty_directory_is_there else set())


def test_destroy_takes_only_labs(place: Path) -> None:
    (place / "letter").write_text("mine")
    with pytest.raises(ChyvesError, match="is not a lab"):
        destroy.destroy(str(place), yes=True)
    (place / "lab.json").write_text('{"release": "14.3", "pool": "zroot"}')
    with pytest.raises(ChyvesError, match="but is no lab; look at it and remove it by hand"):
        destroy.destroy(str(place), yes=True)
    assert (place / "letter").read_text() == "mine"
    (place / "lab.json").write_text("rubbish")
    with pytest.raises(ChyvesError, match=r"lab\.json: is damaged"):
        destroy.destroy(str(place), yes=True)
    (place / "lab.json").unlink()


def test_a_lab_that_was_removed_only_half_is_removed_whole_by_the_next_try(lab: Lab) -> None:
    shutil.rmtree(lab.root / "boot")
    shutil.rmtree(lab.bin)
    (lab.top / "own.iso").touch()
    destroy.destroy(str(lab.top), yes=True)
    assert not lab.top.exists()


def test_destroy_does_not_follow_mounts(place: Path, lab: Lab) -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("mounting needs root, and a machine that allows mount namespaces")
    (place / "letter").write_text("mine")
    (lab.root / "mnt").mkdir()
    script = f"mount --bind {place} {lab.root}/mnt && exec {sys.executable} -c '{DESTROY}' {lab.top}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, cwd=REPOSITORY)
    assert f"something is mounted on {lab.root}/mnt; unmount it first" in done.stderr
    assert (place / "letter").read_text() == "mine"
    assert (lab.top / "lab.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_in_the_middle_takes_all_back(place: Path, number: int) -> None:
    """The signal comes as soon as the first part is there, before the tree, the launchers and the pool."""
    script = f"from chyves.lab.create import create; create({str(place / 'deep' / 'x')!r})"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    while not (place / "deep/x/state").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(number)
    process.wait(60)
    if process.returncode == 0:
        pytest.skip("it was done before the signal came")
    assert everything_below(place) == set()


def test_two_that_make_one_lab_at_once_do_not_remove_each_other_s(place: Path) -> None:
    script = f"from chyves.lab.create import create; create({str(place / 'x')!r})"
    started = [
        subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stderr=subprocess.PIPE) for _ in range(4)
    ]
    said = [process.communicate()[1].decode() for process in started]
    assert sorted(process.returncode for process in started) == [0, 1, 1, 1]
    assert all("is not empty" in words or "is a lab already" in words for words in said if words)
    assert Lab.open(place / "x").pool == "zroot"
    assert (place / "x/bin/zfs").exists()


def test_a_lab_goes_by_its_real_path(place: Path) -> None:
    (place / "link").symlink_to(place)
    assert f"CHYVES_LAB={place}/x\n" in create.create(str(place / "link" / "x"))


def test_a_lab_of_somebody_else_is_told_of_in_a_sentence(lab: Lab) -> None:
    (lab.state / "kernel.db").unlink()
    (lab.state / "kernel.db").mkdir()
    done = subprocess.run([lab.bin / "kldstat"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"kldstat: {lab.top}: the lab's kernel cannot be reached: ")
    (lab.state / "kernel.db").rmdir()


def test_destroy_asks_first(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(ChyvesError, match="say --yes"):
            destroy.destroy(str(lab.top))
    assert lab.bin.is_dir()


def test_destroy_leaves_what_links_lead_to(place: Path, lab: Lab) -> None:
    (place / "letter").write_text("mine")
    (lab.root / "tmp" / "out").symlink_to(place)
    destroy.destroy(str(lab.top), yes=True)
    assert not lab.top.exists()
    assert (place / "letter").read_text() == "mine"


def test_destroy_ends_guests_first_and_says_so(lab: Lab) -> None:
    environment = {**os.environ, "CHYVES_LAB_GUEST": "hollow"}
    rom = lab.root / "usr/local/share/uefi-firmware/BHYVE_UEFI.fd"
    rom.write_bytes(bytes(1 << 20))
    words = ["-m", "16M", "-s", "0,hostbridge", "-s", "31,lpc", "-l", f"bootrom,{rom}", "web1"]
    guest = subprocess.Popen([lab.bin / "bhyve", *words], env=environment, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not (lab.root / "dev/vmm/web1").exists() and time.monotonic() < until:
            assert guest.poll() is None
            time.sleep(0.05)
        assert destroy.destroy(str(lab.top), yes=True) == f"{lab.top} is removed; its guests were ended first: web1\n"
        assert guest.wait(60) != 0
    finally:
        guest.kill()
        guest.wait()
    assert not lab.top.exists()


def test_status_shows_what_is_going_on(
    lab: Lab, program: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHYVES_LAB", str(lab.top))
    program("kldload", "vmm")
    program("ifconfig", "tap7", "create")
    told = dict(line.split(":", 1) for line in plain(status.status()).splitlines())
    assert told["release"].strip() == "14.3-RELEASE-p2"
    assert "vmm" in told["modules"].split()
    assert "tap7" in told["interfaces"].split()


def test_status_without_a_lab_says_how_to_make_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHYVES_LAB", str(place / "none"))
    with pytest.raises(ChyvesError, match=f"make one with: chyves lab create {place}/none$"):
        status.status()


def test_the_host_forgets_modules_and_taps_when_the_machine_starts_anew(
    lab: Lab, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    program("kldload", "nmdm")
    program("ifconfig", "tap7", "create")
    program("sysctl", "net.link.tap.up_on_open=1")
    for name in ("dev/vmm/web1", "dev/nmdm7A", "var/run/web1.pid", "var/run/chyves/lock", "var/spool/lock/LCK..nmdm7B"):
        (lab.root / name).parent.mkdir(exist_ok=True)
        (lab.root / name).touch()
    with sqlite3.connect(lab.state / "kernel.db") as database:
        database.execute("update boot set id = 'the start before'")
    database.close()
    with Kernel(lab) as kernel:
        assert not kernel.loaded("nmdm")
        assert kernel.loaded("zfs")
        assert kernel.sysctl("net.link.tap.up_on_open") == "0"
    assert program("ifconfig", "-l").stdout == "em0 em1 lo0\n"
    assert [path.name for path in (lab.root / "var/run").iterdir()] == ["dmesg.boot"]
    assert list((lab.root / "var/spool/lock").iterdir()) == []
    assert [path.name for path in (lab.root / "dev").iterdir() if path.name.startswith(("vmm", "nmdm"))] == []
    assert program("ifconfig", "tap7", "create").returncode == 0


def test_host_paths_and_paths_below_the_lab_mean_the_same(lab: Lab) -> None:
    assert lab.inside("/dev/zvol/zroot/x") == lab.root / "dev/zvol/zroot/x"
    assert lab.inside(f"{lab.root}/dev/zvol/zroot/x") == lab.root / "dev/zvol/zroot/x"
    assert lab.inside("/boot/loader.conf") == lab.root / "boot/loader.conf"
    assert lab.inside("/etc/passwd") == Path("/etc/passwd")
    assert lab.inside("/dev/null") == Path("/dev/null")
    assert lab.inside("relative") == Path("relative")
