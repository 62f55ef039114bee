"""Golden files: tests/golden/*/*.txt say what a guest and its host are, and what their command lines must be.

The sections [guest NAME], [host], [disks], [medium] and [seed FILE] are given; [loader], [image], [bhyve], [limits],
[file PATH] and [warning], or [refused], are what launch() makes of them. [host] has what differs from
tests/golden/host.txt. After a change that is meant, `pytest tests/unit/test_launch.py --rewrite-golden` writes them
anew; read the diff.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chyves.bhyve.facts import Disk, Facts, HostFacts, Variables
from chyves.bhyve.launch import Launch, launch
from chyves.errors import ChyvesError
from chyves.properties import SYSTEMS, Guest
from chyves.values import Size

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
FILES = sorted(GOLDEN.glob("*/*.txt"))
GIVEN = ("guest", "host", "disks", "medium")
FLAGS = {"yes": True, "no": False}

USED_ELSEWHERE = {
    "console_log_old": "guests: recording",
    "console_log_size": "guests: recording",
    "creation": "guests: report",
    "description": "guests: report",
    "notes": "guests: report",
    "disk{n}_description": "guests: disks",
    "disk{n}_notes": "guests: disks",
    "eject_iso_on_n_reboot": "guests: supervisor",
    "groups": "guests: choose",
    "hook_timeout": "guests: hooks",
    "on_crash": "guests: policy",
    "on_poweroff": "guests: policy",
    "on_reboot": "guests: policy",
    "rcboot": "guests: boot",
    "rcboot_after": "guests: boot, shutdown",
    "rcboot_delay": "guests: boot",
    "revert_to_snapshot": "guests: start, supervisor",
    "revert_to_snapshot_method": "guests: start, supervisor",
    "stop_timeout": "guests: stop",
    "uefi_vnc_client": "guests: console",
    "uefi_vnc_client_custom_cmd": "guests: console",
}


@dataclass(frozen=True)
class Case:
    """What a golden file gives: everything that launch() is called with."""

    title: str
    guest: Guest
    facts: Facts
    medium: str | None

    def launch(self) -> Launch:
        """What launch() makes of it; raises ChyvesError."""
        return launch(self.guest, self.facts, self.medium)

    def outcome(self) -> str:
        """The sections that launch() makes, as they stand in the file."""
        try:
            made = self.launch()
        except ChyvesError as error:
            return f"[refused]\n{error}\n"
        return "\n".join(_sections(made))


def _sections(made: Launch) -> Iterator[str]:
    yield f"[loader]\n{_line(made.loader)}"
    if made.tpm:
        yield f"[tpm in {made.tpm.state}]\n{_line(made.tpm.line)}"
    if made.seed:
        yield f"[image]\n{_line(made.seed.line)}"
        for path, text in made.seed.files.items():
            source = made.seed.sources.get(path)
            yield f"[file {path}]\n{text}" if source is None else f"[file {path} from]\n{source}\n"
    yield f"[bhyve]\n{_line(made.line)}"
    if made.limits:
        yield "[limits]\n" + "".join(f"{limit}\n" for limit in made.limits)
    for path, text in made.files.items():
        yield f"[file {path}]\n{text}"
    if made.warnings:
        yield "[warning]\n" + "".join(f"{warning}\n" for warning in made.warnings)


def _line(argv: tuple[str, ...]) -> str:
    """A command line, an option with its value a line."""
    text = ""
    for word in argv:
        starts = not text or word.startswith("-") or not re.search(r"\n    -\w$", text)
        text += f"\n    {word}" if starts and text else f" {word}" if text else word
    return f"{text or 'none'}\n"


def _read(path: Path) -> dict[str, list[str]]:
    """The lines of each section of a golden file by its head; what stands before the first is its title."""
    found: dict[str, list[str]] = {"": []}
    head = ""
    for line in path.read_text().splitlines():
        if match := re.fullmatch(r"\[(.+)\]", line):
            head = match[1]
            assert head not in found, f"{path}: [{head}] twice"
            found[head] = []
        elif line:
            found[head].append(line)
    return found


def _pairs(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines)


def _host(*sections: list[str]) -> tuple[HostFacts, dict[str, str]]:
    """The facts of the host out of lines name=value, a later one winning, and the values that are not of the host."""
    given: dict[str, str] = {}
    for lines in sections:
        given |= _pairs(lines)
    return (
        HostFacts(
            machine=given.pop("machine"),
            release=int(given.pop("release")),
            cpus=int(given.pop("cpus")),
            processors=int(given.pop("processors")),
            memory=Size().parse(given.pop("memory")),
            unrestricted=FLAGS[given.pop("unrestricted")],
            iommu=FLAGS[given.pop("iommu")],
            amdvi_off=FLAGS[given.pop("amdvi_off")],
            options=frozenset(given.pop("options")),
            devices=frozenset(given.pop("devices").split()),
            lpc=frozenset(given.pop("lpc").split()),
            accounting=FLAGS.get(given.pop("accounting")),
        ),
        given,
    )


def _case(path: Path) -> Case:
    sections = _read(path)
    head = next(name for name in sections if name.startswith("guest "))
    name = head.removeprefix("guest ")
    guest = Guest(name, _pairs(sections[head]))
    guest.check()
    assert not guest.unknown(), path
    host, rest = _host(_read(GOLDEN / "host.txt")["host"], sections.get("host", []))
    facts = Facts(
        host=host,
        name=name,
        disks=tuple(Disk(*pair) for pair in _pairs(sections.get("disks", [])).items()),
        console=f"/dev/{guest.serial}" if guest.serial else "",
        firmware=_firmware(guest, rest),
        null_iso=rest["null_iso"] if rest["null_iso"] != "none" else None,
        directory=f"/chyves/tank/guests/{name}",
        scratch=f"/var/run/chyves/{name}",
        consolidate=FLAGS[rest["consolidate"]],
        variables=_variables(f"/chyves/tank/guests/{name}", rest["variables"]) if guest.uefi_vars else None,
        seed={head.removeprefix("seed "): "\n".join(lines) for head, lines in sections.items() if head[:5] == "seed "},
    )
    assert set(rest) == {"firmware", "null_iso", "consolidate", "variables", "u_boot"}, f"{path}: unknown facts"
    medium = sections.get("medium", [])
    return Case("\n".join(sections[""]), guest, facts, medium[0] if medium else None)


def _firmware(guest: Guest, rest: dict[str, str]) -> str | None:
    """What the guest boots with: among the firmware of chyves, or as the package with U-Boot has it."""
    name = guest.uefi_firmware
    found = rest["u_boot"] if guest.loader == "u-boot" else "none"
    if name and rest["firmware"] != "none":
        found = f"{rest['firmware']}/{name}/{name}"
    return None if found == "none" else found


def _variables(directory: str, sizes: str) -> Variables:
    """The guest's own file of UEFI variables, from its bytes and those of the empty one; `none` for one not there."""
    own, template = (None if size == "none" else int(size) for size in sizes.split("/"))
    return Variables(f"{directory}/.vars.fd", own, template)


def _given(path: Path) -> str:
    """The text of a golden file up to what launch() makes."""
    text = path.read_text()
    return text[: re.search(r"^\[(loader|refused)\]$|\Z", text, re.MULTILINE).start()]  # type: ignore[union-attr]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden(path: Path, request: pytest.FixtureRequest) -> None:
    made = f"{_given(path).rstrip()}\n\n{_case(path).outcome()}"
    if request.config.getoption("--rewrite-golden", default=False):
        path.write_text(made)
    assert made.splitlines() == path.read_text().splitlines()


def test_golden_files_are_many_and_tell_what_they_show() -> None:
    titles = [_case(path).title for path in FILES]
    assert len(FILES) >= 40 and all(titles) and len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", [*Guest.table, *Guest.numbered])
def test_every_property_changes_a_golden_line_or_is_used_elsewhere(name: str) -> None:
    row = Guest.row(name) or Guest.numbered[name]
    changes = any(_matters(path, name) for path in FILES)
    assert changes != (name in USED_ELSEWHERE), row.doc


def _matters(path: Path, name: str) -> bool:
    """Whether a golden file sets a property, and would have other lines without it."""
    case = _case(path)
    mine = [key for key in case.guest.text if getattr(Guest.row(key), "name", key) == name]
    if not mine:
        return False
    guest = case.guest.with_changes(dict.fromkeys(mine))
    console = f"/dev/{guest.serial}" if guest.serial else ""
    without = replace(case, guest=guest, facts=replace(case.facts, console=console))
    return without.outcome() != case.outcome()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("source", ["medium", "disk"])
def test_every_system_has_golden_files_from_medium_and_disk(system: str, source: str) -> None:
    cases = [_case(path) for path in FILES]
    found = [case for case in cases if case.guest.loader == "grub-bhyve" and case.guest.os == system]
    assert any((case.medium is not None) == (source == "medium") for case in found)
