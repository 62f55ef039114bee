"""What a guest has beside devices, in QEMU's words: domains of memory, firmware's items, keyboard, debugger."""

from __future__ import annotations

from pathlib import Path

from chyves.lab.bhyve.board import Board, quoted
from chyves.lab.bhyve.consoles import listen
from chyves.lab.bhyve.ends import End, Stop, fatal, strerror
from chyves.lab.bhyve.values import MIB, c_integer, memory_size

MOST_DOMAINS = 8
KEYMAPS = Path("/usr/share/qemu/keymaps")
# QEMU's keymaps by the first word of the names of bhyve's layouts, where it is not the same.
KEYMAP = {"default": "en-us", "us": "en-us", "uk": "en-gb", "dk": "da", "se": "sv", "jp": "ja", "br": "pt-br"}


def domains(board: Board, size: int) -> list[tuple[int, str]]:
    """Bytes and processors of the domains of memory, as far as they go without a gap; raises Stop for what is none."""
    found: list[tuple[int | None, str]] = []
    for number in range(MOST_DOMAINS):
        node = board.config.node(f"domains.{number}")
        if node is None:
            break
        given, cpus = node.get("size"), node.get("cpus")
        if given is not None and not memory_size(given):
            fatal(f"invalid memsize for domain {number}: '{given}'", End.USAGE)
        if cpus is None:
            fatal(f"Missing CPU set for domain {number}")
        found.append((memory_size(given) if given else None, cpus))
    if any(part is None for part, _ in found):
        return [(size // len(found), cpus) for _, cpus in found]
    return [(part or 0, cpus) for part, cpus in found]


def domain_words(found: list[tuple[int, str]]) -> list[str]:
    """Domains of memory for QEMU."""
    words = []
    for number, (size, cpus) in enumerate(found):
        words += ["-object", f"memory-backend-ram,id=domain{number},size={size // MIB}M"]
        near = "".join(f",cpus={part}" for part in cpus.split(","))
        words += ["-numa", f"node,nodeid={number}{near},memdev=domain{number}"]
    return words


def item_words(board: Board) -> list[str]:
    """The firmware's items, which a guest sees only with fwcfg=qemu; raises Stop where a file cannot be read."""
    items, words = board.config.node("fwcfg"), list[str]()
    if items is None or board.config.get("lpc.fwcfg") != "qemu":
        return words
    for number in items.names():
        name, text = items.get(f"{number}.name"), items.get(f"{number}.string")
        if text is None:
            path = board.lab.inside(items.get(f"{number}.file") or "")
            if not path.is_file():
                fatal(f"invalid fwcfg item '{name},file={path}'", End.USAGE)
            words += ["-fw_cfg", f"name={name},file={quoted(path)}"]
        else:
            words += ["-fw_cfg", f"name={name},string={quoted(text)}"]
    return words


def keyboard_words(board: Board) -> list[str]:
    """The keymap for VNC viewers, as far as QEMU has one like bhyve's layout."""
    layout = board.config.get("keyboard.layout")
    if layout is None or not board.has_screen:
        return []
    first = layout.rpartition("/")[2].partition("_")[0]
    keymap = KEYMAP.get(first, first)
    return ["-k", keymap] if (KEYMAPS / keymap).is_file() else []


def debugger_words(board: Board) -> list[str]:
    """The place where a debugger connects; raises Stop where it cannot be had."""
    port = c_integer(board.config.get("gdb.port") or "0")
    if not port:
        return []
    address = board.config.get("gdb.address") or "localhost"
    try:
        descriptor = listen(board, address, port)
    except OSError as error:
        raise Stop(End.ERROR, f"bhyve: Failed to bind gdb socket: {strerror(error.errno)}") from None
    return ["-chardev", f"socket,id=gdb,fd={descriptor},server=on,wait=off", "-gdb", "chardev:gdb"]
