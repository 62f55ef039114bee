"""GRUB for guests of grub-bhyve: Debian's own GRUB, in the form of a Linux kernel that QEMU starts.

Its configuration lies in a memory disk inside the image. It reads hard disks through the BIOS, which numbers them as
the device map does; GRUB finds no CD that way, so where one is needed its own AHCI driver reads all SATA drives.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from chyves.lab.bhyve.board import Board
from chyves.lab.bhyve.ends import fatal

MODULES = next(filter(Path.is_dir, map(Path, ("/usr/lib/grub/i386-pc", "/usr/local/lib/grub/i386-pc"))), Path("/none"))
MAKER, PACKAGES = "grub-mkimage", "grub-common and grub-pc-bin"
CONFIG = "boot/grub/grub.cfg"

WANTED = (
    "biosdisk part_msdos part_gpt part_bsd normal linux linux16 multiboot multiboot2 bsd chain boot configfile "
    "memdisk tar fat ext2 iso9660 udf ufs1 ufs2 btrfs xfs lvm diskfilter search search_label search_fs_uuid "
    "search_fs_file serial terminal echo test true sleep read regexp ls cat halt reboot minicmd gzio loadenv "
    "probe keystatus blscfg"
)

SERIAL = "serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n"


def grub_image(board: Board, loaded: dict[str, Any]) -> int:
    """Build the image for what grub-bhyve was told; gives a descriptor of it. Raises Stop (4) where GRUB is missing."""
    devices = Devices(board, loaded["map"])
    text = loaded["text"]
    native = devices.is_cd(loaded["root"]) or (text is not None and any(map(devices.is_cd, mentioned(text))))
    if text is None:
        config = _on_medium(devices.in_grub(loaded["root"], native), loaded["directory"], loaded["file"])
    else:
        config = devices.translated(text, native)
        config = config if loaded["no_console"] else with_console(config)
    if native:
        config = f"insmod ahci\n{config}"
    files = {path: board.lab.inside(f"/{path}") for path in re.findall(r"\(host\)/([^\s'\"]+)", config)}
    config = SERIAL + config.replace("(host)", "(memdisk)")
    return _image(_memory_disk(config, files), native=native)


def mentioned(text: str) -> list[str]:
    """The drives that a configuration names: `(hd0,1)` and `root=cd0` without their partitions."""
    return re.findall(r"(?:\(|root=['\"]?\(?)((?:hd|cd|fd)\d*)", text)


def with_console(text: str) -> str:
    """Add `console=ttyS0` to Linux command lines that name no console, as grub-bhyve does without -n."""
    pattern = re.compile(r"^([ \t]*(?:linux|linux16|linuxefi)[ \t](?:(?!console=).)*)$", re.M)
    return pattern.sub(r"\1 console=ttyS0", text)


def _on_medium(root: str, directory: str, file: str) -> str:
    return f"set root={root}\nset prefix=({root}){directory}\nconfigfile ({root}){directory}/{file}\n"


class Devices:
    """The names of the device map as GRUB in QEMU knows the same media."""

    def __init__(self, board: Board, names: dict[str, str]) -> None:
        self._names = names
        disks = {disk.path: disk for disk in board.disks}
        self._cds = {name for name, path in names.items() if getattr(disks.get(Path(path)), "kind", "") == "cd"}
        self._sata = {name: board.sata.index(Path(path)) for name, path in names.items() if Path(path) in board.sata}
        # The BIOS counts the hard disks that are there, in the order of the map.
        hard = sorted(
            (name for name, path in names.items() if Path(path) in disks and name not in self._cds), key=_order
        )
        self._bios = {name: f"hd{number}" for number, name in enumerate(hard)}

    def is_cd(self, device: str) -> bool:
        """Whether a name such as `cd0` or `hd1,msdos1` is a CD of the guest."""
        return self._known(device.partition(",")[0]) in self._cds

    def in_grub(self, device: str, native: bool) -> str:
        """The name in GRUB of a device of the map, partition and all."""
        name, comma, partition = device.partition(",")
        known = self._known(name)
        found = f"ahci{self._sata[known]}" if native and known in self._sata else self._bios.get(known, name)
        return f"{found}{comma}{partition}"

    def translated(self, text: str, native: bool) -> str:
        """A configuration with GRUB's names for the media."""
        pattern = re.compile(r"(?<=\()((?:hd|cd)\d*)(?=[,)])|(?<=root=)((?:hd|cd)\d*)\b")
        return pattern.sub(lambda found: self.in_grub(found[0], native), text)

    def _known(self, name: str) -> str:
        """A bare `cd` is the first."""
        return name if name in self._names or name[-1:].isdigit() else f"{name}0"


def _order(name: str) -> tuple[str, int]:
    return name[:2], int(name[2:] or 0)


def _memory_disk(config: str, files: dict[str, Path]) -> bytes:
    """A tar archive with the configuration, and the host's files that it names."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(CONFIG)
        entry.size = len(config.encode())
        tar.addfile(entry, io.BytesIO(config.encode()))
        for name, path in files.items():
            if path.is_file():
                tar.add(path, name)
    return archive.getvalue()


def _image(memory_disk: bytes, *, native: bool) -> int:
    """The image as a file in memory: a Linux loader, GRUB's core with all modules, and the memory disk."""
    modules = [name for name in WANTED.split() if (MODULES / f"{name}.mod").exists()]
    disk, core = os.memfd_create("memdisk", 0), os.memfd_create("core", 0)
    os.write(disk, memory_disk)
    words = [MAKER, "-O", "i386-pc", "-p", "(memdisk)/boot/grub", "-m", f"/proc/self/fd/{disk}"]
    words += ["-o", f"/proc/self/fd/{core}", *modules, *(["ahci"] if native else [])]
    try:
        begin = (MODULES / "lnxboot.img").read_bytes()
        made = subprocess.run(words, capture_output=True, pass_fds=[disk, core], check=False)
    except FileNotFoundError:
        fatal(f"grub-bhyve's guests need {MAKER}, which is not there; install the packages {PACKAGES}")
    if made.returncode:
        fatal(f"{MAKER}: {made.stderr.decode(errors='replace').strip()}")
    image = os.memfd_create("grub", 0)
    os.write(image, begin)
    os.sendfile(image, core, 0, os.fstat(core).st_size)
    os.close(disk)
    os.close(core)
    return image
