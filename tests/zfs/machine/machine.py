"""A virtual machine with a real OpenZFS, in which tests run commands as root.

    with ZfsMachine.boot("2.3", place, disks=["512M"]) as machine:
        machine.make_pool("tank", machine.disk(0))
        said = machine.run("zfs", "list", "-H")        # said.status, said.stdout, said.stderr
        machine.put("/root/note", b"text")
        machine.cut_power()                            # as a power cut: what the guest had only in memory is lost
        machine.boot_again()
        machine.done("zpool", "import", "tank")

`place` is a directory for the pictures of the disks and the log of the console; it is the caller's, and so are the
disks after the machine's end. A command costs a round trip of a few milliseconds and a fork in the guest (some 30 ms
under emulation); a shell line (`machine.shell("zfs send a@b | zfs receive c")`) costs one more.

Inside, this checkout is at /house, with the Python packages of its tests (`machine.python("-m", "pytest", ...)`); its
root file system is in memory, so that nothing but the disks is there after a power cut. A program inside cuts the
power by itself at the very moment that it chooses by running `cut-power`: `run` then raises PowerCut.

**What a power cut loses.** QEMU is killed with SIGKILL. What the guest has written to a disk is in its picture, as the
host lives on (so flushes are not handed on, which is quick and loses nothing here). What the guest still had in its
memory is lost: of ZFS all that no transaction group or intent log has brought to disk, and so everything that chyves
did not make durable.

The machine ends with the process that booted it, however that ends.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.zfs.machine.image import Image, Release, built, house_disk

MEMORY = "1G"
PATIENCE = 600.0
"""Seconds that a machine has to boot, and a command to end unless told otherwise: many times what it takes."""

TRIES, UNFOUND = 5, "failed to detect device partitions"

Environment = Mapping[str, str]
NOTHING: Environment = {}
HOUSE = {"PYTHONPATH": "/house:/house/packages", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}


class PowerCut(Exception):
    """The machine has no power any more: a program in it, or the test, cut it."""


class Silent(Exception):
    """The machine does not answer in time; the words have the end of its console."""


@dataclass(frozen=True)
class Said:
    """What a command in the machine said and ended with (status -n: signal n)."""

    status: int
    stdout: str
    stderr: str


class Running:
    """A command that runs in the machine; what it is doing there goes on, also when nobody waits."""

    def __init__(self, machine: ZfsMachine, number: int) -> None:
        self._machine = machine
        self._number = number

    def said(self, timeout: float = PATIENCE) -> Said:
        """Wait for its end. Raises Silent when that takes more seconds than `timeout`; PowerCut when the power goes."""
        answer = self._machine.answer(self._number, timeout)
        return Said(answer["status"], answer["stdout"], answer["stderr"])


class ZfsMachine:
    """A virtual machine with a real OpenZFS; see the head of this file."""

    def __init__(self, image: Image, house: Path, place: Path, disks: Sequence[Path], memory: str = MEMORY) -> None:
        self.release = image.release
        self._image = image
        self._house = house
        self._place = place
        self._disks = disks
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def boot(
        cls,
        release: Release,
        place: Path,
        disks: Sequence[str] = (),
        house: Path | None = None,
        memory: str = MEMORY,
    ) -> Iterator[ZfsMachine]:
        """Boot a machine with OpenZFS of a release, and empty disks of these sizes (`512M`, as truncate has them).

        `house` is a disk that `house_disk` made, for those who boot many machines. Raises NoMachine where this machine
        can have none; the fixtures in tests/zfs/conftest.py make a skip of that.
        """
        image = built(release)
        place.mkdir(exist_ok=True)
        pictures = [place / f"data{number}.img" for number in range(len(disks))]
        for picture, size in zip(pictures, disks, strict=True):
            subprocess.run(["truncate", "-s", size, picture], check=True)
        machine = cls(image, house or house_disk(place), place, pictures, memory)
        try:
            machine.boot_again()
            yield machine
        finally:
            machine.cut_power()

    def disk(self, number: int) -> str:
        """The device in the machine that is one of its disks, from 0 on."""
        return f"/dev/disk/by-id/virtio-data{number}"

    def run(
        self, *argv: str, stdin: str = "", env: Environment = NOTHING, cwd: str = "/root", timeout: float = PATIENCE
    ) -> Said:
        """Run a program as root and wait for its end.

        Raises OSError when there is no such program, PowerCut when the power goes meanwhile, and Silent when it takes
        more than `timeout` seconds; it then runs on.
        """
        return self.start(*argv, stdin=stdin, env=env, cwd=cwd).said(timeout)

    def start(self, *argv: str, stdin: str = "", env: Environment = NOTHING, cwd: str = "/root") -> Running:
        """Run a program as root, and do not wait for it."""
        request = {"do": "run", "argv": argv, "stdin": stdin, "env": {**env}, "cwd": cwd}
        return Running(self, self._ask(request))

    def done(self, *argv: str, env: Environment = NOTHING) -> str:
        """Run a program that must succeed; what it said on standard output."""
        said = self.run(*argv, env=env)
        assert said.status == 0, f"{' '.join(argv)}: status {said.status}\n{said.stdout}{said.stderr}"
        return said.stdout

    def make_pool(self, name: str, disk: str, *options: str) -> None:
        """Make a pool of a whole disk; zpool, which does not wait long for udev to find its parts, is asked again."""
        for _ in range(TRIES):
            said = self.run("zpool", "create", "-f", *options, name, disk)
            if said.status == 0 or UNFOUND not in said.stderr:
                break
        assert said.status == 0, f"zpool create {name}: status {said.status}\n{said.stdout}{said.stderr}"

    def shell(self, line: str, timeout: float = PATIENCE) -> Said:
        """Run a line of sh."""
        return self.run("sh", "-c", line, timeout=timeout)

    def python(self, *argv: str, env: Environment = NOTHING, timeout: float = PATIENCE) -> Said:
        """Run Python in /house, with this checkout and the packages of its tests to import."""
        return self.run("python3", *argv, env={**HOUSE, **env}, cwd="/house", timeout=timeout)

    def put(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file in the machine, and the directories above it."""
        text = base64.b64encode(content).decode()
        self.answer(self._ask({"do": "put", "path": path, "content": text, "mode": mode}))

    def get(self, path: str) -> bytes:
        """Read a file in the machine; raises OSError where that fails."""
        content: str = self.answer(self._ask({"do": "get", "path": path}))["content"]
        return base64.b64decode(content)

    def unplug(self, number: int) -> None:
        """Pull out one of its disks, as from a running host; what is on it stays."""
        self._monitor("device_del", until="DEVICE_DELETED", id=f"data{number}")

    def plug(self, number: int) -> None:
        """Put a disk back that was pulled out."""
        self._monitor("device_add", **self._device(f"data{number}"))

    def cut_power(self) -> None:
        """End the machine as a power cut does; its disks stay. Nothing happens when it is off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            for end in (self._agent, self._power, self._qmp):
                end.close()

    def boot_again(self) -> None:
        """Boot with the same disks, after a power cut; pools are then not imported."""
        self._answers: dict[int, dict[str, Any]] = {}
        self._count = 0
        self._rest = b""
        self._greeted = False
        ends = [socket.socketpair() for _ in range(3)]
        self._agent, self._power, self._qmp = (ours for ours, _ in ends)
        theirs = [end.fileno() for _, end in ends]
        with (self._place / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command(*theirs)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=theirs,
            )
        for _, end in ends:
            end.close()
        self.answer(0)

    def _command(self, agent: int, power: int, qmp: int) -> list[str]:
        words = """qemu-system-x86_64 -display none -nodefaults -no-reboot -machine pc -accel tcg,thread=multi
            -cpu max,la57=off -device virtio-rng-pci -device virtio-serial-pci""".split()
        words += ["-m", self._memory, "-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd)]
        words += ["-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"]
        words += ["-serial", f"file:{self._place / 'console.log'}"]
        for name, end in ("agent", agent), ("power", power):
            words += ["-chardev", f"socket,id={name},fd={end}", "-device", f"virtserialport,chardev={name},name={name}"]
        words += ["-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control"]
        read_only = ("root", self._image.root), ("house", self._house)
        for name, picture in read_only:
            words += ["-drive", f"if=none,id={name}-drive,format=raw,file={picture},readonly=on"]
            words += ["-device", json.dumps(self._device(name))]
        for number, picture in enumerate(self._disks):
            name = f"data{number}"
            file = {"driver": "file", "filename": str(picture), "discard": "unmap"}
            cache = {"direct": False, "no-flush": True}
            node = {"driver": "raw", "node-name": f"{name}-drive", "file": file, "cache": cache, "discard": "unmap"}
            words += ["-blockdev", json.dumps(node)]
            words += ["-device", json.dumps(self._device(name))]
        return words

    def _device(self, name: str) -> dict[str, str]:
        return {"driver": "virtio-blk-pci", "id": name, "drive": f"{name}-drive", "serial": name}

    def _ask(self, request: dict[str, Any]) -> int:
        """Send a request to the agent inside; its number."""
        self._count += 1
        try:
            self._agent.sendall(json.dumps({"number": self._count, **request}).encode() + b"\n")
        except OSError as error:
            raise PowerCut from error
        return self._count

    def answer(self, number: int, timeout: float = PATIENCE) -> dict[str, Any]:
        """The answer to a request of this number, when it comes."""
        deadline = time.monotonic() + timeout
        while number not in self._answers:
            self._listen(deadline)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    def _listen(self, deadline: float) -> None:
        """Take what comes from inside until the deadline."""
        if self._process is None:
            raise PowerCut
        left = max(0, deadline - time.monotonic())
        ready, _, _ = select.select([self._agent, self._power], [], [], left)
        if not ready:
            raise Silent(f"the ZFS machine ({self.release}) does not answer; its console:\n{self._console()}")
        if self._power in ready and self._power.recv(64):
            self.cut_power()
            raise PowerCut
        came = self._agent.recv(1 << 20) if self._agent in ready else b""
        if self._agent in ready and not came:
            raise Silent(f"the ZFS machine ({self.release}) has ended by itself; its console:\n{self._console()}")
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            self._answers[answer["number"]] = answer

    def _monitor(self, command: str, until: str = '"return"', **arguments: str) -> None:
        """Tell QEMU something (QMP), and wait until it says that it has been done."""
        if not self._greeted:
            self._greeted = True
            self._monitor("qmp_capabilities")
        self._qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        said = b""
        while until.encode() not in said:
            said += self._qmp.recv(1 << 16)
            assert b'"error"' not in said, said.decode()

    def _console(self) -> str:
        logs = (self._place / name for name in ("console.log", "qemu.log"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())
