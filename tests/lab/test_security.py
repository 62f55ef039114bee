"""What docs/security.md promises of a host: nothing typed reaches a shell, secrets stay secret, links lead nowhere."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.__main__ import FAULT, main
from chyves.command import Arg
from chyves.commands import COMMANDS
from chyves.host.run import Runner
from chyves.lab import create, destroy
from chyves.lab.place import Lab
from chyves.properties import Defaults, Global, Guest
from tests import ordinary_user
from tests.host_commands import chyves, done, everything
from tests.lab.test_bad_input import example

NASTY = (
    "$(touch hit)",
    "`touch hit`",
    "x;touch hit",
    "x\ntouch hit",
    "|touch hit",
    "&touch hit&",
    "--help",
    "-rf",
    "-o",
)
"""What a shell would do something with, and what a program would take for an option of its own."""

BECOMES = ("console", "tmux", "dev", "dev lock", "prompt", "lab", "help")
"""Commands that turn into another program, or wait: with wrong words they are in tests/lab/dialogues/refused.lines."""


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A lab with two guests, of which web has a screen, and an image."""
    top = Path(tempfile.mkdtemp(prefix="lab"))
    create.create(str(top))
    top.chmod(0o755)
    lab = Lab.open(top)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHYVES_LAB_GUEST", "hollow")
        done(lab, "dataset", lab.pool, "install")
        for kind, name in (("iso", "setup.iso"), ("firmware", "boot.fd")):
            (top / name).write_bytes(bytes(1 << 16))
            done(lab, kind, "import", str(top / name))
        done(lab, "web,db", "create", "1G")
        done(
            lab, "web", "set", "loader=uefi", "uefi_firmware=boot.fd", "uefi_console_output=vnc", "uefi_vnc_port=59790"
        )
        yield lab
        chyves(lab, "all", "stop", "force")
    destroy.destroy(str(top), yes=True)


@pytest.fixture
def argvs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The lines of all programs that are asked or told something in this process."""
    found: list[tuple[str, ...]] = []
    program = Runner.program

    def noted(self: Runner, argv: tuple[str, ...]) -> str:
        found.append(tuple(argv))
        return program(self, argv)

    monkeypatch.setattr(Runner, "program", noted)
    return found


def config(lab: Lab, guest: str) -> Path:
    """The file of a guest's properties."""
    return lab.root / "chyves" / lab.pool / "guests" / guest / ".config" / ".cfg"


def nasty_lines() -> Iterator[list[str]]:
    """Every argument of every command, and every property, with nasty words in its place, each in its turn."""
    for number, row in enumerate(row for row in COMMANDS if row.host and row.name not in BECOMES):
        words = example(row).split()
        for place, word in enumerate(row.words[: len(words)]):
            if isinstance(word, Arg):
                yield [*words[:place], NASTY[(number + place) % 6], *words[place + 1 :]]
                yield ["--", *words[:place], NASTY[6 + (number + place) % 3], *words[place + 1 :]]
    for owner, section in (("web", Guest), ("defaults", Defaults), ("global", Global)):
        for number, name in enumerate((*section.table, *(row.replace("{n}", "0") for row in section.numbered))):
            yield [owner, "set", f"{name}={NASTY[number % len(NASTY)]}"]


def test_nothing_that_is_typed_reaches_a_shell_or_becomes_an_option(
    house: Lab,
    argvs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No line makes the file, none is a fault, and no program is given an option that a user made up."""
    monkeypatch.setenv("CHYVES_LAB", str(house.top))
    monkeypatch.chdir(tmp_path)
    tried = 0
    files = [house.root / f"chyves/{house.pool}/guests/{guest}/.config/.cfg" for guest in ("web", "db")]
    before = [file.read_bytes() for file in files]
    for line in nasty_lines():
        assert main(line) != FAULT, line
        tried += 1
    for file, text in zip(files, before, strict=True):
        file.write_bytes(text)  # some values are possible, and no guest starts with them
    capsys.readouterr()
    assert tried > 200
    # A guest is exported to a file of any name.
    assert set(os.listdir(tmp_path)) <= set(NASTY) and not list(house.top.rglob("hit"))
    options = {word for argv in argvs for word in argv[1:] if word in NASTY and word.startswith("-")} - {"-o"}
    assert not options
    for argv in argvs:
        assert "-o" not in argv or argv[0] in ("zfs", "zpool", "ps") or argv[0].endswith("/zfs"), argv


def test_what_a_dry_run_prints_is_for_a_shell_what_it_would_do(house: Lab, tmp_path: Path) -> None:
    """Also where a property holds what a shell would run: the printed line writes it as it is."""
    value = "$(touch hit) `touch hit`; touch hit & 'touch hit' \"$HOME\" \\"
    printed = done(house, "db", "set", f"notes={value}", "--dry-run")
    subprocess.run(["/bin/sh", "-ec", printed], cwd=tmp_path, check=True)
    assert done(house, "db", "get", "notes") == f"{value}\n"
    assert os.listdir(tmp_path) == []
    done(house, "db", "set", "notes=-")


def test_a_viewer_of_the_user_is_given_its_words_as_they_are(house: Lab, tmp_path: Path) -> None:
    """uefi_vnc_client_custom_cmd is cut into words by quotes, and by nothing else that a shell knows."""
    viewer = tmp_path / "viewer"
    shown = tmp_path / "shown"
    viewer.write_text(f'#!/bin/sh\nfor word; do echo "<$word>"; done >{shown}.new\nmv {shown}.new {shown}\n')
    viewer.chmod(0o755)
    line = f"{viewer} $(touch hit) `touch hit` ; '| touch hit' {{ip}} {{guest}}"
    done(house, "web", "set", "uefi_vnc_client=custom", f"uefi_vnc_client_custom_cmd={line}")
    done(house, "web", "start")
    try:
        assert subprocess.run(
            [sys.executable, "-m", "chyves", "web", "console", "vnc"],
            env={**os.environ, "CHYVES_LAB": str(house.top)}, cwd=tmp_path, stderr=subprocess.DEVNULL,
        ).returncode == 0  # fmt: skip
        while not (tmp_path / "shown").exists():
            time.sleep(0.05)
    finally:
        done(house, "web", "stop", "force")
    words = [*shlex.split(line)[1:-2], "127.0.0.1", "web"]
    assert (tmp_path / "shown").read_text().splitlines() == [f"<{word}>" for word in words]
    assert sorted(os.listdir(tmp_path)) == ["shown", "viewer"]


def holding(top: Path, text: str) -> dict[str, int]:
    """The files below a directory that hold a text, and their modes."""
    found = {}
    for path in top.rglob("*"):
        if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
            found[str(path.relative_to(top))] = stat.S_IMODE(path.stat().st_mode)
    return found


def test_a_screen_that_others_can_reach_has_a_password_that_nobody_sees(house: Lab) -> None:
    """Made once, told how to read it, kept in files of root alone; not in ps(1), in the logs or in the state."""
    done(house, "web", "set", "uefi_vnc_client=print", "uefi_vnc_ip=127.0.0.1", "uefi_vnc_password=-")
    said = chyves(house, "web", "set", "uefi_vnc_ip=0.0.0.0")
    assert said.stderr.splitlines() == [
        "web: uefi_vnc_password: others can reach its screen (0.0.0.0), so that a password was made; "
        "read it with: chyves web get uefi_vnc_password",
        "web: uefi_vnc_ip=0.0.0.0",
        "web: uefi_vnc_password=***",
    ]
    password = done(house, "web", "get", "uefi_vnc_password").strip()
    assert re.fullmatch("[A-Za-z0-9]{8}", password)
    file = config(house, "web")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o750)
    assert stat.S_IMODE(config(house, "db").stat().st_mode) == 0o644
    done(house, "web", "start")
    try:
        assert password not in subprocess.run(["ps", "-eww", "-o", "args"], stdout=subprocess.PIPE, text=True).stdout
        seen = holding(house.root, password)
        assert seen == {str(file.relative_to(house.root)): 0o600, "var/run/chyves/web/secrets.conf": 0o600}
        assert "chyves web get uefi_vnc_password" in done(house, "web", "console", "vnc")
        again = chyves(house, "web", "set", "uefi_vnc_password=Another1")
        assert (again.stderr, holding(house.root, "Another1")) == (
            "web: uefi_vnc_password=***\n"
            "web: runs, so that this counts from its next start; to have it from its next reboot: chyves web reload\n",
            {str(file.relative_to(house.root)): 0o600},
        )
        assert "Another1" not in done(house, "debug", "web", "--file=-")
    finally:
        done(house, "web", "stop", "force")
    assert not holding(house.root / "var", password)


def test_a_screen_that_was_open_already_gets_its_password_at_the_next_start(house: Lab) -> None:
    """As a guest of chyves 0.2.0 has it, whose defaults had 0.0.0.0; until then its file is not touched."""
    done(house, "web", "set", "uefi_vnc_ip=127.0.0.1", "uefi_vnc_password=-")
    file = config(house, "web")
    text = file.read_text()
    file.write_text(text.replace("uefi_vnc_ip=127.0.0.1", "uefi_vnc_ip=0.0.0.0"))
    file.chmod(0o644)
    dry = done(house, "web", "start", "--dry-run")
    assert "secrets.conf" in dry and "password=" not in dry.split("\nbhyve ")[1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644 and "uefi_vnc_password=-" in file.read_text()
    said = chyves(house, "web", "start")
    done(house, "web", "stop", "force")
    assert said.stderr.count("so that a password was made; read it with: chyves web get uefi_vnc_password") == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.search(r"(?m)^uefi_vnc_password=[A-Za-z0-9]{8}$", file.read_text())


def test_doctor_closes_a_file_with_a_secret_that_others_can_read(house: Lab) -> None:
    """As an editor may leave it, or a guest whose file was written before there were such files."""
    done(house, "web", "set", "uefi_vnc_password=Secret12")
    file = config(house, "web")
    file.chmod(0o644)
    file.parent.chmod(0o755)
    found = chyves(house, "doctor")
    assert (found.returncode, f"{file} has the mode 644" in found.stdout) == (1, True), found.stdout
    chyves(house, "doctor", "repair", "--yes")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o750)
    assert "has the mode" not in chyves(house, "doctor").stdout


def test_others_are_shown_all_but_what_has_a_secret(house: Lab) -> None:
    python = ordinary_user.begin(house)
    done(house, "web", "set", "uefi_vnc_password=Secret12")
    told = "warning: web: root alone may read the properties, as there is a secret among them\n"
    for line, shown in (("list", r"(?m)^web +zroot +NO +NO +\? +\?$"), ("list cpu", "(?m)^db +1$")):
        seen = ordinary_user.run(python, house, "-m", "chyves", *line.split())
        assert (seen.returncode, seen.stderr) == (0, told), line
        assert re.search(shown, seen.stdout) and re.search(r"(?m)^db ", seen.stdout), seen.stdout
    seen = ordinary_user.run(python, house, "-m", "chyves", "web", "get", "uefi_vnc_password")
    assert seen.returncode == 1 and "Permission denied" in seen.stderr and "Secret12" not in seen.stdout + seen.stderr


@pytest.fixture
def victim(house: Lab, tmp_path: Path) -> Iterator[Path]:
    """A directory that nobody may come to, with a file; it is as it was at the end."""
    place = tmp_path / "etc"
    place.mkdir()
    (place / "passwd").write_text("root:secret\n")
    yield place
    assert os.listdir(place) == ["passwd"] and (place / "passwd").read_text() == "root:secret\n"


def test_links_in_a_guests_dataset_lead_nowhere(house: Lab, victim: Path) -> None:
    """Somebody who may write there plants them in the place of each file and directory that root writes to."""
    file = config(house, "db")
    logs = file.parents[1] / "logs"
    kept = logs.rename(logs.with_name("kept"))
    logs.symlink_to(victim)
    said = chyves(house, "db", "set", "notes=there")
    assert said.returncode == 0 and f"{logs}: the log cannot be written" in said.stderr
    logs.unlink()
    kept.rename(logs)
    for planted in (lambda path: path.symlink_to(victim / "passwd"), lambda path: os.mkfifo(path)):
        log = logs / time.strftime("%Y%m.log")
        log.unlink()
        planted(log)
        said = chyves(house, "db", "set", "notes=again")
        assert said.returncode == 0 and f"{logs}: the log cannot be written" in said.stderr
        assert "secret" not in chyves(house, "db", "log").stdout
        log.unlink()
        log.write_text("")
    text = file.read_text()
    file.unlink()
    file.symlink_to(victim / "passwd")
    for words in (("db", "get", "notes"), ("db", "set", "notes=x"), ("db", "start")):
        said = chyves(house, *words)
        assert (said.returncode, "secret" in said.stdout + said.stderr) == (1, False)
        assert f"{file}: is a link, which is not followed" in said.stderr
    file.unlink()
    file.write_text(text)


def test_links_below_img_are_no_disks_and_an_image_that_is_a_link_is_no_medium(house: Lab, victim: Path) -> None:
    img = config(house, "db").parents[1] / "img"
    (img / "link.raw").symlink_to(victim / "passwd")
    (img / "below").symlink_to(victim)
    before = everything(house)
    for line in ("delete img/link.raw", "delete img/../../x", "resize img/below/passwd 1M", "delete /etc/passwd"):
        words = ["db", "disk", *line.split(), *(["--yes"] if "delete" in line else [])]
        assert chyves(house, *words).returncode in (1, 2), words
    assert everything(house) == before
    assert "passwd" not in done(house, "list", "disks") and "link.raw" not in done(house, "list", "disks")
    (img / "link.raw").unlink()
    (img / "below").unlink()
    iso = house.root / "chyves" / house.pool / "ISO" / "setup.iso" / "setup.iso"
    iso.unlink()
    iso.symlink_to(victim / "passwd")
    said = chyves(house, "db", "start", "setup.iso")
    assert (said.returncode, said.stderr) == (
        1,
        f"chyves: setup.iso: {iso} is a link, which may lead to what is no image; put the file itself in its place\n",
    )
    iso.unlink()
    iso.write_bytes(bytes(1 << 16))


def test_hard_links_cannot_come_from_elsewhere_as_each_guest_is_a_file_system_of_its_own(house: Lab) -> None:
    """What root writes is a new file, so that another name of the old one keeps what it had."""
    file = config(house, "db")
    other = file.with_name("other")
    os.link(file, other)
    before = other.read_bytes()
    done(house, "db", "set", "notes=new")
    assert other.read_bytes() == before and file.stat().st_nlink == 1 and b"notes=new" in file.read_bytes()
    other.unlink()
    types = done_zfs(house, "list", "-H", "-o", "name", "-r", f"{house.pool}/chyves/guests/db").splitlines()
    assert {f"{house.pool}/chyves/guests/db{part}" for part in ("", "/.config", "/logs", "/img")} <= set(types)


def done_zfs(lab: Lab, *words: str) -> str:
    return subprocess.run([lab.bin / "zfs", *words], capture_output=True, text=True, check=True).stdout
