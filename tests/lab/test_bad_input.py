"""Wrong lines, names and values on a host that has guests, pools and bridges: each is refused in one sentence on
stderr, says nothing else and changes nothing. They and what is said are in dialogues/refused.lines.

After a change on purpose: pytest tests/lab/test_bad_input.py --rewrite-golden, then look at the difference.
"""

from __future__ import annotations

import difflib
import re
import shlex
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.__main__ import main
from chyves.command import Command, Many
from chyves.commands import COMMANDS
from chyves.lab import create, destroy
from chyves.lab.place import Lab
from tests import ordinary_user
from tests.host_commands import done, everything, second_pool
from tests.lab.dialogues.state import state
from tests.unit.test_bad_lines import LINES

FILE = Path(__file__).parent / "dialogues" / "refused.lines"
LONG = "w" * 10_000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with two pools of chyves and one that has none, two bridges, resources, guests of which one runs."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top))
    top.chmod(0o755)
    lab = Lab.open(top)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHYVES_LAB_GUEST", "hollow")
        done(lab, "dataset", lab.pool, "install")
        done(lab, "dataset", second_pool(lab), "install")
        second_pool(lab, "idle")
        done(lab, "network", "bridge0", "attach", "em0")
        done(lab, "network", "bridge1", "private")
        done(lab, "web,web1,gold", "create", "1G")
        done(lab, "web,gold", "set", "notes=a note", "gold", "template=yes")
        for kind, name in (("iso", "setup.iso"), ("firmware", "boot.fd")):
            image = tmp_path_factory.mktemp("images") / name
            image.write_text("an image")
            done(lab, kind, "import", str(image))
        done(lab, "web", "set", "uefi_firmware=boot.fd")
        done(lab, "web1", "start", "setup.iso")
        yield lab
    destroy.destroy(str(top), yes=True)


Say = Callable[[list[str]], tuple[int, str, str]]


@pytest.fixture
def say(host: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Gives chyves words in this process; its status and what it said. After the test all is as it was before."""
    monkeypatch.setenv("CHYVES_LAB", str(host.top))
    monkeypatch.chdir(tmp_path)
    for name in ("setup.iso", "good.iso", "bad name.iso", "a,b.iso", "null.iso"):
        (tmp_path / name).write_text("an image")
    (tmp_path / "empty.iso").touch()
    before = everything(host), state(host)

    def run(words: list[str]) -> tuple[int, str, str]:
        status = main(words)
        return status, *capfd.readouterr()

    yield run
    assert (everything(host), state(host)) == before


def traces(lab: Lab) -> set[str]:
    """All that is remembered in a lab: its databases, and every file with its mode, size and time.

    Locks are none, and the logs tell of what was refused.
    """
    found = set()
    for database in (lab.top / "state").rglob("*.db"):
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            found |= {f"{database.name}: {line}" for line in connection.iterdump()}
    for path in lab.root.rglob("*"):
        status = path.lstat()
        if path.is_file() and path.suffix != ".lock" and path.parent.name != "logs":
            found.add(f"{path} {status.st_mode:o} {status.st_size} {status.st_mtime_ns}")
        elif not path.is_file():
            found.add(f"{path} {status.st_mode:o}")
    return found


def one_sentence(status: int, out: str, err: str) -> bool:
    """Whether it was refused as it should be: `chyves: name: reason; what to do`, and not a word more."""
    return (
        status in (1, 2)
        and out == ""
        and re.fullmatch(r"chyves: \S.*?: .+\n", err) is not None
        and err.rstrip("\n").isprintable()
        and err.isascii()
        and len(err) < 600
    )


def refused(say: Say, lab: Lab, words: list[str]) -> str:
    """What is said of words that must be refused and leave no trace."""
    before = traces(lab)
    status, out, err = say(words)
    changed = before ^ traces(lab)
    told = (
        f"! {err}" if one_sentence(status, out, err) and not changed else f"! NOT REFUSED AS IT SHOULD BE: {out}{err}"
    )
    return told + f"? {status}\n" + "".join(f"~ {line}\n" for line in sorted(changed))


def words_of(line: str, own: dict[str, str]) -> list[str]:
    """The words of a line of the file, in which what cannot be seen is written as in Python."""
    words = [word.encode().decode("unicode_escape") for word in shlex.split(line.removeprefix("$ chyves"))]
    return [re.sub("<.*?>", lambda found: own[found[0]], word) for word in words]


def test_wrong_words_are_refused_in_a_sentence_and_change_nothing(
    say: Say, host: Lab, pytestconfig: pytest.Config
) -> None:
    own = {"<10kB>": LONG, "<uuid>": "uuid", "<mac>": "tap51_mac"}
    own |= {token: done(host, "web1", "get", own[token]).strip() for token in ("<uuid>", "<mac>")}
    before = FILE.read_text()
    lines = [line for line in before.splitlines() if line[:1] in "#$"]
    now = ""
    for line in lines:
        told = refused(say, host, words_of(line, own)) if line.startswith("$") else ""
        for token in ("<uuid>", "<mac>"):
            told = told.replace(own[token], token)
        now += f"{line}\n{told.replace(str(host.top), '<lab>')}"
    if pytestconfig.getoption("--rewrite-golden"):
        FILE.write_text(now)
        before = now
    difference = "\n".join(difflib.unified_diff(before.splitlines(), now.splitlines(), FILE.name, "now", lineterm=""))
    assert before == now, f"\n{difference}"
    assert "NOT REFUSED" not in now
    assert now.count("\n$ ") >= 300


def test_the_lines_that_the_words_betray_are_refused_here_too(say: Say, host: Lab) -> None:
    told = {ascii(line): refused(say, host, line) for line in LINES}
    assert not {line: said for line, said in told.items() if not said.endswith("? 2\n") or "NOT REFUSED" in said}


EXAMPLES = {
    "guest": "web",
    "owner": "web",
    "pool": "tank",
    "file": "web.zfs",
    "kind": "iso",
    "source": "good.iso",
    "name": "setup.iso",
    "property": "notes",
    "assignments": "cpu=2",
    "device": "2/0/0",
    "disk": "disk0",
    "what": "notes",
    "text": "mine",
    "size": "2G",
    "interface": "tap50",
    "bridge": "bridge1",
    "uplink": "em1",
    "tap": "tap50",
    "target": "bridge0",
    "new": "new1",
    "preset": "freebsd",
    "seconds": "1",
    "state": "stopped",
    "manager": "iohyve",
    "where": "zroot",
}
"""Words that are right on this host, by what the table calls them."""
SHOWN = ("list", "list disks", "list global", "list bridges", "list cpu", "info -a", "web get all", "web disk list",
         "check all", "explain web", "web slots", "list pci",
         "iso list", "list firmware", "list pools", "list defaults", "version")  # fmt: skip


def example(row: Command) -> str:
    """A line of a row with nothing in it that may be left out."""
    needed = [word for word in row.words if isinstance(word, str) or word.many in (Many.ONE, Many.SOME)]
    return " ".join(word if isinstance(word, str) else EXAMPLES[word.name] for word in needed)


As = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def nobody(host: Lab) -> As:
    """Runs a line of chyves as an ordinary user; the test is skipped where there can be none."""
    python = ordinary_user.begin(host)
    return lambda line: ordinary_user.run(python, host, "-m", "chyves", *line.split())


def test_an_ordinary_user_sees_what_root_sees(nobody: As, host: Lab) -> None:
    for line in SHOWN:
        seen = nobody(line)
        assert (seen.returncode, seen.stderr) == (0, ""), line
        assert seen.stdout == done(host, *line.split()), line


def test_an_ordinary_user_changes_nothing(nobody: As, host: Lab) -> None:
    before = traces(host)
    for row in COMMANDS:
        if row.root:
            refusal = nobody(example(row))
            assert (refusal.returncode, refusal.stdout) == (77, ""), row.name
            assert refusal.stderr == f"chyves: {row.name}: needs root; try: sudo chyves ...\n"
    assert traces(host) == before


def test_an_ordinary_user_is_shown_what_would_be_done(nobody: As, host: Lab) -> None:
    before = traces(host)
    for line in ("new1 create 1G", "web start", "web delete", "web set cpu=2", "web disk add 1G", "web1 stop"):
        shown = nobody(f"{line} --dry-run")
        assert (shown.returncode, shown.stderr) == (0, ""), line
        assert shown.stdout, line
    assert traces(host) == before
