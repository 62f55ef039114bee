"""A guest in QEMU: started as a child that dies with bhyve, watched and told what to do over QMP."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import socket
import sys
import termios
from typing import Any, NoReturn

from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.ends import End, fatal

PR_SET_PDEATHSIG = 1
STDERR = 2
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
        self._viewers = board.viewers
        self._ports = board.ports
        self._viewer_awaited = board.waits_for_viewer
        self._debugger_awaited = board.config.flag("gdb.wait") and board.config.get("gdb.port") is not None
        # With -H the kernel sees every HLT, and ends a guest whose processors all wait with interrupts off.
        self._looks_for_halt = board.config.flag("x86.vmexit_on_hlt") and not board.lab.is_arm64
        self._has_power_button = not board.lab.is_arm64
        self._looked_halted = False
        self._number = 0
        self._reason: str | None = None
        self._ended: int | None = None
        self._child: int | None = None
        self._modes = termios.tcgetattr(0) if board.uses_stdio and os.isatty(0) else None
        self._start(board, [qemu, *words])
        self._command("qmp_capabilities")
        if self._ended is not None:
            fatal(f"{qemu}: {self._said()}")

    @property
    def descriptors(self) -> list[int]:
        """QEMU's monitor, and the places where VNC clients connect, and clients of virtio-console."""
        ports = [port.listener.fileno() for port in self._ports]
        return [self._socket.fileno(), *([self._viewers.fileno()] if self._viewers else []), *ports]

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
        argv += ["-S"] if self._viewer_awaited or self._debugger_awaited else []
        prctl = ctypes.CDLL(None).prctl
        parent = os.getpid()
        self._child = os.fork()
        if self._child == 0:
            try:
                prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() == parent:
                    keep = {theirs.fileno(), self._log, *board.passed}
                    _become(argv, keep, self._errors, stdio=board.uses_stdio)
            except BaseException as error:
                os.write(self._errors, str(error).encode())
            os._exit(127)
        theirs.close()

    def happened(self) -> int | None:
        """Read what QEMU tells, or look whether the processors have stopped for ever."""
        if self._looks_for_halt:
            self._look_for_halt()
        ready, _, _ = select.select(self.descriptors, [], [], 0)
        if self._viewers and self._viewers.fileno() in ready:
            self._hand_over_viewer(self._viewers)
        for port in self._ports:
            if port.listener.fileno() in ready:
                self._hand_over(port.listener, "client", port.id)
        if self._ended is None and self._socket.fileno() in ready:
            self._read()
        if self._ended == End.ERROR:
            print(f"bhyve: QEMU ended ({self._reason or 'crashed'}): {self._said()}", file=sys.stderr)
        return self._ended

    def _hand_over_viewer(self, listener: socket.socket) -> None:
        """Give QEMU the connection of a VNC client; a guest that waits for one begins now."""
        self._hand_over(listener, "viewer", "vnc")
        if self._viewer_awaited:
            self._viewer_awaited = False
            if not self._debugger_awaited:
                self._command("cont")

    def _hand_over(self, listener: socket.socket, name: str, whose: str) -> None:
        """Give QEMU the connection of a client; where it has one already (virtio-console), it closes this one."""
        client, _ = listener.accept()
        with client:
            self._command("getfd", {"fdname": name}, client.fileno())
        self._command("add_client", {"protocol": whose, "fdname": name})

    def press_power_button(self) -> bool:
        """Press the button where the guest's system has switched ACPI on (bit SCI_EN of PM1_CNT); arm64 has none."""
        if not self._has_power_button:
            return False
        answer = re.search(r"0x([0-9a-fA-F]+)\s*$", str(self._monitor(PM1_CONTROL)))
        if not answer or not int(answer[1], 16) & ACPI_IS_ON:
            return False
        self._command("system_powerdown")
        return True

    def interrupt(self) -> None:
        """Inject a non-maskable interrupt."""
        self._command("inject-nmi")

    def kill(self) -> None:
        """End QEMU at once, wait until it is gone, and give the terminal its modes back."""
        if self._child is not None:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = None
        if self._modes is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, self._modes)

    def _look_for_halt(self) -> None:
        text = str(self._monitor("info registers -a"))
        states = re.findall(r"[ER]FL=([0-9a-f]+).*?HLT=(\d)", text)
        halted = bool(states) and all(int(flags, 16) & INTERRUPTS_ON == 0 and hlt == "1" for flags, hlt in states)
        if halted and self._looked_halted:
            self._ended = End.HALT
        self._looked_halted = halted

    def _monitor(self, line: str) -> Any:
        """A command of QEMU's monitor for people, where QMP has none."""
        return self._command("human-monitor-command", {"command-line": line})

    def _command(self, name: str, arguments: dict[str, str] | None = None, descriptor: int | None = None) -> Any:
        """Run a command of QMP, with a descriptor if given, and return its answer; None where QEMU ends instead."""
        self._number += 1
        request = {"execute": name, "id": self._number, **({"arguments": arguments} if arguments else {})}
        try:
            passed = [] if descriptor is None else [descriptor]
            socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], passed)
        except OSError:
            pass  # QEMU ends: what it said last is still to be read
        while self._ended is None:
            for message in self._read():
                if message.get("id") == self._number:
                    return message.get("return")
        return None

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
            if message.get("event") == "SHUTDOWN":
                self._reason = message["data"]["reason"]
        return messages

    def _finish(self) -> None:
        """QEMU is gone: find out how the guest ended."""
        if self._child is not None:
            os.waitpid(self._child, 0)
            self._child = None
        self._ended = REASONS.get(self._reason or "", End.ERROR)
        if self._ended == End.RESET and b"Triple fault" in os.pread(self._log, LOG_LARGEST, 0):
            self._ended = End.TRIPLE_FAULT

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
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > STDERR:
            # A number that is closed already was the one that the listing itself had open.
            with contextlib.suppress(OSError):
                os.set_inheritable(descriptor, descriptor in keep)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(argv[0], argv)
