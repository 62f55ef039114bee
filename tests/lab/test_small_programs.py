"""freebsd-version, uname, id, uuidgen, ps, pgrep, pkill, pciconf, devctl, acpidump, md5, stat, mount, rctl, protect."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chyves.lab.bhyve.title import set_title
from chyves.lab.place import Lab

Program = Callable[..., subprocess.CompletedProcess[str]]
Answer = subprocess.CompletedProcess[str]


def told(answer: Answer) -> tuple[int, str, str]:
    return answer.returncode, answer.stdout, answer.stderr


class TestSystem:
    def test_version(self, program: Program) -> None:
        assert program("freebsd-version").stdout == "14.3-RELEASE-p2\n"
        assert program("freebsd-version", "-k", "-r", "-u").stdout == "14.3-RELEASE-p2\n" * 3
        assert program("freebsd-version", "-x").returncode == 1

    def test_uname(self, program: Program) -> None:
        assert program("uname").stdout == "FreeBSD\n"
        assert program("uname", "-mr").stdout == "14.3-RELEASE-p2 amd64\n"
        assert program("uname", "-U").stdout == "1403000\n"
        assert program("uname", "-a").stdout.startswith("FreeBSD ")

    def test_everyone_is_root(self, program: Program) -> None:
        assert program("id", "-u").stdout == "0\n"
        assert program("id", "-un").stdout == "root\n"
        assert program("id", "-Gn").stdout == "wheel operator\n"
        assert program("id", "nobody").returncode == 1

    def test_uuids(self, program: Program, tmp_path: Path) -> None:
        lines = program("uuidgen", "-n", "3").stdout.split()
        assert [uuid.UUID(line).version for line in lines] == [1, 1, 1]
        assert len(set(lines)) == 3
        assert uuid.UUID(program("uuidgen", "-r").stdout.strip()).version == 4
        assert len(program("uuidgen", "-c").stdout.strip()) == 32
        assert program("uuidgen", "-o", str(tmp_path / "out")).stdout == ""
        assert uuid.UUID((tmp_path / "out").read_text().strip()).version == 1
        assert program("uuidgen", "-n", "0").returncode == 1


@pytest.fixture
def titled(lab: Lab) -> Iterator[Callable[[str], int]]:
    """Starts a process with a title that holds /dev/vmm/NAME of the lab open, as a bhyve does."""
    started: list[int] = []

    def start(title: str) -> int:
        node = lab.root / "dev" / "held"
        node.touch()
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                held = os.open(node, os.O_RDWR)
                set_title(title)
                os.write(writing, b"+")
                signal.pause()
                os.close(held)
            finally:
                os._exit(0)
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        started.append(pid)
        return pid

    yield start
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        os.waitpid(pid, 0)


class TestProcesses:
    def test_a_guest_is_found_by_its_title(self, program: Program, titled: Callable[[str], int]) -> None:
        web1, web10 = titled("bhyve: web1"), titled("bhyve: web10")
        assert told(program("pgrep", "-fx", "bhyve: web1")) == (0, f"{web1}\n", "")
        assert set(program("pgrep", "-f", "bhyve: web1").stdout.split()) == {str(web1), str(web10)}
        assert program("pgrep", "-f", "-l", "-x", "bhyve: web1").stdout == f"{web1} bhyve: web1\n"
        assert told(program("pgrep", "-fx", "bhyve: web2")) == (1, "", "")
        assert told(program("pgrep", "-q", "-fx", "bhyve: web1")) == (0, "", "")

    def test_a_guest_of_another_lab_is_not_seen(
        self, new_lab: Callable[..., Lab], program_in: Program, titled: Callable[[str], int]
    ) -> None:
        pid = titled("bhyve: web1")
        other = new_lab()
        assert program_in(other, "pgrep", "-fx", "bhyve: web1").returncode == 1
        assert program_in(other, "ps", "-p", str(pid)).returncode == 1

    def test_ps_of_one_process(self, program: Program, titled: Callable[[str], int]) -> None:
        pid = titled("bhyve: web1")
        assert told(program("ps", "-p", str(pid), "-o", "pid=", "-o", "command=")) == (0, f"{pid} bhyve: web1\n", "")
        assert program("ps", "-o", "ppid", "-p", str(pid)).stdout.split() == ["PPID", str(os.getpid())]
        head, row = program("ps", "-p", str(pid)).stdout.splitlines()
        assert head.split() == ["PID", "TT", "STAT", "TIME", "COMMAND"]
        assert row.endswith("bhyve: web1")

    def test_an_item_with_an_equals_sign_is_the_last_of_its_list(self, program: Program) -> None:
        me = str(os.getpid())
        assert program("ps", "-p", me, "-o", "ppid,pid=NUMBER,x").stdout.split() == [
            "PPID",
            "NUMBER,x",
            str(os.getppid()),
            me,
        ]

    def test_ps_of_none(self, program: Program) -> None:
        answer = program("ps", "-p", "999999999", "-o", "pid=")
        assert told(answer) == (1, "", "")

    @pytest.mark.parametrize("words", [("axww",), ("-axww",), ("-a", "-x", "-ww"), ("-ax", "-o", "pid,ppid,command")])
    def test_ps_of_all(self, program: Program, titled: Callable[[str], int], words: tuple[str, ...]) -> None:
        pid = titled("bhyve: web1")
        rows = program("ps", *words).stdout.splitlines()
        assert [row for row in rows if row.split()[0] == str(pid) and row.endswith("bhyve: web1")]

    def test_ps_shows_a_line_a_process(self, program: Program) -> None:
        script = "import sys\n\nsys.stdin.read()\t"
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as sleeper:
            try:
                shown = program("ps", "-p", str(sleeper.pid), "-o", "command=").stdout
                assert shown.endswith(" -c import sys^J^Jsys.stdin.read()^I\n")
                assert all(row.split()[0].isdigit() for row in program("ps", "axww").stdout.splitlines()[1:])
            finally:
                sleeper.communicate()

    def test_ps_refuses_unknown_words(self, program: Program) -> None:
        assert program("ps", "-o", "nonesuch").returncode == 1
        assert program("ps", "-Q").returncode == 1

    def test_a_program_of_the_lab_is_shown_as_it_was_called(self, lab: Lab, program: Program) -> None:
        program("ifconfig", "tap0", "create")
        from chyves.lab import network

        network.attach(lab, "tap0", 0, os.getpid())
        waiting = subprocess.Popen([lab.bin / "ifconfig", "tap0", "destroy"])
        try:
            assert program("ps", "-p", str(waiting.pid), "-o", "command=").stdout == "ifconfig tap0 destroy\n"
            assert program("pgrep", "-x", "ifconfig").stdout.split() == [str(waiting.pid)]
        finally:
            waiting.kill()
            waiting.wait()
            network.release(lab, "tap0", os.getpid())

    def test_a_pid_file(self, program: Program, titled: Callable[[str], int], tmp_path: Path) -> None:
        pid = titled("bhyve: web1")
        (tmp_path / "pid").write_text(f"{pid}\n")
        assert program("pgrep", "-F", str(tmp_path / "pid")).stdout == f"{pid}\n"
        assert program("pgrep", "-F", str(tmp_path / "pid"), "-fx", "bhyve: web2").returncode == 1
        assert program("pgrep", "-F", str(tmp_path / "none")).returncode == 3

    def test_wrong_calls(self, program: Program) -> None:
        assert program("pgrep").returncode == 2
        assert program("pgrep", "-Z", "x").returncode == 2
        assert program("pgrep", "-f", "(").returncode == 2

    def test_pkill_signals_only_what_was_meant(self, program: Program, titled: Callable[[str], int]) -> None:
        web1, web10 = titled("bhyve: web1"), titled("bhyve: web10")
        assert program("pkill", "-KILL", "-fx", "bhyve: web1").returncode == 0
        assert os.waitstatus_to_exitcode(os.waitpid(web1, 0)[1]) == -signal.SIGKILL
        assert os.waitpid(web10, os.WNOHANG) == (0, 0)
        assert program("pkill", "-9", "-fx", "bhyve: web1").returncode == 1


class TestHardware:
    def test_devices_in_a_line_each(self, program: Program) -> None:
        rows = program("pciconf", "-l").stdout.splitlines()
        assert all(
            re.fullmatch(r"\w+\d@pci0:\d+:\d+:\d+:\tclass=0x\w{6} rev=0x\w+ hdr=0x00 vendor=.*", row) for row in rows
        )
        assert "em0@pci0:0:25:0:" in [row.split("\t")[0] for row in rows]
        words = program("pciconf", "-lv", "em0").stdout.splitlines()
        assert words[1] == "    vendor     = 'Intel Corporation'"

    def test_older_releases_write_the_chip_together(self, new_lab: Callable[..., Lab], program_in: Program) -> None:
        assert " chip=0x15fa8086 " in program_in(new_lab("11.0"), "pciconf", "-l", "em0").stdout

    def test_a_device_is_given_to_guests(self, program: Program) -> None:
        busy = program("devctl", "set", "driver", "pci0:1:0:0", "ppt")
        assert busy.returncode == 1
        assert busy.stderr.startswith("devctl: Failed to set pci0:1:0:0 driver to ppt: ")
        program("kldload", "vmm")
        assert "Device busy" in program("devctl", "set", "driver", "pci0:1:0:0", "ppt").stderr
        assert told(program("devctl", "set", "driver", "-f", "pci0:1:0:0", "ppt")) == (0, "", "")
        assert program("pciconf", "-l", "pci0:1:0:0").stdout.startswith("ppt0@pci0:1:0:0:")
        assert program("devctl", "clear", "driver", "-f", "ppt0").returncode == 0
        assert program("pciconf", "-l", "pci0:1:0:0").stdout.startswith("vgapci1@")

    def test_detaching_and_attaching(self, program: Program) -> None:
        assert program("devctl", "detach", "nvme0").returncode == 0
        assert program("pciconf", "-l", "pci0:3:0:0").stdout.startswith("none0@")
        assert "Device not configured" in program("devctl", "detach", "pci0:3:0:0").stderr
        assert program("devctl", "attach", "pci0:3:0:0").returncode == 0
        assert program("devctl", "attach", "nonesuch0").returncode == 1

    def test_devices_set_aside_at_boot(self, program: Program, lab: Lab) -> None:
        with (lab.root / "boot/loader.conf").open("a") as file:
            file.write('pptdevs="1/0/0 1/0/1"\n')
        program("kldload", "vmm")
        rows = program("pciconf", "-l").stdout.splitlines()
        assert [row.split("@")[0] for row in rows if row.startswith("ppt")] == ["ppt0", "ppt1"]

    @pytest.mark.parametrize(("hardware", "table"), [({}, "DMAR"), ({"cpu": "amd"}, "IVRS"), ({"iommu": False}, None)])
    def test_acpi_tables_tell_of_the_iommu(
        self, new_lab: Callable[..., Lab], program_in: Program, hardware: dict[str, object], table: str | None
    ) -> None:
        text = program_in(new_lab(**hardware), "acpidump", "-t").stdout
        assert [name for name in ("DMAR", "IVRS") if name in text] == ([table] if table else [])
        assert "APIC" in text


class TestFiles:
    def test_checksums(self, program: Program, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("abc")
        place = str(tmp_path / "x")
        digest = "900150983cd24fb0d6963f7d28e17f72"
        assert program("md5", place).stdout == f"MD5 ({place}) = {digest}\n"
        assert program("md5", "-q", place).stdout == f"{digest}\n"
        assert program("md5", "-r", place).stdout == f"{digest} {place}\n"
        assert program("md5", "-s", "abc").stdout == f'MD5 ("abc") = {digest}\n'
        assert program("md5", "-qs", "abc").stdout == f"{digest}\n"
        assert program("md5").stdout == "d41d8cd98f00b204e9800998ecf8427e\n"
        assert program("sha256", "-q", place).stdout.startswith("ba7816bf8f01cfea414140de5dae2223")
        assert program("sha512", "-q", place).stdout.startswith("ddaf35a193617abacc417349ae204131")
        assert program("md5", "-c", digest, place).returncode == 0
        assert program("md5", "-c", "0" * 32, place).returncode == 2
        assert program("md5", str(tmp_path / "none")).returncode == 1

    def test_stat_in_formats(self, program: Program, tmp_path: Path, lab: Lab) -> None:
        (tmp_path / "x").write_text("abc")
        (tmp_path / "x").chmod(0o640)
        (tmp_path / "link").symlink_to("x")
        assert program("stat", "-f%z", str(tmp_path / "x")).stdout == "3\n"
        assert program("stat", "-f", "%N:%Lp:%Sp:%HT", str(tmp_path / "x")).stdout.startswith(
            f"{tmp_path}/x:640:-rw-r-----:"
        )
        assert program("stat", "-n", "-f", "%i", str(tmp_path / "x")).stdout == str((tmp_path / "x").stat().st_ino)
        assert program("stat", "-f", "%z", str(tmp_path / "link")).stdout == "1\n"
        assert program("stat", "-L", "-f", "%z", str(tmp_path / "link")).stdout == "3\n"
        assert told(program("stat", "-q", "-f", "%z", str(tmp_path / "none"))) == (1, "", "")
        assert "No such file or directory" in program("stat", str(tmp_path / "none")).stderr
        assert (
            program("stat", "-f", "%z", "/boot/loader.conf").stdout
            == f"{(lab.root / 'boot/loader.conf').stat().st_size}\n"
        )

    def test_mount_lists_file_systems(self, program: Program, lab: Lab) -> None:
        program("zfs", "create", "zroot/vm")
        assert program("mount").stdout.splitlines() == [
            f"zroot on {lab.root}/zroot (zfs, local, noatime, nfsv4acls)",
            f"zroot/vm on {lab.root}/zroot/vm (zfs, local, noatime, nfsv4acls)",
        ]
        assert program("mount", "-p").stdout.split("\n")[0].split() == [
            "zroot", f"{lab.root}/zroot", "zfs", "rw,noatime,nfsv4acls", "0", "0",
        ]  # fmt: skip


class TestLimits:
    def test_rctl_is_off_until_the_loader_switches_it_on(self, program: Program, lab: Lab) -> None:
        assert "RACCT/RCTL present, but disabled" in program("rctl").stderr
        with (lab.root / "boot/loader.conf").open("a") as file:
            file.write("kern.racct.enable=1\n")
        rule = f"process:{os.getpid()}:pcpu:deny=50"
        assert told(program("rctl", "-a", rule)) == (0, "", "")
        assert program("rctl").stdout == f"{rule}\n"
        assert program("rctl", "-a", "rubbish").returncode == 1
        for rule, problem in (
            ("pcpu:throttle=50", "Operation not supported"),
            ("readbps:deny=1M", "Operation not supported"),
            ("disks:deny=1", "Invalid argument"),
        ):
            assert problem in program("rctl", "-a", f"process:{os.getpid()}:{rule}").stderr
        assert "No such process" in program("rctl", "-a", "process:999999999:pcpu:deny=50").stderr
        raised = (f"process:{os.getpid()}:pcpu:deny=60", f"process:{os.getpid()}:readbps:throttle=1M")
        assert told(program("rctl", "-a", *raised)) == (0, "", "")
        assert program("rctl").stdout.splitlines() == [*raised]
        assert program("rctl", "-r", f"process:{os.getpid()}").returncode == 0
        assert program("rctl").stdout == ""

    def test_protect_runs_the_command(self, program: Program) -> None:
        assert told(program("protect", "-i", "sh", "-c", "echo out; exit 5")) == (5, "out\n", "")
        assert program("protect", "-p", str(os.getpid())).returncode == 0
        assert program("protect", "-p", "999999999").returncode == 1
        assert program("protect").returncode == 1


def test_programs_start_quickly_because_they_import_little(lab: Lab) -> None:
    """What none of them needs: counted, not timed."""
    heavy = {"asyncio", "http", "email", "typing_extensions", "argparse", "logging"}
    for name in ("ifconfig", "kldstat", "sysctl", "pgrep"):
        script = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); import chyves.lab.programs.{name}"
        )
        loaded = subprocess.run(
            ["python3", "-ISc", f"{script}; print(*sys.modules)"], capture_output=True, text=True, check=True
        ).stdout.split()
        assert not heavy & set(loaded), name


def test_a_wait_is_left_by_a_signal(lab: Lab, program: Program) -> None:
    """`ifconfig tap destroy` waits interruptibly, so that a manager's own time limit can end it."""
    from chyves.lab import network

    program("ifconfig", "tap0", "create")
    network.attach(lab, "tap0", 0, os.getpid())
    waiting = subprocess.Popen([lab.bin / "ifconfig", "tap0", "destroy"], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(60) == -signal.SIGTERM
    network.release(lab, "tap0", os.getpid())
    assert program("ifconfig", "tap0", "destroy", timeout=60).returncode == 0
