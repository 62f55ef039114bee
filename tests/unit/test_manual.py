"""The manual page: made from the tables, whole, and clean."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chyves.cli.help import command_help, help_
from chyves.cli.manual import page
from chyves.commands import COMMANDS
from chyves.events import EVENTS
from chyves.properties import Defaults, Global, Guest, Pool

MAN = Path(__file__).parents[2] / "man"
MANUAL = (MAN / "chyves.8").read_text()
needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")


def test_committed_manual_is_the_one_that_the_tables_give() -> None:
    frame = (MAN / "chyves.8.in").read_text()
    made = subprocess.run(
        [sys.executable, "-m", "chyves.cli.manual"], input=frame, capture_output=True, text=True, check=True
    )
    assert made.stdout == page(frame) == MANUAL, "make it anew: make man"


def test_every_part_is_in_its_place() -> None:
    assert not re.findall("^@.*@$", MANUAL, re.MULTILINE)
    sections = re.findall(r"^\.Sh (.*)$", MANUAL, re.MULTILINE)
    wanted = "NAME SYNOPSIS DESCRIPTION COMMANDS ENVIRONMENT FILES EXAMPLES DIAGNOSTICS HISTORY".split()
    assert [section for section in sections if section in wanted] == wanted
    assert {"EXIT STATUS", "SEE ALSO", "GUEST PROPERTIES", "GLOBAL PROPERTIES"} <= set(sections)


CAPABILITIES = """
    nvme|virtio-scsi|ahci|virtio-blk|cache|read-only|serial number|sector size|boot order|MTU|vale|netgraph|slirp
    port forwards|virtio-rnd|9p shares|audio|virtio-console|com1 to com4|fw_cfg|bootindex|VARS|TPM 2.0|swtpm|topology
    pinning|NUMA|wired|limited memory|keyboard layout|SMBIOS strings|frame buffer|gdb port|arm64|U-Boot|windows11
    passthrough|ROM files|PCI addresses|rctl|nice|OOM killer|ARC|memory_overcommit|OpenMetrics|hook_timeout|prestart
    guest agent|snapshot --freeze|vm-bhyve|iohyve|CBSD|libvirt
"""


@needs_mandoc
def test_what_chyves_can_is_found_by_its_name() -> None:
    shown = subprocess.run(["mandoc", "-T", "ascii", str(MAN / "chyves.8")], capture_output=True, text=True, check=True)
    text = " ".join(re.sub(".\b", "", shown.stdout).split())
    assert [word for line in CAPABILITIES.split("\n") for word in line.strip().split("|") if word not in text] == []


def test_synopsis_has_every_command() -> None:
    synopsis = MANUAL[MANUAL.index(".Sh SYNOPSIS") : MANUAL.index(".Sh DESCRIPTION")]
    assert synopsis.count(".Nm\n") == len(COMMANDS)


@pytest.mark.parametrize("section", [Guest, Defaults, Global, Pool])
def test_every_property_has_its_item(section: type[Guest]) -> None:
    for name in (*section.table, *section.numbered):
        assert f"\n.It Va {name}\n" in MANUAL


@pytest.mark.parametrize("section", [Guest, Defaults, Global, Pool])
def test_help_says_of_a_property_what_the_manual_says(section: type[Guest]) -> None:
    text = " ".join(MANUAL.replace("\\-", "-").replace("\\&", "").split())
    for name, row in (section.table | section.numbered).items():
        assert row.doc in help_((name,))
        assert row.doc in text


def test_help_says_of_a_command_what_the_manual_says() -> None:
    text = " ".join(MANUAL.replace("\\-", "-").replace("\\&", "").split())
    for row in COMMANDS:
        for doc in (row.doc, *(arg.doc for arg in row.args), *(option.doc for option in row.options)):
            assert doc in command_help(row)
            assert doc in text


@needs_mandoc
def test_html_page_has_a_table_of_contents_and_anchors() -> None:
    shown = subprocess.run(
        ["mandoc", "-T", "html", "-O", "toc", MAN / "chyves.8"], capture_output=True, text=True, check=True
    ).stdout
    assert "TABLE OF CONTENTS" in shown
    for name in ("COMMANDS", "EXAMPLES", "COMING_FROM_0.2.0", "cpu", "rcboot_after"):
        assert f'id="{name}"' in shown, name


@pytest.mark.parametrize("status", ["0", "1", "2", "70", "75", "77", "128+n"])
def test_exit_statuses_are_told(status: str) -> None:
    assert f"\n.It {status}\n" in MANUAL


@needs_mandoc
def test_mandoc_has_nothing_to_say() -> None:
    said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", MAN / "chyves.8"], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


@needs_mandoc
def test_page_shows_commands_as_they_are_typed() -> None:
    shown = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=200", MAN / "chyves.8"], capture_output=True, text=True, check=True
    ).stdout
    text = re.sub(".\b", "", shown)
    assert "chyves guest[,guest]... | all delete [force | keepnet]\n" in text
    assert "chyves {iso | firmware} import source [checksum]\n" in text
    assert "chyves info [-zbprvstcudnakwlH]\n" in text
    assert "libvirt} where [guest[,guest]...] [--rename] [--name name]\n" in text


def test_every_event_has_its_item() -> None:
    text = MANUAL.replace("\\-", "-")
    for name, doc in EVENTS.items():
        assert f"\n.It Li {name}\n{doc}\n" in text
