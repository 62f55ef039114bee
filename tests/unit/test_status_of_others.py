"""How a process ended that is not a child: FreeBSD tells, through an event queue that stands in here."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from chyves.host import processes
from chyves.host.processes import wait_for_status


def system(*data: int) -> SimpleNamespace:
    """What FreeBSD's Python has in its module select; the queue tells these ends, or of no such process."""

    class Queue:
        def control(self, wanted: list[tuple[int, ...]], most: int, seconds: float | None) -> list[Any]:
            assert (most, seconds) == (1, None)
            assert wanted == [(77, -5, 1 | 16, 0x80000000)]
            if not data:
                raise ProcessLookupError
            return [SimpleNamespace(ident=77, data=data[0])]

        def close(self) -> None:
            closed.append(self)

    def event(*words: int) -> tuple[int, ...]:
        return words

    closed: list[Queue] = []
    names = {"KQ_FILTER_PROC": -5, "KQ_EV_ADD": 1, "KQ_EV_ONESHOT": 16, "KQ_NOTE_EXIT": 0x80000000}
    return SimpleNamespace(kqueue=Queue, kevent=event, closed=closed, **names)


@pytest.mark.parametrize(("data", "status"), [(0, 0), (1 << 8, 1), (4 << 8, 4), (signal.SIGKILL, -9), (0x80 | 11, -11)])
def test_the_status_is_as_wait_has_it(monkeypatch: pytest.MonkeyPatch, data: int, status: int) -> None:
    freebsd = system(data)
    monkeypatch.setattr(processes, "select", freebsd)
    assert wait_for_status(77) == status
    assert len(freebsd.closed) == 1


def test_of_a_process_that_is_gone_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    freebsd = system()
    monkeypatch.setattr(processes, "select", freebsd)
    assert wait_for_status(77) is None
    assert len(freebsd.closed) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="FreeBSD tells")
def test_linux_tells_nothing_but_the_end() -> None:
    with subprocess.Popen(["sleep", "0"]) as process:
        assert wait_for_status(process.pid) is None
