"""Every command that changes nothing, in every form that the table has of it, for an ordinary user: complaint 5."""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.command import Arg, Command, Many
from chyves.commands import COMMANDS, HEADLESS
from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests import ordinary_user
from tests.host_commands import done
from tests.ordinary_user import Said

SETUP = (
    "dataset zroot install",
    "iso import {file}",
    "firmware import {file}",
    "web1,web2 create 1G",
    "web1 set agent=yes console_log=yes groups=night loader=uefi uefi_firmware=image.fd",
    "web1 set uefi_console_output=vnc uefi_vnc_port=59740",
    "web1 disk add 1G",
    "web1 snapshot @one",
    "web1 clone web3 -cu",
    "network bridge1 private",
    "web1 start image.fd",
)
WORDS = {
    "guest": ("web1", "web2"),
    "owner": ("web1", "web2"),
    "iso": ("image.fd",),
    "property": ("cpu", "all"),
    "seconds": ("1",),
    "lines": ("3",),
    "pool": ("zroot",),
    "topic": ("start",),
    "source": ("{file}",),
    "branch": (),
    "directory": ("{place}/lab{number}",),
    "command": ("true",),
    "function": (),
}
"""What is given for an Arg, by its name; one that is missing here is a row that nobody has tried without root."""

VALUES = {
    "--every": "1",
    "--count": "1",
    "--since": "1h",
    "--file": "{place}/{row}{number}",
    "--release": "14.3",
    "--zfs": "model",
    "--machine": "amd64",
}
ALWAYS = {"top": "-b --every 1", "debug": "--file={place}/{row}{number}", "lab destroy": "--yes"}
"""Options that a row is never without here."""

APART = ("-f", "-H")
"""Letters that do not stand with others."""

UNASKED = ("seconds", "directory")
"""Words that are always given, though they need not be: else it waits for ever, or is about the lab in use."""

TYPED = {"prompt": "status\nget cpu\n"}
NEEDS_ROOT = "needs root; try: sudo chyves ..."
"""What is said of that which is root's alone: consoles, agents, dev."""

REFUSED = {
    "web2 status|web2 prompt|wait (web2|all) running 1": (1, "web2(, web3)?: does not run"),
    "wait (web1|all) stopped 1": (1, "web1: still runs after 1 s; see: chyves web1 log"),
    "diff web2": (1, "web2: does not run; what is set counts when it starts: chyves web2 get all"),
    "web2 console vnc": (1, "web2: has no screen .*; give it one with: chyves web2 set "),
    "web1 log --console": (77, "web1: .*/logs: is for root alone to read; try: sudo chyves ..."),
    "global get cpu|list all": (1, "(global|list): (cpu|all) is no property.*; see: chyves list properties"),
    "upgrade check( -H| --json)?": (2, "upgrade check: .*; name one file or address that holds a version"),
}
"""Lines that have another status than 0, by a regular expression, and the sentence that they then say."""

SEEN = {
    "top -b --every 1 -H": "web1\t",
    "list processes -H": "web1\tbhyve\t",
    "web1 prompt": "\n1\n",
    "web1 log -f": "up",
}
"""What there must be in the output of some lines; all others but a few tell something."""

SILENT = ("wait", "completion", "lab shell", "metrics", "debug")
ROWS = [row for row in COMMANDS if not row.changes]


def lines_of(row: Command) -> Iterator[str]:
    """Lines in which each word, choice, option and form of a row comes at least once."""
    always = ALWAYS.get(row.name, "")
    plain = " ".join(filter(None, (*(_words(word)[0] for word in row.words if _needed(word)), always)))
    for number, word in enumerate(row.words):
        for text in _words(word):
            before = [_words(other)[0] for other in row.words[:number]]
            after = [_words(other)[0] for other in row.words[number + 1 :] if _needed(other)]
            yield " ".join(filter(None, (*before, text, *after, always)))
    for option in row.options:
        if option.metavar:
            yield f"{plain} {option.name}={VALUES[option.name]}"
        elif len(option.name) > 2 or option.name in APART:
            yield f"{plain} {option.name}"
    letters = "".join(option.name[1] for option in row.options if len(option.name) == 2 and option.name not in APART)
    if letters:
        yield f"{plain} -{letters}"
    if row.json:
        yield f"{plain} --json"
    assert (HEADLESS in row.options) == row.json
    yield plain


def _needed(word: str | Arg) -> bool:
    return isinstance(word, str) or word.many in (Many.ONE, Many.SOME) or word.name in UNASKED


def _words(word: str | Arg) -> tuple[str, ...]:
    """What can stand in the place of a word."""
    if isinstance(word, str):
        return (word,)
    found = word.choices or WORDS[word.name]
    found = tuple(text for text in found if word.split or "," not in text)
    return (*found, *word.instead) or ("",)


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A lab with a guest that runs, one that does not, a clone, an image, a snapshot and two bridges."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    top.chmod(0o755)
    create.create(str(top))
    lab = Lab.open(top)
    image = top / "image.fd"
    image.write_bytes(b"0.1\n".ljust(1 << 21, b"\0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHYVES_LAB_GUEST", "hollow")
        try:
            for line in SETUP:
                done(lab, *line.format(file=image).split())
            yield lab
        finally:
            destroy.destroy(str(top), yes=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that becomes the user's own."""
    made = Path(tempfile.mkdtemp(prefix="u"))
    yield made
    shutil.rmtree(made)


def test_complaint_5_what_changes_nothing_needs_no_root_or_says_what_does(house: Lab, place: Path) -> None:
    """Each row is tried; what it says is what it shows, or one sentence."""
    python = ordinary_user.begin(house)
    lines = {line: row for row in ROWS for line in ([*lines_of(row)][-1:] if row.root else lines_of(row))}
    assert set(lines.values()) == set(ROWS)
    file, numbers = house.top / "image.fd", {row: itertools.count() for row in ROWS}
    asked = [
        (line.format(place=place, file=file, row=row.name, number=next(numbers[row])).split(), TYPED.get(row.name, ""))
        for line, row in lines.items()
    ]
    said = dict(zip(lines, ordinary_user.told(python, house, asked, place), strict=True))
    problems = {line: problem(row, line, said[line]) for line, row in lines.items()}
    assert not any(problems.values()), "\n".join(f"chyves {line}: {why}" for line, why in problems.items() if why)


def test_what_only_root_may_look_at_is_told_and_further_guests_are_checked(house: Lab, place: Path) -> None:
    python = ordinary_user.begin(house)
    hooks, share = house.root / "chyves/zroot/guests/web2/.hooks", house.root / "private"
    hooks.mkdir(mode=0o700)
    share.mkdir(mode=0o700)
    done(house, "web3", "set", "share1=data=/private/data")
    try:
        (said,) = ordinary_user.told(python, house, [(["check", "web2,web3", "-H"], "")], place)
    finally:
        done(house, "web3", "unset", "share1")
        hooks.rmdir()
        share.rmdir()
    assert (said.status, said.out.splitlines()) == (
        1,
        [
            f"web2\tNO\tonly root may look at {hooks}/prestart; do this as root",
            f"web3\tNO\tonly root may look at {share}/data; do this as root",
        ],
    )


def test_images_that_only_root_may_see_are_told_of(house: Lab, place: Path) -> None:
    python = ordinary_user.begin(house)
    directory = house.root / "chyves/zroot/guests/web3/img/private"
    directory.mkdir(mode=0o700)
    why = f"only root may look into {directory}, so that its images are missing; do this as root"
    try:
        asked = [(line.split(), "") for line in ("check web3 -H", "explain web3", "web3 disk list")]
        check, *others = ordinary_user.told(python, house, asked, place)
        assert (check.status, check.out) == (1, f"web3\tNO\t{why}\n")
        assert [(one.status, one.error) for one in others] == [(0, f"warning: web3: {why}\n")] * 2
        assert done(house, "check", "web3", "-H").startswith("web3\tYES\t")
    finally:
        directory.rmdir()


def problem(row: Command, line: str, said: Said) -> str:
    """What is wrong with an answer; nothing where it is what is documented."""
    text = f"{said.status}\n{said.out[-300:]}\n{said.error}"
    refused = next((told for pattern, told in REFUSED.items() if re.fullmatch(pattern, line)), None)
    if row.root:
        refused = 77, re.escape(f"{row.name}: {NEEDS_ROOT}")
    if refused is not None:
        one = re.fullmatch(f"chyves: {refused[1]}.*\n", said.error)
        return "" if said.status == refused[0] and one else text
    quiet = said.error == "" or (row.name == "lab shell" and re.fullmatch("lab shell: .*\n", said.error))
    silent = row.name in SILENT or line.endswith(" -H")
    told = SEEN[line] in said.out if line in SEEN else said.out or silent
    return "" if said.status == 0 and quiet and told else text
