"""The TPM (section 1.8): bhyve sends the guest's commands to swtpm(8), and the guest sees it as a CRB device.

QEMU wants to be told of a TPM over a control channel of its own (swtpm's tpm_ioctl.h), which is answered here; the
commands themselves pass between it and the socket that bhyve was given.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading

from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.ends import End, Stop, fatal
from chyves.lab.releases import release

SWTPM_SINCE = (14, 2)
LARGEST = 4096
"""Bytes of a command and of an answer (TPM 2.0 Library, part 2: MAX_COMMAND_SIZE of every TPM that is sold)."""
GET_CAPABILITY, GET_ESTABLISHED, SET_DATA, SET_SIZE = 1, 4, 16, 17
CAPABILITIES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 7 | 1 << 10 | 1 << 12 | 1 << 13
"""What QEMU asks of a TPM 2.0: init, shutdown, established bit, locality, its reset, stop, data channel, sizes."""
ANSWERS = {
    GET_CAPABILITY: struct.pack(">Q", CAPABILITIES),
    GET_ESTABLISHED: struct.pack(">IB3x", 0, 0),
    SET_SIZE: struct.pack(">4I", 0, LARGEST, LARGEST, LARGEST),
}
DONE = struct.pack(">I", 0)


def connect(board: Board) -> None:
    """Connect the TPM that the guest is to have, if any; raises Stop (4) where there is none."""
    node = board.config.node("tpm")
    if node is None:
        return
    kind, path = node.get("type"), node.get("path") or ""
    if kind == "passthru":
        fatal("tpm: the lab has no TPM to pass through; give the guest one of swtpm")
    if kind != "swtpm" or release(board.lab.release).number < SWTPM_SINCE:
        raise Stop(End.ERROR, f'bhyve: unable to find TPM emulation "{kind}"')
    chip = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        chip.connect(str(board.lab.inside(path)))
    except OSError:
        raise Stop(
            End.ERROR, f'bhyve: tpm_swtpm_init: unable to connect to tpm socket "{path}"\nbhyve: Failed to init TPM'
        ) from None
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    board.passed.append(theirs.detach())
    board.add("-chardev", f"socket,id=tpm-control,fd={board.passed[-1]}")
    board.add("-tpmdev", "emulator,id=tpm,chardev=tpm-control", "-device", "tpm-crb,tpmdev=tpm")
    threading.Thread(target=_obey, args=(ours, chip), daemon=True).start()


def _obey(control: socket.socket, chip: socket.socket) -> None:
    """Answer QEMU's control channel until QEMU is gone; the TPM itself was made ready by whoever started swtpm."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, LARGEST, 1)
        if not request:
            return
        (command,) = struct.unpack(">I", request[:4])
        if command == SET_DATA:
            data = socket.socket(fileno=descriptors[0])
            threading.Thread(target=_pass, args=(data, chip), daemon=True).start()
        control.sendall(ANSWERS.get(command, DONE))


def _pass(guest: socket.socket, chip: socket.socket) -> None:
    """Pass the guest's commands on, one by one; bhyve ends where nobody answers them."""
    while command := guest.recv(LARGEST):
        try:
            chip.sendall(command)
            answer = chip.recv(LARGEST)
        except OSError:
            answer = b""
        if not answer:
            print("bhyve: tpm_swtpm_execute_cmd: cmd send failed, is swtpm running?", file=sys.stderr, flush=True)
            os._exit(End.POWEROFF)
        guest.sendall(answer)
