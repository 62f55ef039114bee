"""How grub-bhyve loads each `os`: from the medium that a guest is installed from, and from its first disk.

The systems and what they need are those of chyves 0.2.0; the parameters of the kernels are those of their makers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

OPENBSD = {"openbsd57": "5.7", "openbsd58": "5.8", "openbsd59": "5.9", "openbsd60": "6.0"}
GENTOO = "root=/dev/ram0 init=/linuxrc dokeymap looptype=squashfs loop=/image.squashfs cdroot"
COREOS = "linux (hd0,1)/coreos/vmlinuz-a ro root=LABEL=ROOT usr=LABEL=USR-A"
AUTOLOGIN = "coreos.autologin"


@dataclass(frozen=True)
class Recipe:
    """GRUB's root device, the directory of grub.cfg on it, and what chyves writes into a grub.cfg of its own.

    A recipe with `commands` has root `host`, and the directory is where chyves writes. No directory means GRUB's own,
    /boot/grub.
    """

    root: str = "host"
    directory: str = ""
    commands: tuple[str, ...] = ()


CUSTOM = Recipe()
FIRST_PARTITION = Recipe("hd0,msdos1")

FROM_MEDIUM = {
    **{name: Recipe(commands=(f"kopenbsd -h com0 (cd0)/{version}/amd64/bsd.rd",)) for name, version in OPENBSD.items()},
    "netbsd": Recipe(commands=("knetbsd -h -r cd0a (cd0)/netbsd",)),
    **dict.fromkeys(("default", "debian", "d8lvm"), Recipe("cd0")),
    **dict.fromkeys(
        ("centos6", "centos7"),
        Recipe(commands=("linux (cd0)/isolinux/vmlinuz", "initrd (cd0)/isolinux/initrd.img")),
    ),
    "gentoo": Recipe(commands=(f"linux (cd0)/isolinux/gentoo {GENTOO}", "initrd (cd0)/isolinux/gentoo.igz")),
    "coreos": Recipe(commands=(f"linux (cd0)/coreos/vmlinuz {AUTOLOGIN}", "initrd (cd0)/coreos/cpio.gz")),
    "coreossecure": Recipe(commands=("linux (cd0)/coreos/vmlinuz", "initrd (cd0)/coreos/cpio.gz")),
    "custom": CUSTOM,
}

FROM_DISK = {
    **dict.fromkeys(OPENBSD, Recipe(commands=("kopenbsd -h com0 -r sd0a (hd0,openbsd1)/bsd",))),
    "netbsd": Recipe(commands=("knetbsd -h -r wd0a (hd0,msdos1)/netbsd",)),
    **dict.fromkeys(("default", "debian", "arch", "gentoo"), FIRST_PARTITION),
    **dict.fromkeys(("d8lvm", "centos6"), Recipe("hd0,msdos1", "/grub")),
    "centos7": Recipe("hd0,msdos1", "/grub2"),
    "coreos": Recipe(commands=(f"{COREOS} {AUTOLOGIN}",)),
    "coreossecure": Recipe(commands=(COREOS,)),
    "custom": CUSTOM,
}


def recipe(system: str, medium: str | None) -> Recipe:
    """The recipe of a system, from the medium at that path or, with None, from the first disk."""
    if medium is None:
        return FROM_DISK[system]
    return _arch(medium) if system == "arch" else FROM_MEDIUM[system]


def _arch(medium: str) -> Recipe:
    """Arch's medium is found by its label, which has the month of the image; 0.2.0 took the month of the start."""
    date = re.search(r"(20[0-9]{2})\.?(0[1-9]|1[0-2])", PurePosixPath(medium).name)
    found_by = f"archisolabel=ARCH_{date[1]}{date[2]}" if date else "archisodevice=/dev/sr0"
    return Recipe(
        commands=(
            f"linux (cd0)/arch/boot/x86_64/vmlinuz archisobasedir=arch {found_by} ro",
            "initrd (cd0)/arch/boot/x86_64/archiso.img",
        )
    )
