"""Completion: what is offered for the next word, and the answer that a shell gets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chyves.__main__
from chyves.cli.completion import offered
from chyves.cli.grammar import reached
from chyves.cli.parser import separated
from chyves.commands import COMMANDS
from chyves.errors import UsageError

LIMITS = {f"limit_{what}" for what in ("memory", "pcpu", "readbps", "readiops", "writebps", "writeiops")}


def has(kind: str, of: str) -> Iterable[str]:
    """A host with two guests."""
    of_guest = {
        "disks": {"web1": ["disk0", "disk1"]},
        "taps": {"web1": ["tap", "tap50"]},
        "snapshots": {"web1": ["@clean"]},
        "numbered": {"web1": ["disk0_notes", "pcidev_0", "tap50_mac"], "global": ["bridge0_tap_members"]},
        "settable": {"web1": ["disk0_notes", "pcidev_0", "tap50_mac"], "global": ["bridge0_tap_members"]},
    }
    if kind in of_guest:
        return of_guest[kind].get(of, [])
    return {
        "guests": ["web1", "web-1", "db"],
        "groups": ["web", "mail"],
        "isos": ["a.iso"],
        "firmware": ["F.fd"],
        "pools": ["tank"],
        "bridges": ["bridge0"],
        "uplinks": ["em0"],
        "joined": ["tap50", "tap51"],
        "pci": ["2/0/0"],
    }[kind]


def offer(line: str) -> set[str]:
    """What is offered at the end of a line; a blank there begins a new word."""
    *typed, prefix = line.split(" ")
    words, _ = separated(typed)
    return set(offered(reached(words), words, prefix, has))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("web", {"web1", "web-1"}),
        ("web1,", {"web1,web-1", "web1,db"}),
        ("web1,db,w", {"web1,db,web-1"}),
        ("l", {"list", "lab"}),
        ("g", {"global"}),
        ("a", {"adopt", "all"}),
        ("web1,aud", {"web1,audio_play=", "web1,audio_rec="}),
        ("web1,ag", {"web1,agent="}),
        (":", {":web", ":mail"}),
        ("db,:w", {"db,:web"}),
        ("state=", {"state=running", "state=stopped"}),
        (":web+st", {":web+state=", ":web+stop_timeout="}),
        (":web+loader=ue", {":web+loader=uefi"}),
        ("db,load", {"db,loader=", "db,loader_timeout="}),
        ("pool=", {"pool=tank"}),
        ("groups=", {"groups=web", "groups=mail"}),
        ("nonsense=", set()),
        ("web1 set groups=", {"groups=web", "groups=mail"}),
        ("web1 st", {"start", "stop", "status"}),
        ("web1 --dry-run sta", {"start", "status"}),
        ("web1 start ", {"a.iso"}),
        ("web1 stop ", {"force"}),
        ("web1 delete ", {"force", "keepnet"}),
        ("web1 disk ", {"disk0", "disk1", "list", "add", "delete", "remove", "resize"}),
        ("web1 disk delete ", {"disk0", "disk1"}),
        ("db disk delete ", set()),
        ("network web1 remove tap", {"tap", "tap50"}),
        ("network web1 add tap b", {"bridge0"}),
        (
            "network bridge0 ",
            {"attach", "private", "default", "join", "unjoin", "migrate", "add", "remove"},
        ),
        ("network bridge0 attach ", {"em0"}),
        ("network bridge0 unjoin ", {"tap50", "tap51"}),
        ("network bridge0 migrate ", {"bridge0"}),
        ("network web1,w", {"web1,web-1"}),
        ("iso delete ", {"a.iso"}),
        ("firmware delete ", {"F.fd"}),
        ("dataset ", {"tank"}),
        ("dataset tank ", {"install", "offline", "online", "promote", "uninstall", "upgrade"}),
        ("list dis", {"disks"}),
        ("list disks ", set()),
        ("web1 get sti", set()),
        ("web1 get stop", {"stop_timeout"}),
        ("web1 get al", {"all"}),
        ("global get stdout", {"stdout_level"}),
        ("web1 unset e", {"eject_iso_on_n_reboot"}),
        ("web1 unset p", {"pcidev_0"}),
        ("web1 unset audio", {"audio_play", "audio_rec"}),
        ("web1 unset vale", {"vale_mac", "vale_mtu", "vale_type"}),
        ("web1 unset limit", LIMITS),
        ("web1 unset uefi_vnc_", {"uefi_vnc_password", "uefi_vnc_socket"}),
        ("web1 get disk", {"disk0_notes"}),
        ("global get bridge", {"bridge0_tap_members"}),
        ("web1 set disk", set()),
        ("web1 set disk0", {"disk0_notes="}),
        ("web1,db set tap50_", {"tap50_mac="}),
        ("global set bridge0_", set()),
        ("web1 set revert_to_snapshot=", {"revert_to_snapshot=@clean"}),
        ("web1 set rcboot_after=w", {"rcboot_after=web1", "rcboot_after=web-1"}),
        ("web1 set rcboot_after=db,w", {"rcboot_after=db,web1", "rcboot_after=db,web-1"}),
        ("web1 set rcboot_after=db,d", set()),
        ("completion ", {"bash", "zsh", "tcsh", "fish"}),
        ("lab sta", {"status"}),
        ("web1 set stop", {"stop_timeout="}),
        ("web1 set net_", set()),
        ("global set stdout", {"stdout_level="}),
        ("defaults set br", {"bridge="}),
        ("web1 set loader=", {"loader=bhyveload", "loader=uefi", "loader=grub-bhyve", "loader=u-boot"}),
        ("web1 set cpu=1 loader=ue", {"loader=uefi"}),
        ("web1 set uefi_firmware=", {"uefi_firmware=F.fd"}),
        ("defaults set bridge=", {"bridge=bridge0"}),
        ("web1 set nonsense=", set()),
        ("web1 set d", {"description="}),
        ("web1 set cpu=1 d", {"description=", "db"}),
        ("web1 set cpu=1 global stdout", {"stdout_level="}),
        ("help sto", {"stop", "stop_timeout"}),
        ("help disk a", {"add"}),
        ("version ", set()),
    ],
)
def test_words_that_are_offered(line: str, words: set[str]) -> None:
    assert offer(line) == words


def test_first_word_is_a_command_or_guests() -> None:
    literals = set(
        "adopt check completion dataset debug dev diff doctor events explain firmware help import info iso lab list "
        "metrics network top upgrade version wait".split()
    )
    assert offer("") == literals | {"web1", "web-1", "db", "all", "global", "defaults"}


def test_host_is_asked_once_for_the_guests() -> None:
    asked: list[str] = []

    def names(kind: str, of: str) -> Iterable[str]:
        asked.append(kind)
        return ["web1"]

    assert "web1" in offered(COMMANDS, [], "", names)
    assert asked == ["guests"]


def test_files_are_offered_for_an_import(tmp_path: Path) -> None:
    (tmp_path / "system.iso").touch()
    (tmp_path / "system[1]").mkdir()
    assert offer(f"iso import {tmp_path}/sys") == {f"{tmp_path}/system.iso", f"{tmp_path}/system[1]/"}
    assert offer(f"iso import {tmp_path}/system[") == {f"{tmp_path}/system[1]/"}


@given(st.data())
def test_what_is_offered_can_be_typed(data: st.DataObject) -> None:
    """Each word that is offered leads on: the line with it is still the beginning of a command."""
    words: list[str] = []
    for _ in range(data.draw(st.integers(1, 4))):
        choices = offered(reached(words), words, "", has)
        if not choices:
            return
        words.append(data.draw(st.sampled_from(choices)))
        assert set(reached(words)) <= set(COMMANDS)


def answer(line: str, place: Path) -> list[str]:
    """What a shell that completes this line is told, as argcomplete's own shell code asks."""
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n\"'><=;|&(:",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "CHYVES_LAB": str(place / "none"),
    }
    argv = ["sh", "-c", 'exec "$0" -m chyves 8> "$1"', sys.executable, str(place / "told")]
    ended = subprocess.run(argv, env=os.environ | asked, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (0, "", "")
    said = (place / "told").read_text()
    return said.split("\n") if said else []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chyves web1 star", ["start "]),
        ("chyves web1 st", ["start", "stop", "status"]),
        ("chyves web1 start --d", ["--dry-run "]),
        ("chyves info --js", ["--json "]),
        ("chyves --dry-run web1 sto", ["stop "]),
        ("chyves web1 set loader=ue", ["uefi "]),
        ("chyves web1 set stop_t", ["stop_timeout="]),
        ("chyves list di", ["disks "]),
        ("chyves 'web1' sto", ["stop "]),
        ("chyves no such command ", []),
        ("chyves version ", []),
        ("chyves lab create --release ", []),
        ("chyves web1,,web1 sto", ["stop "]),
    ],
)
def test_shell_is_answered(line: str, words: list[str], tmp_path: Path) -> None:
    assert answer(line, tmp_path) == words


def test_shell_is_answered_where_there_is_no_host(tmp_path: Path) -> None:
    assert answer("chyves iso delete ", tmp_path) == []
    assert "list" in answer("chyves ", tmp_path)


def test_module_has_the_mark_that_argcomplete_looks_for() -> None:
    assert "PYTHON_ARGCOMPLETE_OK" in Path(chyves.__main__.__file__).read_text()[:1024]


def test_wrong_line_offers_nothing() -> None:
    with pytest.raises(UsageError):
        offer("web1 starrt ")
