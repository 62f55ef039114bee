"""sysrc and service (reference: freebsd.md sections 7.1 and 7.2)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Answer = subprocess.CompletedProcess[str]


def told(answer: Answer) -> tuple[int, str, str]:
    return answer.returncode, answer.stdout, answer.stderr


class TestSysrc:
    def test_setting_and_asking(self, program: Program, lab: Lab) -> None:
        assert program("sysrc", "chyves_enable=YES").stdout == "chyves_enable:  -> YES\n"
        assert program("sysrc", "chyves_enable").stdout == "chyves_enable: YES\n"
        assert program("sysrc", "-n", "chyves_enable").stdout == "YES\n"
        assert program("sysrc", "chyves_enable=NO").stdout == "chyves_enable: YES -> NO\n"
        assert (lab.root / "etc/rc.conf").read_text().count("chyves_enable") == 1

    def test_unknown_variables(self, program: Program) -> None:
        assert told(program("sysrc", "-n", "nonesuch")) == (1, "", "sysrc: unknown variable 'nonesuch'\n")
        assert told(program("sysrc", "-i", "-n", "nonesuch")) == (0, "", "")
        assert program("sysrc", "-x", "nonesuch").returncode == 1

    def test_lists(self, program: Program) -> None:
        program("sysrc", "kld_list=vmm")
        assert program("sysrc", "kld_list+=nmdm").stdout == "kld_list: vmm -> vmm nmdm\n"
        assert program("sysrc", "kld_list+=nmdm").stdout == "kld_list: vmm nmdm -> vmm nmdm\n"
        assert program("sysrc", "kld_list-=vmm").stdout == "kld_list: vmm nmdm -> nmdm\n"
        assert program("sysrc", "things+=,a").stdout == "things:  -> a\n"
        assert program("sysrc", "things+=,b").stdout == "things: a -> a,b\n"

    def test_checking_changes_nothing(self, program: Program, lab: Lab) -> None:
        before = (lab.root / "etc/rc.conf").read_text()
        assert program("sysrc", "-c", "zfs_enable=YES").returncode == 0
        assert program("sysrc", "-c", "zfs_enable=NO").returncode == 1
        assert program("sysrc", "-c", "nonesuch").returncode == 1
        assert (lab.root / "etc/rc.conf").read_text() == before

    def test_removing(self, program: Program, lab: Lab) -> None:
        program("sysrc", "a_enable=YES", "b_enable=YES")
        assert told(program("sysrc", "-x", "a_enable")) == (0, "", "")
        assert "a_enable" not in (lab.root / "etc/rc.conf").read_text()
        assert program("sysrc", "-n", "b_enable").stdout == "YES\n"

    def test_a_file_of_one_s_own_may_be_quoted_as_one_likes(self, program: Program, tmp_path: Path) -> None:
        file = tmp_path / "guest.conf"
        file.write_text("# guests\nloader='uefi'\ncpu=2 # two\nname=\"a b\"\ncpu=4\n")
        assert program("sysrc", "-nf", str(file), "loader", "cpu", "name").stdout == "uefi\n4\na b\n"
        program("sysrc", "-f", str(file), "cpu=8", "new=1")
        assert file.read_text() == '# guests\nloader=\'uefi\'\ncpu=2 # two\nname="a b"\ncpu="8"\nnew="1"\n'
        assert program("sysrc", "-inqf", str(tmp_path / "none"), "cpu").stdout == ""

    def test_all(self, program: Program) -> None:
        assert "zfs_enable: YES" in program("sysrc", "-a").stdout.splitlines()
        assert 'zfs_enable="YES"' in program("sysrc", "-ae").stdout.splitlines()

    def test_a_name_that_the_shell_would_not_take(self, program: Program) -> None:
        assert program("sysrc", "a-b.c=1").returncode == 1


SCRIPT = """\
#!/bin/sh
# PROVIDE: demo
# KEYWORD: shutdown
. /etc/rc.subr
name=demo
rcvar=demo_enable
desc="A demonstration"
load_rc_config $name
: ${demo_enable:="NO"}
start_cmd="demo_start"
stop_cmd=:
status_cmd="echo is demonstrated"
extra_commands="frobnicate"
frobnicate_cmd="echo frobbed $rc_arg"
required_modules="nmdm"
demo_start() { echo "started at $HOME"; return 3; }
run_rc_command "$1"
"""


class TestService:
    @pytest.fixture(autouse=True)
    def script(self, lab: Lab) -> None:
        place = lab.root / "usr/local/etc/rc.d/demo"
        place.write_text(SCRIPT)
        place.chmod(0o555)

    def test_a_service_that_is_not_enabled_is_not_started(self, program: Program) -> None:
        answer = program("service", "demo", "start")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert "Set demo_enable to YES" in answer.stdout

    def test_an_enabled_one_is_with_a_boot_s_environment(self, program: Program) -> None:
        program("sysrc", "demo_enable=YES")
        answer = program("service", "demo", "start")
        assert (answer.returncode, answer.stdout) == (3, "started at /\n")
        assert program("kldstat", "-qm", "nmdm").returncode == 0
        assert program("service", "-e").stdout == "/usr/local/etc/rc.d/demo\n"

    def test_prefixes_and_commands(self, program: Program) -> None:
        assert program("service", "demo", "onestart").stdout == "started at /\n"
        assert program("service", "demo", "forcestart").stdout == "started at /\n"
        assert program("service", "demo", "faststart").stderr == ""
        assert program("service", "demo", "status").stdout == "is demonstrated\n"
        assert program("service", "demo", "frobnicate").stdout.startswith("frobbed")
        assert program("service", "demo", "describe").stdout == "A demonstration\n"
        unknown = program("service", "demo", "nonesuch")
        assert unknown.returncode == 1
        assert "unknown directive 'nonesuch'" in unknown.stderr

    def test_enabling(self, program: Program) -> None:
        assert program("service", "demo", "enabled").returncode == 1
        assert program("service", "demo", "enable").returncode == 0
        assert program("service", "demo", "enabled").returncode == 0

    def test_a_service_that_is_not_there(self, program: Program) -> None:
        answer = program("service", "nonesuch", "start")
        assert answer.returncode == 1
        assert answer.stderr.startswith("nonesuch does not exist in /etc/rc.d")
