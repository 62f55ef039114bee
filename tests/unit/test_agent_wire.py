"""The wire to a guest agent, against one that misbehaves: nothing is waited for without limit, nothing is mistaken."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chyves.host.agent import LARGEST, Agent, NoPort, Refused, Silent

LIMIT = 0.3
"""Seconds that are waited for one that says nothing; what answers is waited for much longer."""

Says = Callable[[dict[str, Any]], bytes]


@contextmanager
def agent(path: Path, *answers: Says) -> Iterator[list[dict[str, Any]]]:
    """One that says to the n-th line what the n-th function makes of it, and then hangs up; the lines it was sent."""
    heard: list[dict[str, Any]] = []
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        talking, _ = listener.accept()
        with suppress(OSError), talking, talking.makefile("rb") as lines:
            for says in answers:
                line = lines.readline()
                if not line:
                    return
                heard.append(json.loads(line.lstrip(b"\xff")))
                for part in re.split(b"(?<=\n)", says(heard[-1])):
                    talking.sendall(part)
            if not answers or answers[-1] is nothing:
                over.wait(60)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        yield heard
        over.set()
        server.join(60)


def line(told: object) -> bytes:
    return json.dumps(told).encode() + b"\n"


def synced(asked: dict[str, Any]) -> bytes:
    """What an agent says to guest-sync-delimited."""
    return b"\xff" + line({"return": asked["arguments"]["id"]})


def nothing(asked: dict[str, Any]) -> bytes:
    return b""


def says(said: bytes) -> Says:
    return lambda asked: said


def test_what_is_asked_and_answered(tmp_path: Path) -> None:
    told = line({"return": {"time": 7}})
    with agent(tmp_path / "a", synced, says(told)) as heard, Agent(tmp_path / "a", 30) as talk:
        assert talk.ask("guest-set-time", {"time": 7}, seconds=30) == {"time": 7}
    assert [asked["execute"] for asked in heard] == ["guest-sync-delimited", "guest-set-time"]
    assert heard[1]["arguments"] == {"time": 7}


@pytest.mark.parametrize(
    "before",
    [
        line({"return": 4}),
        line({"return": {"of": "an earlier command"}}) * 3,
        b'{"return": "half of an ear',
        b"\xff" + line({"return": 1}),
        b"\xff\xff",
        line({"error": {"class": "GenericError", "desc": "Invalid JSON syntax"}}),
        b"garbage \x00\x01\n[[[[\n",
        b"[" * 100_000 + b"\n",
    ],
    ids=["answer", "answers", "half", "other number", "marks", "error", "garbage", "deep"],
)
def test_what_is_left_of_others_is_passed_over(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "a"
    with agent(path, lambda asked: before + synced(asked), says(line({"return": "mine"}))), Agent(path, 30) as talk:
        assert talk.ask("guest-ping", seconds=30) == "mine"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (nothing, "said nothing"),
        (says(b"\xff" + b'{"return": 1'), "said half an answer, and then nothing"),
        (says(b"\xff" + line({"return": -1})), "said nothing"),
        (says(b"\xff" + line(["return"])), "said nothing"),
    ],
    ids=["silence", "half", "older number", "no object"],
)
def test_one_that_does_not_answer_is_not_waited_for(tmp_path: Path, said: Says, why: str) -> None:
    with agent(tmp_path / "a", said, nothing), pytest.raises(Silent, match=why):
        Agent(tmp_path / "a", LIMIT)


def test_one_that_is_not_accepted_is_not_waited_for(tmp_path: Path) -> None:
    """A bhyve that stands still, or is busy with another client."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "a"))
        listener.listen()
        with pytest.raises(Silent, match="said nothing"):
            Agent(tmp_path / "a", LIMIT)


def test_one_that_never_stops_talking(tmp_path: Path) -> None:
    with agent(tmp_path / "a", lambda asked: b"x" * (LARGEST + (1 << 20))), pytest.raises(Silent, match="without an"):
        Agent(tmp_path / "a", 60)


def test_one_that_was_busy_is_asked_again(tmp_path: Path) -> None:
    """bhyve closes a connection at once while it has another one, also one that is just about to be closed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "a"))
        listener.listen()

        def serve() -> None:
            for _ in range(2):
                listener.accept()[0].close()
            talking, _ = listener.accept()
            with talking, talking.makefile("rb") as lines:
                talking.sendall(synced(json.loads(lines.readline()[1:])))

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        with Agent(tmp_path / "a", 30):
            pass
        server.join(60)


def test_one_that_hangs_up(tmp_path: Path) -> None:
    with agent(tmp_path / "a", synced, says(b'{"retu')), Agent(tmp_path / "a", 30) as talk:
        with pytest.raises(Silent, match="hung up in the middle of an answer"):
            talk.ask("guest-ping", seconds=30)
        with pytest.raises(Silent, match=r"hung up|cannot be told anything"):
            talk.ask("guest-ping", seconds=30)


@pytest.mark.parametrize("said", [b"garbage\n", line(["return"]), line({"answer": 1}), line({"error": "text"})])
def test_an_answer_that_is_none(tmp_path: Path, said: bytes) -> None:
    with (
        agent(tmp_path / "a", synced, says(said)),
        Agent(tmp_path / "a", 30) as talk,
        pytest.raises(Silent) as told,
    ):
        talk.ask("guest-ping", seconds=30)
    assert str(told.value) == "answered what is not understood"


def test_an_error_is_told_in_the_agents_words(tmp_path: Path) -> None:
    said = line({"error": {"class": "GenericError", "desc": "file system\n is odd"}})
    with (
        agent(tmp_path / "a", synced, says(said)),
        Agent(tmp_path / "a", 30) as talk,
        pytest.raises(Refused) as told,
    ):
        talk.ask("guest-fsfreeze-freeze", seconds=30)
    assert str(told.value) == "file system is odd"


def test_a_shutdown_is_not_answered(tmp_path: Path) -> None:
    """Not at all; by an error; by the end of the agent; by its answer to the next question."""
    refused = line({"error": {"class": "GenericError", "desc": "no"}})
    for number, answers in enumerate(((nothing,), (nothing, synced), (nothing, nothing))):
        with agent(tmp_path / f"a{number}", synced, *answers), Agent(tmp_path / f"a{number}", 30) as talk:
            talk.tell("guest-shutdown", seconds=LIMIT)
    with (
        agent(tmp_path / "b", synced, says(refused), synced),
        Agent(tmp_path / "b", 30) as talk,
        pytest.raises(Refused) as told,
    ):
        talk.tell("guest-shutdown", seconds=30)
    assert str(told.value) == "no"


def test_where_nobody_listens(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "none" / "at all"):
        with pytest.raises(NoPort):
            Agent(path, 30)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    with pytest.raises(NoPort):
        Agent(tmp_path / "left", 30)


def test_a_socket_deep_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with monkeypatch.context() as there:
        there.chdir(deep)
        with agent(Path("a"), synced), Agent(deep / "a", 30):
            pass
    assert Path.cwd() != deep
