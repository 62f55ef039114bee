"""cu(1): talk to a terminal line (reference, section 3; the base system's cu is tip(1) under another name)."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from chyves.lab import nmdm
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.place import Lab

USAGE = "usage: cu [-ehot] [-a acu] [-l line] [-s speed | -speed] [phone-number]"
BUSY, WRONG = 3, 8
ESCAPE, NEWLINES = b"~", b"\r\n\x03\x04"

HELP = """~?\r
 ~^D    leave\r
 ~.     leave\r
 ~!     shell\r
 ~#     send break\r
 ~^Z    suspend cu\r
 ~?     get this summary\r
 ~~     send a tilde\r
"""


class Leave(Exception):
    """The connection ends; the text says why where the user did not ask for it."""


def main(lab: Lab, argv: list[str]) -> int:
    """Connect the terminal to a line; 3 when the line is busy or not there, 8 for a wrong command line."""
    try:
        device = _line(argv)
    except BadOption as error:
        print(*([f"cu: {error}"] if str(error) else []), USAGE, sep="\n", file=sys.stderr)
        return WRONG
    _on_signals(_leave)
    lock = Lock(lab, device)
    if not lock.take():
        print("all ports busy")
        return BUSY
    try:
        return _connect(lab, device)
    finally:
        lock.release()


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    _on_signals(signal.SIG_IGN)
    raise Leave("")


def _line(argv: list[str]) -> str:
    """The line asked for; `-9600` is a speed, as is `-s 9600` (which has no effect on a null modem)."""
    words = [word for word in argv if not (word[:1] == "-" and word[1:].isdigit())]
    options = Options(words, "a:l:s:hteo")
    lines = []
    for letter, value in options:
        if letter == "l":
            lines.append(value)
        elif letter == "s" and not value.isdigit():
            raise BadOption(f"unsupported speed {value}")
    if len(lines) != 1 or len(options.rest) > 1:
        raise BadOption("cannot specify multiple -l options" if len(lines) > 1 else "")
    return lines[0] if "/" in lines[0] else f"/dev/{lines[0]}"


class Lock:
    """The UUCP lock of a line: /var/spool/lock/LCK..NAME with the holder's number; one of a dead process is ignored."""

    def __init__(self, lab: Lab, device: str) -> None:
        self._place = lab.root / "var/spool/lock" / f"LCK..{Path(device).name}"

    def take(self) -> bool:
        """Take the lock; False while a living process holds it."""
        self._place.parent.mkdir(parents=True, exist_ok=True)
        mine = self._place.with_name(f"LTMP.{os.getpid():010d}")
        mine.write_text(f"{os.getpid():10d}\n")
        try:
            while True:
                try:
                    os.link(mine, self._place)
                    return True
                except FileExistsError:
                    if self._held():
                        return False
                    self._place.unlink(missing_ok=True)
        finally:
            mine.unlink()

    def _held(self) -> bool:
        try:
            os.kill(int(self._place.read_text()), 0)
        except (ValueError, ProcessLookupError, FileNotFoundError):
            return False
        except PermissionError:
            return True
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._place.unlink(missing_ok=True)


def _connect(lab: Lab, device: str) -> int:
    try:
        line = _open(lab, device)
    except OSError as error:
        print(f"cu: {device}: {error.strerror}", file=sys.stderr)
        print("link down")
        return BUSY
    keyboard = Keyboard()
    try:
        keyboard.raw()
        _say("Connected\r\n")
        _talk(line, keyboard)
    except Leave as end:
        _on_signals(signal.SIG_IGN)  # it leaves already
        _say(f"{end}\r\n[EOT]\r\n")
    finally:
        keyboard.restore()
    return 0


def _open(lab: Lab, device: str) -> int:
    if nmdm.end_named(device):
        return nmdm.open_end(lab, device)
    line = os.open(lab.inside(device), os.O_RDWR | os.O_NOCTTY)
    if os.isatty(line):
        tty.setraw(line)
    return line


class Keyboard:
    """The user's terminal, in raw mode while connected; a pipe has no modes."""

    def __init__(self) -> None:
        self._before = termios.tcgetattr(0) if os.isatty(0) else None
        self.newline = True
        self.escaped = False

    def raw(self) -> None:
        """Hand every key over as it is."""
        if self._before:
            tty.setraw(0)

    def restore(self) -> None:
        """Give the terminal its modes back."""
        if self._before:
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def typed(self, data: bytes, line: int) -> bytes:
        """What of the keys goes to the line; escapes are acted on. They count only right after a newline."""
        sent = b""
        for code in data:
            key = bytes([code])
            if self.escaped:
                self.escaped = False
                sent += self._escape(key, line)
            elif key == ESCAPE and self.newline:
                self.escaped = True
            else:
                self.newline = key in NEWLINES
                sent += key
        return sent

    def _escape(self, key: bytes, line: int) -> bytes:
        if key in (b".", b"\x04"):
            raise Leave("~")
        if key == b"?":
            _say(HELP)
        elif key == b"#":
            termios.tcsendbreak(line, 0)
        elif key in (b"!", b"\x1a"):
            self._step_out(key == b"!")
        else:
            self.newline = key in NEWLINES
            return key if key == ESCAPE else ESCAPE + key
        return b""

    def _step_out(self, shell: bool) -> None:
        """Run a shell, or suspend, with the terminal as it was."""
        self.restore()
        if shell:
            os.spawnlp(os.P_WAIT, os.environ.get("SHELL", "sh"), "sh")
        else:
            os.kill(0, signal.SIGTSTP)
        self.raw()


def _talk(line: int, keyboard: Keyboard) -> None:
    """Carry keys and answers until the user leaves, the input ends or the line goes."""
    while True:
        ready, _, _ = select.select([0, line], [], [])
        if line in ready:
            try:
                answer = os.read(line, 4096)
            except OSError:
                answer = b""
            if not answer:
                raise Leave("\r\nLost carrier.")
            _write(1, answer)
        if 0 in ready:
            keys = os.read(0, 4096)
            if not keys:
                raise Leave("")
            _write(line, keyboard.typed(keys, line))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _say(text: str) -> None:
    _write(1, text.encode())
