"""Media with small guests: the boot sector as disk and CD, a menu for GRUB on both, and GRUB itself as a UEFI guest."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

from tests.boot.bootsector.assemble import boot_sector, write_disk, write_iso

UEFI_GUEST = """\
echo GUEST-READY uefi
while true; do
  echo -n "> "
  read word
  if [ "$word" = p ]; then halt; fi
  if [ "$word" = r ]; then reboot; fi
done
"""
GRUB_MENU = "set timeout=0\nmenuentry x {\n echo from the medium\n chainloader /sector.bin\n}\n"


def write_media(place: Path) -> None:
    """Write disk.img and cd.iso that boot the sector, grub.img and grub.iso with a menu for GRUB, and uefi.iso.

    Needs xorriso, mtools and GRUB for x86_64-efi.
    """
    write_disk(place / "disk.img")
    (place / "cd").mkdir()
    write_iso(place / "cd.iso", place / "cd")
    (place / "sector.bin").write_bytes(boot_sector())
    (place / "menu.cfg").write_text(GRUB_MENU)
    _grub_disk(place)
    _grub_cd(place)
    _uefi_cd(place)


def _grub_disk(place: Path) -> None:
    """A disk with one FAT partition that begins at 1 MiB."""
    sectors, begin = 16384, 2048
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0x0E, b"\0\0\0", begin, sectors)
    (place / "grub.img").write_bytes(bytes(446) + entry + bytes(48) + b"\x55\xaa")
    os.truncate(place / "grub.img", (begin + sectors) * 512)
    partition = f"{place}/grub.img@@1M"
    _made("mformat", "-i", partition, "-T", str(sectors), "::")
    _made("mmd", "-i", partition, "::/boot", "::/boot/grub")
    _made("mcopy", "-i", partition, f"{place}/menu.cfg", "::/boot/grub/grub.cfg")
    _made("mcopy", "-i", partition, f"{place}/sector.bin", "::/sector.bin")


def _grub_cd(place: Path) -> None:
    (place / "tree/boot/grub").mkdir(parents=True)
    shutil.copy(place / "menu.cfg", place / "tree/boot/grub/grub.cfg")
    shutil.copy(place / "sector.bin", place / "tree/sector.bin")
    _made("xorriso", "-as", "mkisofs", "-quiet", "-o", f"{place}/grub.iso", f"{place}/tree")


def _uefi_cd(place: Path) -> None:
    """GRUB itself as the guest, on the firmware's console."""
    (place / "uefi.cfg").write_text(UEFI_GUEST)
    words = ["-O", "x86_64-efi", "--fonts=", "--themes=", "--locales=", "-o", f"{place}/BOOTX64.EFI"]
    modules = "--install-modules=normal halt reboot echo read test true"
    _made("grub-mkstandalone", *words, modules, f"boot/grub/grub.cfg={place}/uefi.cfg")
    image = f"{place}/esp.img"
    _made("mformat", "-C", "-i", image, "-f", "2880", "::")
    _made("mmd", "-i", image, "::/EFI", "::/EFI/BOOT")
    _made("mcopy", "-i", image, f"{place}/BOOTX64.EFI", "::/EFI/BOOT/")
    tail = ["-eltorito-alt-boot", "-e", "esp.img", "-no-emul-boot", "-graft-points", f"esp.img={image}"]
    _made("xorriso", "-as", "mkisofs", "-quiet", "-o", f"{place}/uefi.iso", *tail)


def _made(*words: str) -> None:
    """Run a tool that makes a medium."""
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
