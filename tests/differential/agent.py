"""Steps of a sequence on a machine with real OpenZFS: run here, or in a virtual machine as a program of its own.

As a program it reads requests from a serial line, one JSON object a line, and answers each with one line. It needs
nothing but Python, so that it can be copied into any machine.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Said = tuple[int, str, str]

_NAME_OF_ZVOL = 0x8100127D  # BLKZNAME of Linux: _IOR(0x12, 125, char[256])
_READ = 1 << 20
_TRIES = 4


def payload(seed: int, size: int) -> bytes:
    """What a step writes: not compressible, and the same on every machine."""
    return random.Random(seed).randbytes(size)


def digest(path: Path) -> str:
    """What the beginning of a file or device is."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(_READ)).hexdigest()[:12]


def files(top: Path, others: set[str]) -> dict[str, str]:
    """The files in a file system, without those of others that are mounted below it."""
    found: dict[str, str] = {}
    for directory, below, inside in os.walk(top):
        below[:] = [one for one in below if f"{directory}/{one}" not in others and one != ".zfs"]
        found.update({os.path.relpath(f"{directory}/{one}", top): digest(Path(directory, one)) for one in inside})
    return found


class Machine:
    """Real OpenZFS: a pool on a file below `top`, its mountpoints there too."""

    def __init__(self, top: Path, pool: str) -> None:
        self.top, self.pool = top, pool
        self.prefix = f"{top}/root"
        self._sitting: list[subprocess.Popen[bytes]] = []

    def reset(self, size: int) -> None:
        """Make the pool anew, with nothing in it."""
        self.rise()
        for attempt in range(_TRIES):
            status, _, err = self.run(["zpool", "destroy", "-f", self.pool])
            if status == 0 or "no such pool" in err:
                break
            time.sleep(attempt)
        disk = self.top / "disk"
        disk.unlink(missing_ok=True)
        with open(disk, "wb") as file:
            file.truncate(size)
        words = ["zpool", "create", "-O", "atime=off", "-R", self.prefix, self.pool, str(disk)]
        status, _, err = self.run(words)
        if status:
            raise RuntimeError(f"{' '.join(words)}: {err}")

    def close(self) -> None:
        """Leave nothing behind."""
        self.rise()
        self.run(["zpool", "destroy", "-f", self.pool])
        (self.top / "disk").unlink(missing_ok=True)

    def run(self, words: Sequence[str], given: bytes | None = None) -> Said:
        done = subprocess.run(
            words, input=given, stdin=subprocess.DEVNULL if given is None else None, capture_output=True, env=_PLAIN
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def patient(self, words: Sequence[str]) -> Said:
        """Run a command again while it is told that something is busy: udev looks at new volumes on its own."""
        said = self.run(words)
        for _ in range(_TRIES):
            if not (said[0] and "busy" in said[2]):
                break
            time.sleep(0.2)
            said = self.run(words)
        return said

    def pipe(self, send: Sequence[str], receive: Sequence[str], part: float) -> list[Said]:
        """Send into a receiver, or (`part` below 1) only the beginning of the stream."""
        done = subprocess.run(send, stdin=subprocess.DEVNULL, capture_output=True, env=_PLAIN)
        stream = done.stdout if part == 1 else done.stdout[: int(len(done.stdout) * part)]
        return [(done.returncode, "", done.stderr.decode(errors="replace")), self.run(receive, stream)]

    def resume(self, dataset: str, receive: Sequence[str]) -> list[Said]:
        """Send and receive the rest of a stream that was cut off."""
        token = self.run(["zfs", "get", "-H", "-o", "value", "receive_resume_token", dataset])[1].strip()
        return self.pipe(["zfs", "send", "-t", token], receive, 1)

    def write(self, dataset: str, name: str, seed: int, size: int) -> str:
        """Write a file into a file system, or over the beginning of a volume; where that cannot be, why."""
        place = self.mounted().get(dataset)
        device = None if place else self._device(dataset)
        if not place and not device:
            return "no place"
        try:
            with open(device or Path(str(place), name), "r+b" if device else "wb") as file:
                file.write(payload(seed, size))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return type(error).__name__
        return "written"

    def sit(self, dataset: str) -> str:
        """Have a process stand in a file system, or hold a volume open."""
        place = self.mounted().get(dataset)
        device = None if place else self._device(dataset)
        if place:
            self._sitting.append(subprocess.Popen(["sleep", "1000"], cwd=place))
        elif device:
            with open(device, "rb") as file:
                self._sitting.append(subprocess.Popen(["sleep", "1000"], stdin=file))
        return "sitting" if place or device else "no place"

    def rise(self) -> None:
        """End those processes."""
        for process in self._sitting:
            process.kill()
            process.wait()
        self._sitting = []

    def mounted(self) -> dict[str, str]:
        """Where the pool's file systems are mounted."""
        if sys.platform == "linux":
            table = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        else:
            table = self.run(["mount", "-p"])[1]
        rows = [line.split() for line in table.splitlines()]
        mine = (self.pool, f"{self.pool}/")
        return {row[0]: row[1] for row in rows if row[2] == "zfs" and (row[0] == mine[0] or row[0].startswith(mine[1]))}

    def contents(self) -> dict[str, dict[str, str] | str]:
        """What is in the file systems that are mounted, and in the volumes."""
        systems = self.mounted()
        found: dict[str, dict[str, str] | str] = {}
        for name, place in systems.items():
            found[name] = files(Path(place), set(systems.values()) - {place})
        for line in self.run(["zfs", "list", "-H", "-o", "name", "-t", "volume", "-r", self.pool])[1].splitlines():
            device = self._device(line)
            if device:
                found[line] = digest(device)
        return found

    def _device(self, dataset: str) -> Path | None:
        if sys.platform != "linux":
            device = Path("/dev/zvol", dataset)
            return device if device.exists() else None
        for attempt in range(2):
            time.sleep(0.1 * attempt)
            for node in Path("/sys/block").glob("zd*"):
                with contextlib.suppress(OSError), open(f"/dev/{node.name}", "rb") as file:
                    if fcntl.ioctl(file, _NAME_OF_ZVOL, bytes(256)).rstrip(b"\0").decode() == dataset:
                        return Path("/dev", node.name)
        return None


_PLAIN = {**os.environ, "LC_ALL": "C", "TZ": "UTC", "POSIXLY_CORRECT": "1"}


def _requests(descriptor: int) -> Iterator[dict[str, Any]]:
    with open(descriptor, "rb", buffering=0, closefd=False) as line:
        held = b""
        while True:
            held += line.read(4096) or b""
            while b"\n" in held:
                request, held = held.split(b"\n", 1)
                if request.strip():
                    yield json.loads(request)


def serve(device: str) -> None:
    """Answer requests that come over a serial line until one says that it is the last."""
    import tty

    descriptor = os.open(device, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    machine: Machine | None = None
    os.write(descriptor, b"ready\n")
    for request in _requests(descriptor):
        try:
            if request["call"] == "machine":
                machine = Machine(Path(request["top"]), request["pool"])
                machine.top.mkdir(parents=True, exist_ok=True)
                answer: Any = None
            else:
                answer = getattr(machine, request["call"])(*request["with"])
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        text = base64.b64encode(zlib.compress(json.dumps([request.get("id"), answer]).encode(), 1)) + b"\n"
        while text:
            text = text[os.write(descriptor, text) :]
        if request["call"] == "close":
            return


if __name__ == "__main__":
    serve(sys.argv[1])
