"""A guest in QEMU: started as a child that dies with bhyve, watched and told what to do over QMP."""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import signal
import socket
from typing import Any, NoReturn

from chyves.lab import network
from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.ends import End, fatal

PR_SET_PDEATHSIG = 1
PM1_CONTROL, ACPI_IS_ON = "i /h 0x604", 1
INTERRUPTS_ON = 0x200
SECONDS_BETWEEN_LOOKS = 1.0
LOG_LARGEST = 1 << 22

REASONS = {"guest-shutdown": End.POWEROFF, "guest-reset": End.RESET, "guest-panic": End.TRIPLE_FAULT}


class QemuGuest:
    """A guest that QEMU runs.

    Raises Stop (4), with QEMU's words, where QEMU does not begin. After that it has all devices.
    """

    def __init__(self, board: Board, qemu: str, words: list[str]) -> None:
        self._monitor_mode = board.config.flag("monitor")
        self._viewer_awaited = board.waits_for_viewer
        # With -H the kernel sees every HLT, and ends a guest whose processors all wait with interrupts off.
        self._looks_for_halt = board.config.flag("x86.vmexit_on_hlt")
        self._looked_halted = False
        self._number = 0
        self._reason: str | None = None
        self._ended: int | None = None
        self._child: int | None = None
        self._start(board, [qemu, *words])
        self._command("qmp_capabilities")
        if self._ended is not None:
            fatal(f"{qemu}: {self._said()}")

    @property
    def descriptors(self) -> list[int]:
        """QEMU's monitor."""
        return [self._socket.fileno()]

    @property
    def patience(self) -> float | None:
        """Seconds until the processors are looked at."""
        return SECONDS_BETWEEN_LOOKS if self._looks_for_halt else None

    def _start(self, board: Board, words: list[str]) -> None:
        self._socket, theirs = socket.socketpair()
        self._unread = b""
        self._log, self._errors = os.memfd_create("log", 0), os.memfd_create("errors", 0)
        argv = [*words, "-d", "cpu_reset", "-D", f"/proc/self/fd/{self._log}"]
        argv += ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
        argv += [] if self._monitor_mode else ["-no-reboot"]
        argv += ["-S"] if self._viewer_awaited else []
        prctl = ctypes.CDLL(None).prctl
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            try:
                network.enter(board.lab)
                # After entering: a change of credentials takes the setting back.
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == parent:
                    keep = {theirs.fileno(), self._log, *board.passed}
                    _become(argv, keep, self._errors, stdio=board.uses_stdio)
            finally:
                os._exit(127)
        theirs.close()

    def happened(self) -> int | None:
        """Read what QEMU tells, or look whether the processors have stopped for ever."""
        if self._looks_for_halt:
            self._look_for_halt()
        if self._ended is None and select.select(self.descriptors, [], [], 0)[0]:
            self._read()
        return self._ended

    def press_power_button(self) -> bool:
        """Press the button where the guest's system has switched ACPI on (bit SCI_EN of PM1_CNT)."""
        answer = re.search(r"0x([0-9a-fA-F]+)\s*$", str(self._monitor(PM1_CONTROL)))
        if not answer or not int(answer[1], 16) & ACPI_IS_ON:
            return False
        self._command("system_powerdown")
        return True

    def interrupt(self) -> None:
        """Inject a non-maskable interrupt."""
        self._command("inject-nmi")

    def kill(self) -> None:
        """End QEMU at once and wait until it is gone."""
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = None

    def _look_for_halt(self) -> None:
        text = str(self._monitor("info registers -a"))
        states = re.findall(r"EFL=([0-9a-f]+).*?HLT=(\d)", text)
        halted = bool(states) and all(int(flags, 16) & INTERRUPTS_ON == 0 and hlt == "1" for flags, hlt in states)
        if halted and self._looked_halted:
            self._ended = End.HALT
        self._looked_halted = halted

    def _monitor(self, line: str) -> Any:
        """A command of QEMU's monitor for people, where QMP has none."""
        return self._command("human-monitor-command", {"command-line": line})

    def _command(self, name: str, arguments: dict[str, str] | None = None) -> Any:
        """Run a command of QMP and return its answer; None where QEMU ends instead."""
        number = self._send(name, arguments)
        while self._ended is None:
            for message in self._read():
                if message.get("id") == number:
                    return message.get("return")
        return None

    def _send(self, name: str, arguments: dict[str, str] | None = None) -> int:
        self._number += 1
        request = {"execute": name, "id": self._number, **({"arguments": arguments} if arguments else {})}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            pass  # QEMU ends: what it said last is still to be read
        return self._number

    def _read(self) -> list[dict[str, Any]]:
        """Wait for messages, note the events among them, and return all."""
        try:
            data = self._socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._finish()
            return []
        *lines, self._unread = (self._unread + data).split(b"\n")
        messages = [json.loads(line) for line in lines if line.strip()]
        for message in messages:
            self._note(message)
        return messages

    def _note(self, message: dict[str, Any]) -> None:
        event = message.get("event")
        if event == "SHUTDOWN":
            self._reason = message["data"]["reason"]
        elif event == "VNC_INITIALIZED" and self._viewer_awaited:
            self._viewer_awaited = False
            self._send("cont")

    def _finish(self) -> None:
        """QEMU is gone: say what it said, and find out how the guest ended."""
        if self._child is not None:
            os.waitpid(self._child, 0)
            self._child = None
        self._ended = REASONS.get(self._reason or "", End.ERROR)
        if self._ended == End.RESET and b"Triple fault" in os.pread(self._log, LOG_LARGEST, 0):
            self._ended = End.TRIPLE_FAULT
        if self._ended == End.ERROR and self._reason is not None:
            os.write(2, f"bhyve: QEMU ended ({self._reason}): {self._said()}\n".encode())

    def _said(self) -> str:
        lines = os.pread(self._errors, LOG_LARGEST, 0).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "ended without a word"


def _become(argv: list[str], keep: set[int], errors: int, *, stdio: bool) -> NoReturn:
    """Become QEMU: away from bhyve's terminal and files, unless the guest's serial port is on them."""
    if not stdio:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
    os.dup2(errors, 2)
    for descriptor in range(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 4096 else 4096):
        if descriptor not in keep:
            try:
                os.close(descriptor)
            except OSError:
                pass
    for descriptor in keep:
        os.set_inheritable(descriptor, True)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(argv[0], argv)
