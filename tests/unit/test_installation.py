"""make install, deinstall, installrc and rcremove."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]


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
    assert '"${chyves_program:=/opt/x/sbin/chyves}"' in (tmp_path / "opt/x/etc/rc.d/chyves").read_text()
    make("deinstall", "rcremove", "PREFIX=/opt/x", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == set()
