"""A line of bhyve as a file of bhyve_config(5): golden files, the lab's bhyve reads both alike (complaint 27)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chyves.bhyve.config import text, variables
from chyves.errors import ChyvesError
from chyves.lab.bhyve import command_line
from chyves.lab.place import Lab
from chyves.lab.releases import RELEASES
from tests.unit.test_launch import FILES as LAUNCHES
from tests.unit.test_launch import _case as case_of

GOLDEN = Path(__file__).resolve().parent.parent / "golden_config"
FILES = sorted(GOLDEN.glob("*.txt"))
"""A title, the line with an option and its value on each, an empty line, and the file that it becomes."""


def _line(path: Path) -> list[str]:
    given = path.read_text().split("\n\n")[1]
    return [word for line in given.splitlines() for word in line.strip().split(" ", 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    title, given = path.read_text().split("\n\n")[:2]
    release = 1600001 if path.stem.endswith("16") else 1500068 if path.stem.endswith("15") else 1403000
    made = f"{title}\n\n{given.rstrip()}\n\n{text(variables(_line(path), {}, release))}"
    if request.config.getoption("--rewrite-golden", default=False):
        path.write_text(made)
    assert made == path.read_text()


def _tree(lab: Lab, argv: list[str]) -> list[str]:
    return sorted(command_line.read(lab, argv).dump())


@pytest.mark.parametrize("path", [path for path in FILES if not path.stem.endswith("16")], ids=lambda path: path.stem)
def test_the_lab_reads_the_same_out_of_line_and_file(path: Path, tmp_path: Path) -> None:
    name = "15.0" if path.stem.endswith("15") else "14.3"
    _same(tmp_path, name, _line(path), {})


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_lab_reads_the_same_for_every_start(path: Path, tmp_path: Path) -> None:
    """complaint 27: whatever a start gives to bhyve is in the file too, or is refused by its option."""
    case = case_of(path)
    try:
        made = case.launch()
    except ChyvesError:
        return
    release = case.facts.host.release
    name = next(name for name in reversed(RELEASES) if RELEASES[name].osreldate <= release)
    _same(tmp_path, name, list(made.bhyve), dict(made.files), case.facts.host.machine)


def _same(place: Path, name: str, argv: list[str], files: dict[str, str], machine: str = "amd64") -> None:
    if name == "11.0":
        return  # it has no -k
    (place / "root").mkdir()
    lab = Lab(place, name, "zroot", machine=machine)
    for path, content in files.items():
        (lab.root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path.lstrip("/")).write_text(content)
    release = RELEASES[name].osreldate
    fixed = [option for option in ("-f", "-r") if option in argv]
    if fixed:
        with pytest.raises(ChyvesError, match=f"^{fixed[0]} .*no variable"):
            variables(argv, files, release)
        return
    (place / "guest.conf").write_text(text(variables(argv, files, release)))
    assert _tree(lab, ["-k", str(place / "guest.conf")]) == _tree(lab, argv[1:])


REFUSED = (
    ("-f opt/some,string=thing", "-f opt/some,string=thing: bhyve has no variable for it, only the option"),
    ("-r /state", "-r /state: bhyve has no variable for it, only the option"),
    ("-k /own.conf", "-k /own.conf: is a file of its own, whose lines are to be put in by hand"),
    ("-p 0-3:4-7", "-p 0-3:4-7: is not known as variables; give one processor at a time, such as -p 0:4"),
    ("-n size=1G", "-n size=1G: has no id; give it one, such as id=0"),
    ("-c chips=2", "-c chips=2: bhyve knows no chips=; use cpus, sockets, cores and threads"),
    ("-l floppy,/dev/fd0", "-l floppy,/dev/fd0: is not known as variables; set them with -o instead"),
    ("-s x,lpc", "-s x,lpc: begins with no place on the PCI bus; give one, such as 4:0"),
    ("-s 1:2:3:4,lpc", "-s 1:2:3:4,lpc: begins with no place on the PCI bus; give one, such as 4:0"),
    ("-s 4,ahci,/disk", "-s ...,ahci,/disk: begins with neither hd: nor cd:; say which it is"),
    ("-s 4,virtio-console,port", "-s ...,virtio-console,port: port port has no path; write port=/path"),
    ("-s 4,virtio-9p,ro", "-s ...,virtio-9p,ro: shares one directory; write name=/path once"),
    ("-s 4,passthru,em0", "-s ...,passthru,em0: em0 is no device of the host; write bus/slot/function, such as 2/0/0"),
    ("-s 4,nvme,/disk,a.b=1", "a.b=1: bhyve takes no dot in the name of an option; take it out"),
    (
        "-s 4,virtio-blk,/disk,ser=",
        "pci.0.4.0.ser='': cannot stand in a file of bhyve_config(5); give it another value",
    ),
    ("-Z", "bhyve: option -Z not recognized; see bhyve(8)"),
)


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_has_no_variable_is_refused_by_name(words: str, said: str) -> None:
    with pytest.raises(ChyvesError, match=f"^{re.escape(said)}$"):
        variables(["bhyve", *words.split(" ", 1), "web1"], {}, 1403000)


def test_the_golden_lines_have_every_option_and_every_device_with_words_of_its_own() -> None:
    """A reader that no golden file uses would be one that nobody has seen at work."""
    from chyves.bhyve.config import NOTHING, READERS, SWITCHES
    from chyves.bhyve.config_devices import READERS as DEVICES

    words = [word for path in FILES for word in _line(path)]
    assert {*SWITCHES, *READERS, *NOTHING} <= set(words)
    used = {word.split(",")[1] for word in words if re.match(r"[0-9:]+,", word)}
    assert {*DEVICES, "virtio-scsi"} <= used
