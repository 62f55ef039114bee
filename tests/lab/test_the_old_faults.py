"""The faults of chyves 0.2.0 that no other file of tests is about, each by its number; others stand where they belong.

The guests are hollow. test_each_fault_has_a_test looks at all the files.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from chyves.section import read_text
from tests.host_commands import break_lab, chyves, done, environment, mend, refused, sentence, steps_of, zfs
from tests.torture.forks import Forks

TESTS = Path(__file__).parents[1]


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab with a pool that has the datasets of chyves, and the guest web1."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web1", "create", "64M")
    yield lab
    chyves(lab, "all", "stop", "force")


def directory(lab: Lab, guest: str = "web1") -> Path:
    return lab.root / "chyves" / lab.pool / "guests" / guest


def properties(lab: Lab, guest: str = "web1") -> dict[str, str]:
    return read_text((directory(lab, guest) / ".config/.cfg").read_text(), guest)


def bhyve_line(lab: Lab, guest: str = "web1") -> list[str]:
    """The words of bhyve that a start would run."""
    lines = [shlex.split(line) for line in done(lab, guest, "start", "--dry-run").splitlines()]
    return next(words for words in lines if words and words[0] == "bhyve")


@pytest.mark.parametrize("number", range(1, 16))
def test_each_fault_has_a_test(number: int) -> None:
    named = re.compile(rf"def test_fault_{number}_|[Ff]ault {number} of 0\.2\.0")
    assert [path for path in TESTS.rglob("*.py") if named.search(path.read_text())]


def test_fault_1_a_killed_set_keeps_the_file_whole(house: Lab) -> None:
    """0.2.0 wrote a property in two steps: a crash between them lost the value, or the file."""
    before = properties(house)
    after = {**before, "cpu": "2"}
    mend(house)
    with contextlib.closing(Forks()) as forks:
        assert forks.chyves(house, "web1", "set", "notes=tried", faults=True).returncode == 0
        before["notes"] = after["notes"] = "tried"
        count = len(steps_of(house))
        for number in range(1, count + 1):
            for moment in ("before", "after"):
                break_lab(house, number, moment)
                assert forks.chyves(house, "web1", "set", "cpu=2", faults=True).returncode == -9
                mend(house)
                assert properties(house) in (before, after)
                done(house, "web1", "set", "cpu=1")
    assert count


def test_fault_1_two_writers_lose_nothing(house: Lab) -> None:
    """0.2.0 had no lock: of two values written at once one was lost."""
    wanted = {"cpu": "2", "ram": "512M", "notes": "some", "description": "mail", "rcboot": "7", "stop_timeout": "9"}
    several = [
        subprocess.Popen(
            [sys.executable, "-m", "chyves", "web1", "set", f"{name}={value}"],
            env=environment(house),
            stderr=subprocess.DEVNULL,
        )
        for name, value in wanted.items()
    ]
    ends = [process.wait(timeout=120) for process in several]
    assert set(ends) <= {0, 75} and 0 in ends
    told = {name: value for (name, value), end in zip(wanted.items(), ends, strict=True) if end == 0}
    assert told.items() <= properties(house).items()


@pytest.mark.parametrize(
    "assignment",
    ["cpu=0", "cpu=many", "os=beos", "uuid=1", "pcidev_1=ahci,/tmp/a b", "pcidev_1=$(id)", "revert_to_snapshot=clean"],
)
def test_fault_4_what_cannot_be_is_refused(house: Lab, assignment: str) -> None:
    """0.2.0 took any value of os, and had checks that could never fail."""
    name, _, value = assignment.partition("=")
    told = sentence(house, "web1", "set", assignment).replace("'", "")
    assert told.startswith(f"web1: {name}: {value} is not possible") or told.startswith(
        f"web1: {name}: {value} is less"
    )


def test_fault_4_no_number_is_adjusted(house: Lab) -> None:
    """0.2.0 made cpu=16 of cpu=99 in silence."""
    done(house, "web1", "set", "cpu=99")
    assert properties(house)["cpu"] == "99"
    assert re.fullmatch(
        r"web1: cpu: 99 is more than this host has \(\d+\); use at most \d+", refused(house, "web1", "start")
    )


def test_fault_5_vnc_is_for_this_host_alone(house: Lab, tmp_path: Path) -> None:
    """0.2.0 let VNC listen at every address, with no password."""
    firmware = tmp_path / "BHYVE_UEFI.fd"
    firmware.write_bytes(b"\0" * 4096)
    done(house, "firmware", "import", str(firmware))
    done(house, "web1", "set", "loader=uefi", "uefi_firmware=BHYVE_UEFI.fd", "uefi_console_output=vnc")
    (screen,) = [word for word in bhyve_line(house) if "fbuf" in word]
    assert "tcp=127.0.0.1:5900," in screen


def test_fault_7_a_path_is_one_word_or_is_refused(house: Lab, tmp_path: Path) -> None:
    """0.2.0 put media and raw images into bhyve's line as they were, where commas and blanks end them."""
    image = tmp_path / "a disc.iso"
    image.write_bytes(b"\0" * 4096)
    assert "a disc.iso" in refused(house, "iso", "import", str(image), status=1)
    raw = directory(house) / "img" / "data.raw"
    raw.write_bytes(b"\0" * (1 << 20))
    assert any(word.endswith(f",{raw}") for word in bhyve_line(house))
    for name in ("two words.raw", "one,two.raw"):
        raw = raw.rename(raw.with_name(name))
        assert name in sentence(house, "web1", "start")


@pytest.mark.parametrize("cpu", ["amd", "intel"])
def test_fault_9_the_kernel_is_asked_what_it_can(
    new_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, cpu: str
) -> None:
    """0.2.0 read dmesg, and refused passthrough on AMD, because it knew only Intel's table of the IOMMU."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    lab = new_lab(cpu=cpu)
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web1", "create", "64M")
    done(lab, "web1", "set", "pcidev_1=passthru,2/0/0")
    assert any(word.endswith(",passthru,2/0/0") for word in bhyve_line(lab))


def test_fault_11_volumes_have_blocks_of_a_sane_size(house: Lab) -> None:
    """0.2.0 made volumes of 512-byte blocks, and set volmode=geom where it only meant to look."""
    volume = f"{house.pool}/chyves/guests/web1/disk0"
    assert zfs(house, "get", "-Hp", "-o", "value", "volblocksize,volmode", volume).split() == ["16384", "dev"]
    done(house, "defaults", "set", "disk_volmode=geom")
    done(house, "web2", "create", "64M")
    assert zfs(house, "get", "-H", "-o", "value", "volmode", volume.replace("web1", "web2")) == "geom\n"
    assert zfs(house, "get", "-H", "-o", "value", "volmode", volume) == "dev\n"


def test_fault_14_a_list_costs_as_few_processes_for_many_guests(house: Lab, tmp_path: Path) -> None:
    """0.2.0 ran 290 programs to list no guest, and 129 more for each."""
    called = tmp_path / "called"
    for program in house.bin.iterdir():
        head, rest = program.read_text().split("\n", 1)
        program.write_text(f"{head}\nopen({str(called)!r}, 'a').write({program.name + chr(10)!r})\n{rest}")

    def cost() -> list[str]:
        called.write_text("")
        assert len(json.loads(done(house, "list", "--json"))["guests"]) == count
        return called.read_text().split()

    count = 1
    one = cost()
    done(house, "a,b,c,d", "create", "64M")
    count = 5
    assert cost() == one == ["zfs", "zfs"]
