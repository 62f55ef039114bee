"""The ZFS machine as one whose zfs is compared with the lab's."""

from __future__ import annotations

import json
from typing import Any

from tests.zfs.differential.steps import Said
from tests.zfs.machine.machine import ZfsMachine

_PLACE = "/tmp/differential"


class GuestSide:
    """The steps are done by tests/zfs/differential/agent.py in the machine: a step costs no process but its own."""

    prefix = f"{_PLACE}/root"

    def __init__(self, machine: ZfsMachine) -> None:
        self._machine = machine
        machine.done("mkdir", "-p", _PLACE)
        machine.done("mkfifo", f"{_PLACE}/request", f"{_PLACE}/answer")
        # What udev does with a new volume makes it busy for a moment, at no moment that could be known.
        machine.run("udevadm", "control", "--stop-exec-queue")
        machine.start("python3", "/house/tests/zfs/differential/agent.py", _PLACE, env={"PYTHONPATH": "/house"})

    def _call(self, *words: object) -> Any:
        self._machine.put(f"{_PLACE}/request", json.dumps(words).encode())
        told = json.loads(self._machine.get(f"{_PLACE}/answer"))
        if "failed" in told:
            raise RuntimeError(f"{words}: {told['failed']}")
        return told["answer"]

    def reset(self, size: int) -> None:
        self._call("reset", size)

    def run(self, words: list[str]) -> Said:
        return _said(self._call("run", words))

    def patient(self, words: list[str]) -> Said:
        return _said(self._call("patient", words))

    def pipe(self, send: list[str], receive: list[str], part: float) -> list[Said]:
        return [_said(one) for one in self._call("pipe", send, receive, part)]

    def resume(self, dataset: str, receive: list[str]) -> list[Said]:
        return [_said(one) for one in self._call("resume", dataset, receive)]

    def write(self, dataset: str, name: str, seed: int, size: int) -> str:
        return str(self._call("write", dataset, name, seed, size))

    def sit(self, dataset: str) -> str:
        return str(self._call("sit", dataset))

    def rise(self) -> None:
        self._call("rise")

    def contents(self) -> dict[str, dict[str, str] | str]:
        found: dict[str, dict[str, str] | str] = self._call("contents")
        return found

    def close(self) -> None:
        """Leave the machine as it was."""
        self._call("close")
        self._machine.done("rm", "-r", _PLACE)
        self._machine.run("udevadm", "control", "--start-exec-queue")


def _said(answer: list[Any]) -> Said:
    status, out, err = answer
    return int(status), str(out), str(err)
