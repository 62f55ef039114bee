"""Assembles a BIOS boot sector that greets on COM1 and then obeys single keys.

At its start it says on COM1, in one line, `GUEST-READY boot=DD disks=NN` (BIOS number of the drive that it was read
from, 80 for the first hard disk, E0 for a CD; number of hard disks), and `COM2` on COM2. Then

    p   powers off (ACPI)            h   is sent back, then it stops for ever with interrupts off
    r   resets                       t   makes a triple fault
    a   switches ACPI on             other keys are sent back

Once ACPI is on, the power button powers it off. Ports are those of QEMU's q35 and i440fx machines after SeaBIOS.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

ORIGIN, SIZE = 0x7C00, 512
COM1, COM2 = 0x3F8, 0x2F8
LINE_STATUS, INTERRUPTS, LINE_CONTROL = 5, 1, 3
RECEIVED, CAN_SEND = 0x01, 0x20
PM1_STATUS, PM1_ENABLE, PM1_CONTROL = 0x600, 0x602, 0x604
POWER_BUTTON, SOFT_OFF = 0x0100, 0x2000
SMI_COMMAND, ACPI_ON = 0xB2, 0x02
RESET_CONTROL, HARD_RESET = 0xCF9, 0x06
HARD_DISKS = 0x475


class Code:
    """16-bit code at a fixed place; jumps and addresses of texts are filled in at the end."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.labels: dict[str, int] = {}
        self.fixes: list[tuple[int, str, bool]] = []

    def raw(self, *parts: int | bytes) -> None:
        """Bytes as they are."""
        for part in parts:
            self.bytes += part if isinstance(part, bytes) else bytes([part])

    def label(self, name: str) -> None:
        """Name this place."""
        self.labels[name] = len(self.bytes)

    def _word(self, name: str, *, relative: bool) -> None:
        self.fixes.append((len(self.bytes), name, relative))
        self.raw(0, 0)

    def jump(self, name: str) -> None:
        """`jmp NAME`"""
        self.raw(0xE9)
        self._word(name, relative=True)

    def jump_if_equal(self, name: str) -> None:
        """`je NAME`"""
        self.raw(0x0F, 0x84)
        self._word(name, relative=True)

    def jump_unless_equal(self, name: str) -> None:
        """`jne NAME`"""
        self.raw(0x0F, 0x85)
        self._word(name, relative=True)

    def call(self, name: str) -> None:
        """`call NAME`"""
        self.raw(0xE8)
        self._word(name, relative=True)

    def port(self, number: int) -> None:
        """`mov dx, PORT`"""
        self.raw(0xBA, struct.pack("<H", number))

    def write_byte(self, number: int, value: int) -> None:
        """`out PORT, VALUE` of a byte."""
        self.port(number)
        self.raw(0xB0, value, 0xEE)

    def write_word(self, number: int, value: int) -> None:
        """`out PORT, VALUE` of a word."""
        self.port(number)
        self.raw(0xB8, struct.pack("<H", value), 0xEF)

    def read_byte(self, number: int) -> None:
        """`in al, PORT`"""
        self.port(number)
        self.raw(0xEC)

    def test(self, bit: int) -> None:
        """`test al, BIT`"""
        self.raw(0xA8, bit)

    def say(self, text: str) -> None:
        """`mov si, TEXT; call puts`"""
        self.raw(0xBE)
        self._word(text, relative=False)
        self.call("puts")

    def finished(self) -> bytes:
        """The sector, with every place known."""
        for at, name, relative in self.fixes:
            target = self.labels[name] - (at + 2) if relative else ORIGIN + self.labels[name]
            self.bytes[at : at + 2] = struct.pack("<H", target & 0xFFFF)
        assert len(self.bytes) <= SIZE - 2, f"{len(self.bytes)} bytes do not fit"
        return bytes(self.bytes).ljust(SIZE - 2, b"\0") + b"\x55\xaa"


def boot_sector() -> bytes:
    """The sector's 512 bytes."""
    code = Code()
    code.raw(0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, struct.pack("<H", ORIGIN))  # cli; ds = ss = 0; sp
    code.raw(0xEA, struct.pack("<HH", ORIGIN + len(code.bytes) + 5, 0))  # cs = 0
    code.raw(0x88, 0xD3)  # mov bl, dl: the boot drive
    _serial(code, COM1)
    _serial(code, COM2)
    _greet(code)
    _obey(code)
    _routines(code)
    texts = {"ready": "GUEST-READY boot=", "disks": " disks=", "prompt": "\r\n> ", "bye": "\r\npoweroff\r\n"}
    for name, text in {**texts, "again": "\r\nreset\r\n", "button_text": "\r\npower button"}.items():
        code.label(name)
        code.raw(text.encode() + b"\0")
    code.label("no_table")
    code.raw(bytes(6))
    return code.finished()


def _serial(code: Code, base: int) -> None:
    """115200 8N1, no interrupts."""
    for register, value in ((INTERRUPTS, 0), (LINE_CONTROL, 0x80), (0, 1), (INTERRUPTS, 0), (LINE_CONTROL, 3)):
        code.write_byte(base + register, value)


def _greet(code: Code) -> None:
    for letter in b"COM2\r\n":
        code.write_byte(COM2, letter)
    code.say("ready")
    code.call("hex")
    code.say("disks")
    code.raw(0x8A, 0x1E, struct.pack("<H", HARD_DISKS))  # mov bl, [HARD_DISKS]
    code.call("hex")
    code.say("prompt")


def _obey(code: Code) -> None:
    code.label("loop")
    code.port(PM1_STATUS)
    code.raw(0xED, 0xF6, 0xC4, POWER_BUTTON >> 8)  # in ax, dx; test ah, 1
    code.jump_unless_equal("button")
    code.read_byte(COM1 + LINE_STATUS)
    code.test(RECEIVED)
    code.jump_if_equal("loop")
    code.read_byte(COM1)
    for key, name in (("p", "off"), ("r", "reset"), ("h", "halt"), ("t", "fault"), ("a", "acpi")):
        code.raw(0x3C, ord(key))
        code.jump_if_equal(name)
    code.call("putc")
    code.jump("loop")
    code.label("halt")
    code.call("putc")
    code.jump("stop")
    code.label("acpi")
    code.write_word(PM1_ENABLE, POWER_BUTTON)
    code.write_byte(SMI_COMMAND, ACPI_ON)
    code.raw(0xB0, ord("A"))
    code.call("putc")
    code.jump("loop")
    code.label("button")
    code.say("button_text")
    code.label("off")
    code.say("bye")
    code.write_word(PM1_CONTROL, SOFT_OFF)
    code.label("stop")
    code.raw(0xF4)  # hlt
    code.jump("stop")
    code.label("reset")
    code.say("again")
    code.write_byte(RESET_CONTROL, HARD_RESET)
    code.jump("stop")
    code.label("fault")  # no interrupt table: the breakpoint cannot be delivered, nor what follows from that
    code.raw(0x0F, 0x01, 0x1E)  # lidt
    code._word("no_table", relative=False)
    code.raw(0xCC)


def _routines(code: Code) -> None:
    code.label("hex")  # bl as two digits
    for shift in (True, False):
        code.raw(0x88, 0xD8)  # mov al, bl
        code.raw(*((0xC0, 0xE8, 4) if shift else (0x24, 0x0F)))  # shr al, 4 / and al, 15
        code.raw(0x3C, 10, 0x72, 2, 0x04, 7, 0x04, ord("0"))  # above 9: add 7; add '0'
        code.call("putc")
    code.raw(0xC3)
    code.label("putc")
    code.raw(0x50)  # push ax
    code.label("wait")
    code.read_byte(COM1 + LINE_STATUS)
    code.test(CAN_SEND)
    code.jump_if_equal("wait")
    code.raw(0x58)  # pop ax
    code.port(COM1)
    code.raw(0xEE, 0xC3)
    code.label("puts")
    code.raw(0xAC, 0x84, 0xC0)  # lodsb; test al, al
    code.jump_if_equal("end")
    code.call("putc")
    code.jump("puts")
    code.label("end")
    code.raw(0xC3)


def write_disk(path: Path, size: int = 1 << 20) -> Path:
    """Write a disk image that boots the sector."""
    path.write_bytes(boot_sector())
    with path.open("r+b") as image:
        image.truncate(size)
    return path


def write_iso(path: Path, folder: Path) -> Path:
    """Write a CD image that boots the sector (El Torito, no emulation); needs xorriso and an empty folder."""
    (folder / "boot.img").write_bytes(boot_sector())
    words = ["xorriso", "-as", "mkisofs", "-quiet", "-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4"]
    subprocess.run([*words, "-o", str(path), str(folder)], check=True, stderr=subprocess.DEVNULL)
    return path


if __name__ == "__main__":
    write_disk(Path(sys.argv[1]))
