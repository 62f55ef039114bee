"""make install, deinstall, installrc and rcremove; and the order in which the rc.d script starts guests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]

RC_SUBR = """\
load_rc_config() { chyves_enable=YES; }
run_rc_command() { eval "\\$${1}_cmd"; }
"""

CHYVES = """\
#!/bin/sh
echo "$*" >> "{told}"
case "$*" in
"list rcboot -H") cat "{rows}" ;;
*) exit {status} ;;
esac
"""


def make(*words: str) -> None:
    subprocess.run(["make", "-s", f"PYTHON={sys.executable}", *words], cwd=TOP, check=True, stdout=subprocess.DEVNULL)


def files(top: Path) -> set[str]:
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}


def test_install_makes_a_program_that_runs_and_deinstall_leaves_nothing(tmp_path: Path) -> None:
    make("install", f"PREFIX={tmp_path}")
    program = tmp_path / "sbin" / "chyves"
    assert program.stat().st_mode & 0o777 == 0o555
    # With -P the checkout is not in the way: what runs is what was installed.
    helped = subprocess.run([sys.executable, "-P", program, "help"], cwd="/", text=True, capture_output=True)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "create" in helped.stdout
    make("deinstall", f"PREFIX={tmp_path}")
    assert files(tmp_path) == set()


def test_install_below_destdir_names_the_final_place(tmp_path: Path) -> None:
    make("install", "installrc", "PREFIX=/opt/x", f"DESTDIR={tmp_path}")
    assert 'sys.path.insert(0, "/opt/x/lib/' in (tmp_path / "opt/x/sbin/chyves").read_text()
    assert "command=/opt/x/sbin/chyves\n" in (tmp_path / "opt/x/etc/rc.d/chyves").read_text()
    make("deinstall", "rcremove", "PREFIX=/opt/x", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == set()


def rc(tmp_path: Path, verb: str, rows: str, status: int = 0) -> tuple[int, list[str]]:
    """Run the rc.d script over a chyves that notes what it was told and lists the given rows."""
    told = tmp_path / "told"
    (tmp_path / "rows").write_text(rows)
    (tmp_path / "rc.subr").write_text(RC_SUBR)
    program = tmp_path / "chyves"
    program.write_text(CHYVES.format(told=told, rows=tmp_path / "rows", status=status))
    program.chmod(0o755)
    text = (TOP / "rc.d" / "chyves").read_text()
    text = text.replace("/etc/rc.subr", str(tmp_path / "rc.subr")).replace("/usr/local/sbin/chyves", str(program))
    (tmp_path / "rc").write_text(text)
    done = subprocess.run(["sh", tmp_path / "rc", verb], env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL)
    return done.returncode, told.read_text().splitlines()


@pytest.mark.parametrize(
    ("rows", "commands"),
    [
        ("web1\t50\nweb10\t50\ndb\t100\nold\t0\n", ["list rcboot -H", "db,web1,web10 start"]),
        ("b\t9\na\t10\nc\t-\n", ["list rcboot -H", "a,b start"]),
        ("old\t0\n", ["list rcboot -H"]),
        ("", ["list rcboot -H"]),
    ],
)
def test_boot_starts_guests_by_falling_rcboot_then_by_name(tmp_path: Path, rows: str, commands: list[str]) -> None:
    assert rc(tmp_path, "start", rows) == (0, commands)


def test_shutdown_stops_all(tmp_path: Path) -> None:
    assert rc(tmp_path, "stop", "") == (0, ["all stop"])


def test_a_guest_that_did_not_start_is_told_to_the_host(tmp_path: Path) -> None:
    assert rc(tmp_path, "start", "web1\t1\n", status=1)[0] == 1
