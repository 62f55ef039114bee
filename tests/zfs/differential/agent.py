"""Steps of a sequence on a machine with real OpenZFS: run here, or in a virtual machine as a program of its own.

As a program it reads requests from one named pipe and answers on another. It needs nothing but Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

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
        if not self.mounted():
            shutil.rmtree(self.prefix, ignore_errors=True)
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


def serve(place: str) -> None:
    """Answer requests that are written to one pipe in a directory, by writing to the other, until told to close."""
    machine = Machine(Path(place), "tank")
    call = ""
    while call != "close":
        with open(f"{place}/request", encoding="utf-8") as pipe:
            call, *arguments = json.loads(pipe.read())
        try:
            answer = {"answer": getattr(machine, call)(*arguments)}
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        with open(f"{place}/answer", "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)


if __name__ == "__main__":
    serve(sys.argv[1])
