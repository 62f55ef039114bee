"""The whole way of a bhyve: line, machine, memory, devices, life, end."""

from __future__ import annotations

import os
import re

from chyves.lab import vmm
from chyves.lab.bhyve import command_line, tpm, values
from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.devices import initialise
from chyves.lab.bhyve.ends import End, Stop, fatal, perror
from chyves.lab.bhyve.firmware import rom_of
from chyves.lab.bhyve.hollow import HollowGuest, is_hollow
from chyves.lab.bhyve.layout import debugger_words
from chyves.lab.bhyve.life import Guest, die_of, live
from chyves.lab.bhyve.loaders import boot_order, loader_words
from chyves.lab.bhyve.machine import PACKAGE, QEMU, machine_words, qemu_path
from chyves.lab.bhyve.module import load_vmm
from chyves.lab.bhyve.title import set_title
from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab
from chyves.lab.releases import release

UNLIMITED_SINCE = (13, 2)
MOST_CPUS = 16
ABORT = 6


def run(lab: Lab, argv: list[str]) -> int:
    """Run a guest and return bhyve's status; raises Stop for what ends it before the guest began."""
    config = command_line.read(lab, argv)
    if config.flag("config.dump"):
        print("\n".join(config.dump()))
        return End.POWEROFF
    topology = values.topology(config)
    size = config.get("memory.size") or ""
    memory = values.memory_size(size)
    if not memory:
        fatal(f"invalid memsize '{size}'", End.USAGE)
    board = Board(lab, config.get("name") or "", config)
    machine = open_machine(board)
    # From now on bhyvectl is heard: what it says is obeyed as soon as the guest lives.
    orders = machine.listen()
    board.boot = None if rom_of(board) else boot_order(machine.known.loaded)
    _check_cpus(board, topology.cpus)
    _set_up_memory(machine, memory)
    try:
        status = _live(board, machine, orders, topology)
    finally:
        _give_back(board)
    if config.flag("monitor") or (status == End.POWEROFF and config.flag("destroy_on_poweroff")):
        machine.destroy()
    return status


def open_machine(board: Board) -> vmm.Open:
    """Make or open /dev/vmm/NAME; raises Stop where it cannot be booted, or another bhyve runs it."""
    lab, name = board.lab, board.name
    load_vmm(lab)
    created = True
    try:
        vmm.create(lab, name)
    except FileExistsError:
        created = False
    except OSError as error:
        perror("vm_create", error.errno or 0)
    try:
        machine = vmm.Open(lab, name)
    except BlockingIOError:
        perror("vm_reinit", 16)
    except OSError as error:
        perror("vm_open", error.errno or 0)
    if rom_of(board) is None and (created or not machine.known.loaded):
        old = release(lab.release).number < (15, 0)
        raise Stop(End.ERROR, "virtual machine cannot be booted" if old else "bhyve: no bootrom was configured")
    return machine


def _check_cpus(board: Board, cpus: int) -> None:
    with Kernel(board.lab) as kernel:
        limit = int(kernel.sysctl("hw.vmm.maxcpu") or MOST_CPUS)
        intel = kernel.sysctl("hw.vmm.vmx.initialized") == "1"
        unrestricted = not intel or kernel.sysctl("hw.vmm.vmx.cap.unrestricted_guest") == "1"
    if release(board.lab.release).number < UNLIMITED_SINCE:
        limit = MOST_CPUS
    if not unrestricted:
        limit = 1
    if cpus > limit:
        raise Stop(End.ERROR, f"{cpus} vCPUs requested but only {limit} available")
    if not unrestricted and rom_of(board) is not None:
        raise Stop(End.ERROR, "ROM boot failed: unrestricted guest capability not available")


def _set_up_memory(machine: vmm.Open, size: int) -> None:
    """The memory of a machine is what it was given first, until it is destroyed."""
    if machine.known.memory not in (None, size):
        raise Stop(End.ERROR, "Unable to setup memory (22)")
    machine.known.memory = size
    machine.keep()


def _live(board: Board, machine: vmm.Open, orders: int, topology: values.Topology) -> int:
    initialise(board)
    tpm.connect(board)
    _check_uuid(board.config)
    board.add(*debugger_words(board))
    guest = _guest(board, machine.known, topology)
    # What a loader loaded is used up: the next start needs the loader again.
    machine.known.loaded = {}
    machine.keep()
    set_title(f"bhyve: {board.name}")
    try:
        if rom_of(board) is not None and not board.has_lpc and release(board.lab.release).number < (15, 0):
            # The ROM is mapped by the LPC bridge: the first instruction is not there.
            die_of(ABORT)
        return live(guest, orders)
    finally:
        guest.kill()


def _guest(board: Board, known: vmm.Machine, topology: values.Topology) -> Guest:
    if is_hollow():
        return HollowGuest(board)
    machine = board.lab.machine
    qemu = qemu_path(machine)
    if qemu is None:
        fatal(f"the lab runs guests in {QEMU[machine]}, which is not there; install the package {PACKAGE[machine]}")
    from chyves.lab.bhyve.qemu import QemuGuest

    words = machine_words(board, known.memory or 0, topology) + board.words
    if rom_of(board) is None:
        words += loader_words(board, known.loaded)
    return QemuGuest(board, qemu, words)


def _check_uuid(config: Config) -> None:
    uuid = config.get("uuid")
    if uuid is not None and not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", uuid):
        fatal(f"SMBIOS tables could not be built: {uuid} is no UUID")


def _give_back(board: Board) -> None:
    if board.taps:
        from chyves.lab import network

        for tap in board.taps:
            network.release(board.lab, tap, os.getpid())
