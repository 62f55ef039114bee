"""The wire to a QEMU guest agent: JSON, a line each way, over the socket of its virtio-console port (qemu-ga-ref(7)).

The port keeps what nobody has read: an answer to a command that was given up, or half of one. So every conversation
begins with guest-sync-delimited, whose answer comes behind a byte that no JSON has, and everything up to it is passed
over. Nothing is waited for without limit.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chyves.errors import ChyvesError, Denied

SENTINEL = b"\xff"
LARGEST = 8 << 20
"""Bytes of the longest answer that is taken; a hundred interfaces are some tens of thousands."""

PAUSE = 0.05
"""Seconds between two tries to be the one whom a port listens to."""
LENGTH = 104
"""Bytes of a socket's name, with the one that ends it (unix(4))."""

Arguments = Mapping[str, str | int]


class NoPort(ChyvesError):
    """There is no socket, or nobody listens there."""


class Silent(ChyvesError):
    """No answer has come, or none that is one; its text says what came instead."""


class HungUp(Silent):
    """The connection was closed: the port has another client, or the guest has gone."""


class Refused(ChyvesError):
    """The agent has refused a command; its text are the agent's own words."""


def question(command: str, arguments: Arguments | None = None) -> str:
    """The line that asks for a command."""
    return json.dumps({"execute": command, **({"arguments": dict(arguments)} if arguments else {})})


class Agent:
    """A conversation with the agent behind a socket, for `with`; begun anew each time.

    Raises NoPort; Silent where it is not there within `seconds`; Denied.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._begun(path, deadline):
            time.sleep(PAUSE)

    def _begun(self, path: Path, deadline: float) -> bool:
        """Whether it is there; it may be talking with somebody else, and then hangs up until the deadline."""
        self._unread = b""
        self._socket = _connected(path, max(PAUSE, deadline - time.monotonic()))
        try:
            self._sync(deadline)
        except HungUp:
            self._socket.close()
            if time.monotonic() + PAUSE > deadline:
                raise
            return False
        except BaseException:
            self._socket.close()
            raise
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, command: str, arguments: Arguments | None = None, *, seconds: float) -> Any:
        """What a command returns; raises Refused with the agent's own words, and Silent."""
        deadline = time.monotonic() + seconds
        self._send(question(command, arguments).encode() + b"\n", deadline)
        answer = _understood(self._line(deadline))
        if answer is None:
            raise Silent("answered what is not understood")
        return _returned(answer)

    def tell(self, command: str, arguments: Arguments | None = None, *, seconds: float) -> None:
        """Give a command that is only answered where it fails; raises Refused then.

        An agent that goes away, or says nothing more within `seconds`, has taken it.
        """
        deadline = time.monotonic() + seconds
        self._send(question(command, arguments).encode() + b"\n", deadline)
        with suppress(Silent):
            # Without the mark, which the agent would refuse as no JSON (qemu-ga-ref(7)), and be taken at its word.
            for before in self._sync(deadline, b""):
                _returned(before)

    def _sync(self, deadline: float, mark: bytes = SENTINEL) -> list[dict[str, Any]]:
        """Read away what is left of others, up to the answer to a number that only we know; what that was.

        Raises Silent.
        """
        number = secrets.randbelow(1 << 31)
        before: list[dict[str, Any]] = []
        self._send(mark + question("guest-sync-delimited", {"id": number}).encode() + b"\n", deadline)
        while True:
            _, sentinel, said = self._line(deadline).rpartition(SENTINEL)
            answer = _understood(said)
            if sentinel and answer is not None and answer.get("return") == number:
                return before
            before += [answer] if answer is not None else []

    def _send(self, data: bytes, deadline: float) -> None:
        while data:
            self._wait(deadline, writing=True)
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise HungUp(f"cannot be told anything: {error.strerror}") from None

    def _line(self, deadline: float) -> bytes:
        """The next line that it says; raises Silent."""
        while b"\n" not in self._unread:
            self._wait(deadline)
            try:
                said = self._socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError as error:
                raise HungUp(f"cannot be heard: {error.strerror}") from None
            if not said:
                raise HungUp("hung up" if not self._unread else "hung up in the middle of an answer")
            self._unread += said
            if len(self._unread) > LARGEST:
                raise Silent(f"said more than {LARGEST >> 20} MiB without an end")
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _wait(self, deadline: float, writing: bool = False) -> None:
        """Wait until something can be read or written; raises Silent at the deadline, also where it says other things.

        Without that, one that never stops talking would be listened to for ever.
        """
        left = deadline - time.monotonic()
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT if writing else select.POLLIN)
        if left <= 0 or not poll.poll(left * 1000):
            raise Silent("said nothing" if not self._unread else "said half an answer, and then nothing")


def _connected(path: Path, seconds: float) -> socket.socket:
    """A connection with a socket; raises NoPort, Silent, Denied."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(seconds)
    try:
        long = len(os.fsencode(path)) >= LENGTH
        with _within(path.parent) if long else nullcontext():
            made.connect(path.name if long else str(path))
    except PermissionError:
        made.close()
        raise Denied(f"{path}: is for root alone") from None
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        made.close()
        raise NoPort(f"{path}: nobody listens there") from None
    except OSError as error:
        made.close()
        raise Silent(f"cannot be reached: {error.strerror or 'timed out'}") from None
    made.setblocking(False)
    return made


@contextmanager
def _within(directory: Path) -> Iterator[None]:
    """Have a directory as the working one; a lab may stand deep down."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(directory)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def _understood(line: bytes) -> dict[str, Any] | None:
    """The object that a line is, or None."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _returned(answer: dict[str, Any]) -> Any:
    """What an answer returns; raises Refused with the words of an error, and Silent for what is neither."""
    if "return" in answer:
        return answer["return"]
    error = answer.get("error")
    if isinstance(error, dict) and isinstance(error.get("desc"), str):
        raise Refused(" ".join(error["desc"].split()))
    raise Silent("answered what is not understood")
