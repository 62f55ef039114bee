"""`events -f` as scripts use it: several at once, one is killed, the file is put aside below them, a guest crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chyves.lab.place import Lab
from tests.host_commands import done, environment

PATIENCE = 60


def follower(lab: Lab, told: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "chyves", "events", "-f"]
    with told.open("wb") as file:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, env=environment(lab))


def events_in(*files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines() if line]


def wait_for(told: Path, event: str, count: int = 1) -> None:
    """Wait until somebody was told so many events of a name."""
    deadline = time.monotonic() + PATIENCE
    while sum(found["event"] == event for found in events_in(told)) < count:
        assert time.monotonic() < deadline, f"no {event}: {told.read_text()}"
        time.sleep(0.05)


def test_complaint_4_every_change_is_one_line_whatever_happens_to_those_who_read_and_to_the_file(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    done(lab, "dataset", "zroot", "install")
    places = [tmp_path / name for name in ("one", "two", "killed")]
    one, two, killed = (follower(lab, place) for place in places)
    try:
        for place in places:
            wait_for(place, "pool_installed")
        killed.kill()
        done(lab, "web1", "create", "64M")
        (file,) = (lab.root / "var/log/chyves").glob("*.events")
        aside = file.rename(file.with_name(f"{file.name}.0"))
        done(lab, "web1", "start")
        state = json.loads((lab.root / "var/run/chyves/web1.json").read_text())
        os.kill(state["bhyve"], signal.SIGABRT)
        for place in places[:2]:
            wait_for(place, "stopped")
        done(lab, "web1", "set", "notes=one")
        for place in places[:2]:
            wait_for(place, "set")
        one.send_signal(signal.SIGINT)
        two.send_signal(signal.SIGTERM)
        assert (one.wait(PATIENCE), two.wait(PATIENCE), killed.wait()) == (0, -signal.SIGTERM, -signal.SIGKILL)
    finally:
        for process in (one, two, killed):
            process.kill()
            process.wait()
    kept = events_in(aside, file)
    assert events_in(places[0]) == events_in(places[1]) == kept
    told = [event["event"] for event in kept]
    assert told == ["pool_installed", "created", "started", "crashed", "stopped", "set"]
