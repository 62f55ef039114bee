"""Every command line of README.md and docs/ is run on a lab, in the order of the page, each once; and links lead on."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from chyves.lab import destroy
from tests.lab import foreign_guests
from tests.torture.house import House, a_house

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`(chyves [^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
ADDRESS = re.compile(r"https?://\S*/(\S+)")
NOT_HERE = {
    "make": "the checkout's own targets: tests/unit/test_installation.py, and this run itself",
    "pkg": "no lab has FreeBSD's packages",
}
"""Programs that no lab has, and why that is no gap."""

TALKS = re.compile(r"^chyves \S+ console$")
"""Commands that hold the terminal: they are ended as a user does it."""


def lines_of(page: Path) -> list[str]:
    """The command lines of a page in its order, each once: lines of blocks, and `chyves ...` in the text."""
    text = page.read_text()
    found: dict[str, None] = {}
    at = 0
    for block in BLOCK.finditer(text):
        found |= dict.fromkeys(SPAN.findall(text[at : block.start()]))
        if block[1] in ("", "sh"):
            commands = block[2].replace("\\\n", " ").splitlines()
            found |= dict.fromkeys(line for line in map(str.strip, commands) if line and not line.startswith("#"))
        elif block[1] == "python":
            found[shlex.join((sys.executable, "-c", block[2]))] = None
        at = block.end()
    return [*dict.fromkeys([*found, *SPAN.findall(text[at:])])]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    with tempfile.TemporaryDirectory() as home, a_house() as made:
        monkeypatch.setenv("HOME", home)  # a short one: a lab has sockets below it
        for guest in ("a", "b"):
            made.done(guest, "delete", "--yes")
        made.done("dataset", "zroot", "uninstall", "--yes")
        yield made
        if (Path(home) / "lab").exists():
            destroy.destroy(f"{home}/lab", yes=True)


class Reader:
    """Somebody who types what a page says, on a lab."""

    def __init__(self, house: House, page: Path) -> None:
        self.root = house.lab.root
        self.environment = {**os.environ, "CHYVES_LAB": str(house.lab.top), "LC_ALL": "C.UTF-8"}
        own = Path(sys.executable).parent  # where chyves is, whether or not its environment is the shell's
        self.environment["PATH"] = f"{house.lab.bin}:{own}:{os.environ['PATH']}"
        if page.name == "coming-from.md":
            foreign_guests.of_vm_bhyve(house)
            foreign_guests.of_iohyve(house)
            self._to(foreign_guests.of_cbsd(house), "usr/jails")
            below = self.root / "usr/local/etc/libvirt/bhyve"
            below.mkdir(parents=True)
            foreign_guests.of_libvirt(house, below)

    def _to(self, real: Path, place: str) -> None:
        (self.root / place).parent.mkdir(parents=True, exist_ok=True)
        (self.root / place).symlink_to(real)

    def types(self, line: str) -> str:
        """What went wrong with a line, or nothing."""
        words = shlex.split(line, comments=True)
        if not words or words[0] in NOT_HERE:
            return ""
        if words[0] == "export":
            self.environment |= dict([os.path.expandvars(words[1]).replace("~", os.environ["HOME"]).split("=", 1)])
            return ""
        line = self._here(line)
        if TALKS.match(line):
            return self._talks(line)
        done = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              env=self.environment)  # fmt: skip
        return "" if done.returncode == 0 else f"{line}: {done.returncode}: {done.stdout}{done.stderr}"

    def _here(self, line: str) -> str:
        """The line with files of the lab for files of the host, and for what the web has."""
        line = ADDRESS.sub(lambda match: f"/tmp/{match[1]}", line)
        for path in re.findall(r"(?<=\s)/(?:tmp|usr)/[^\s,]+", line):
            file = self.root / path.lstrip("/")
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(lzma.compress(bytes(4096)) if file.suffix == ".xz" else bytes(4096))
            line = line.replace(path, str(file))
            if "sha256=..." in line:
                line = line.replace("sha256=...", f"sha256={hashlib.sha256(file.read_bytes()).hexdigest()}")
        return line

    def _talks(self, line: str) -> str:
        child = pexpect.spawn("sh", ["-c", line], env=self.environment, encoding="utf-8", timeout=60)
        if child.expect(["onnected", pexpect.EOF]) == 0:
            child.send("\r~.")
            child.expect(pexpect.EOF)
        child.close()
        return "" if child.exitstatus == 0 else f"{line}: {child.exitstatus}: {child.before}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_line_of_a_page_does_what_it_says(house: House, page: Path) -> None:
    reader = Reader(house, page)
    wrong = [told for line in lines_of(page) if (told := reader.types(line))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", [*PAGES, TOP / "CONTRIBUTING.md", TOP / "CHANGELOG.md"], ids=lambda page: page.stem)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_page_is_found_from_the_first() -> None:
    linked = {TOP / link for link in LINK.findall(PAGES[0].read_text())}
    assert set(PAGES[1:]) <= linked
