"""Events: lines that nothing tears or loses, and what each command of the table says that it gives."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chyves.command import Command
from chyves.commands import COMMANDS
from chyves.errors import UsageError
from chyves.events import EVENTS
from chyves.guests.events import beginning
from chyves.host.events import Events
from tests.json_schemas import SCHEMAS, title

WRITERS, EACH = 8, 200


def names(events: Events) -> list[object]:
    return [event["event"] for event in events.kept()]


def file_of(directory: Path) -> Path:
    (file,) = directory.glob("*.events")
    return file


def test_details_without_a_value_are_left_out(tmp_path: Path) -> None:
    events = Events(tmp_path / "events")
    events.note("started", "web1", medium=None)
    events.note("created", "web2", pool="zroot")
    first, second = events.kept()
    assert {**first, "time": ""} == {"version": 1, "time": "", "event": "started", "guest": "web1", "by": None}
    assert second["pool"] == "zroot"
    assert abs(datetime.fromisoformat(str(first["time"])).timestamp() - time.time()) < 3600


def test_a_dry_run_tells_nothing(tmp_path: Path) -> None:
    events = Events(tmp_path / "events", dry=True)
    events.begin("root", ["web1"], "chyves web1 set cpu=2")
    events.note("set", "web1")
    events.end()
    assert not (tmp_path / "events").exists()


def _write(directory: Path, who: int) -> None:
    events = Events(directory)
    for number in range(EACH):
        events.note("set", f"web{who}", properties=[f"p{number}"], thing="x" * (number * 7))


def test_no_line_of_many_writers_is_torn_or_lost(tmp_path: Path) -> None:
    """Each guest's events come in the order in which they were."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, who)) for who in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = filter(None, file_of(tmp_path).read_text().splitlines())
    assert len(list(lines)) == WRITERS * EACH
    kept = sorted(Events(tmp_path).kept(), key=lambda event: str(event["guest"]))
    for _, own in itertools.groupby(kept, key=lambda event: event["guest"]):
        assert [event["properties"] for event in own] == [[f"p{number}"] for number in range(EACH)]


@pytest.mark.parametrize(
    "torn", ['{"version": 1, "ti', "\0\0\0\0", '{"event": "set", "time": "noon"}\n', "[1]\n", "\n"]
)
def test_a_torn_line_costs_no_other(tmp_path: Path, torn: str) -> None:
    events = Events(tmp_path)
    events.note("created", "web1")
    with file_of(tmp_path).open("a") as file:
        file.write(torn)
    events.note("deleted", "web1")
    assert names(events) == ["created", "deleted"]


def _killed(directory: Path, told: bool) -> None:
    events = Events(directory)
    events.begin("alice", ["web1"], "chyves web1 delete")
    if told:
        events.note("deleted", "web1")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("told", [False, True])
def test_a_command_killed_between_its_commit_and_its_event_is_told_by_the_next(tmp_path: Path, told: bool) -> None:
    """Nobody can know then what it has changed: who follows the events is told to look."""
    killed = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path, told))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    events = Events(tmp_path)
    events.begin("bob", [], "chyves global set stdout_level=2")
    events.end()
    assert names(events) == [*(["deleted"] if told else []), "interrupted"]
    last = list(events.kept())[-1]
    assert (last["by"], last["guests"], last["command"]) == ("alice", ["web1"], "chyves web1 delete")
    events.begin("bob", [], "chyves global set stdout_level=2")
    events.end()
    assert names(events).count("interrupted") == 1
    assert os.listdir(tmp_path) == [file_of(tmp_path).name]


def test_a_power_cut_may_take_what_a_command_was_about(tmp_path: Path) -> None:
    (tmp_path / ".begun-1").touch()
    events = Events(tmp_path)
    events.begin("bob", [], "chyves global set stdout_level=2")
    events.end()
    assert names(events) == ["interrupted"]


def test_a_command_at_work_is_not_told_of(tmp_path: Path) -> None:
    at_work = Events(tmp_path)
    at_work.begin("alice", ["web1"], "chyves web1 delete")
    child = os.fork()
    if not child:
        other = Events(tmp_path)
        other.begin("bob", [], "chyves web2 delete")
        other.note("deleted", "web2")
        other.end()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    at_work.end()
    assert names(at_work) == ["deleted"]


def test_what_cannot_be_written_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events").touch()
    events = Events(tmp_path / "events")
    events.begin("root", [], "chyves web1 start")
    events.note("started", "web1")
    events.end()
    assert capsys.readouterr().err == f"{tmp_path}/events: events cannot be written: File exists; see to that\n"


def test_followed_events_go_on_in_the_next_months_file(tmp_path: Path) -> None:
    (tmp_path / "202601.events").write_text('{"event": "set", "time": "2026-01-31T23:59:59+0000"}\n{"event": "s')
    events = Events(tmp_path)
    followed = events.following()
    assert [event["time"] for event in followed.more()] == ["2026-01-31T23:59:59+0000"]
    with (tmp_path / "202601.events").open("a") as file:
        file.write('et", "time": "2026-01-31T23:59:59.5+0000"}\n')
    (tmp_path / "202602.events").write_text('{"event": "set", "time": "2026-02-01T00:00:00+0000"}\n')
    assert [event["time"] for event in followed.more()] == ["2026-01-31T23:59:59.5+0000", "2026-02-01T00:00:00+0000"]
    assert followed.more() == []


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_file_that_is_put_aside_or_cut_short_costs_no_line_of_who_follows(tmp_path: Path) -> None:
    """What is written between two looks too, also where the next file is the same inode."""
    events = Events(tmp_path)
    events.note("created", "one")
    followed = events.following()
    assert [event["guest"] for event in followed.more()] == ["one"]
    events.note("created", "two")
    file = file_of(tmp_path)
    aside = file.rename(tmp_path / "aside")
    events.note("created", "three")
    assert [event["guest"] for event in followed.more()] == ["two", "three"]
    with aside.open("a") as late:
        late.write(file.read_text().replace("three", "late"))
    assert [event["guest"] for event in followed.more()] == ["late"]
    file.unlink()
    for name in ("four", "five"):
        events.note("created", name)
    assert [event["guest"] for event in followed.more()] == ["four", "five"]
    os.truncate(file_of(tmp_path), 0)
    events.note("created", "six")
    assert [event["guest"] for event in followed.more()] == ["six"]
    assert followed.more() == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("10m", NOW - timedelta(minutes=10)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-01-31T12:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31).astimezone()),
    ],
)
def test_beginnings(text: str, wanted: datetime) -> None:
    assert beginning(text, NOW) == wanted


@pytest.mark.parametrize("text", ["", "10", "m", "-1h", "999999999d", "2026-13-01", "0x1h"])
def test_what_is_no_beginning_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no time; give 10m, 2h or 7d"):
        beginning(text, NOW)


@pytest.mark.parametrize("row", [row for row in COMMANDS if row.changes], ids=title)
def test_each_command_that_changes_something_says_which_events_it_gives(row: Command) -> None:
    assert row.events is not None, (
        "give the row events=(...), of chyves.events, and note them at the commit; () for none"
    )
    assert set(row.events) <= set(EVENTS)


def test_no_other_command_gives_any_and_every_event_has_its_schema() -> None:
    assert not [title(row) for row in COMMANDS if row.events and not row.changes]
    assert SCHEMAS["event"]["properties"]["event"]["enum"] == list(EVENTS)
    by_themselves = {"rebooted", "crashed", "restarted", "supervisor_replaced", "interrupted"}
    assert set(EVENTS) - by_themselves == {event for row in COMMANDS for event in row.events or ()}
