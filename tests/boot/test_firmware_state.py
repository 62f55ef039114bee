"""What a guest tells its firmware and its TPM is there at its next boot, wherever the guest has gone meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from chyves.lab.place import Lab
from tests.boot.conftest import System
from tests.boot.guests import (
    FIRMWARE,
    Console,
    directory,
    fill_disk,
    made_house,
    make,
    nothing_left,
    started,
    wait_until,
)
from tests.host_commands import done

pytestmark = [
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU"),
    pytest.mark.skipif(shutil.which("swtpm") is None, reason="needs the package swtpm"),
]
VARIABLES = "/sys/firmware/efi/efivars"
OWNER = "5a61c1d0-7b8e-11f0-9c6e-589cfc000001"
DEFINE = "8002 0000002d 0000012a 40000001 00000009 40000009 0000 00 0000 0000 000e 01500001 000b 00040004 0000 0008"
"""TPM2_NV_DefineSpace of 8 bytes by the owner, who has no password (TPM 2.0 Library, part 3)."""
LOOK = "8001 0000000e 00000169 01500001"
"""TPM2_NV_ReadPublic of the same."""
DONE, NOT_THERE = "00 00 00 00", "00 00 01 8b"


@pytest.fixture(scope="module")
def house() -> Iterator[Lab]:
    """A lab with a firmware, beside which its empty variables are."""
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        done(lab, "firmware", "import", str(lab.root / "usr/local/share/uefi-firmware" / FIRMWARE))
        yield lab
        done(lab, "all", "stop", "force")
        wait_until(lambda: nothing_left(lab), "nothing of the guests is left")


class Boot(Console):
    """One boot of a guest, from its start until it has powered off."""

    def __init__(self, lab: Lab, guest: str) -> None:
        started(lab, guest)
        super().__init__(lab, guest)
        self._lab, self._guest = lab, guest
        assert self.sees_prompt() == "disk by UEFI"
        # Lines stay shorter than the terminal: a longer one is not sent back as it was typed.
        assert self.ask(f"o={OWNER}") == ""
        assert self.ask(f"v={VARIABLES}") == ""
        assert self.ask("mount -t efivarfs none $v; cd $v; echo $?") == "0"

    def __exit__(self, *exit: object) -> None:
        done(self._lab, self._guest, "stop")
        super().__exit__(*exit)

    def tells(self, name: str, word: str) -> None:
        """Set a variable that outlives the boot."""
        assert self.ask(f"printf '\\7\\0\\0\\0{word}' >{name}-$o; echo $?") == "0"

    def told(self, name: str) -> str:
        """A variable behind its attributes; nothing where there is none."""
        return self.ask(f"tail -c +5 {name}-$o 2>&-; echo").strip()

    def tpm(self, command: str) -> str:
        """What the TPM answers to a command: its code."""
        octets = [f"\\{octet:03o}" for octet in bytes.fromhex(command)]
        self.ask("c=")
        for begin in range(0, len(octets), 12):
            self.ask(f"c=$c'{''.join(octets[begin : begin + 12])}'")
        self.ask('exec 3<>/dev/tpm0; printf "$c" >&3')
        return " ".join(self.ask("dd bs=99 count=1 <&3 2>&- | od -An -tx1; exec 3>&-").split()[6:10])


def test_complaint_6_variables_and_tpm_outlive_stop_rename_rollback_and_clone(house: Lab, system: System) -> None:
    make(house, "v1", "loader=uefi", f"uefi_firmware={FIRMWARE}", "uefi_vars=yes", "tpm=swtpm",
         "bhyve_disk_type=virtio-blk")  # fmt: skip
    fill_disk(house, "v1", system.disk.read_bytes())
    template = house.root / "usr/local/share/uefi-firmware/BHYVE_UEFI_VARS.fd"
    empty = template.read_bytes()
    with Boot(house, "v1") as boot:
        assert boot.ask("cat /sys/class/tpm/tpm0/tpm_version_major") == "2"
        assert (boot.tpm(LOOK), boot.told("First")) == (NOT_THERE, "")
        boot.tells("First", "kept-one")
        assert boot.tpm(DEFINE) == DONE
    done(house, "v1", "snapshot", "@told")
    done(house, "v1", "rename", "v2")
    with Boot(house, "v2") as boot:
        assert (boot.tpm(LOOK), boot.told("First")) == (DONE, "kept-one")
        boot.tells("Later", "lost-one")
        assert boot.told("Later") == "lost-one"
    done(house, "v2", "snapshot", "rollback", "@told", "--yes")
    done(house, "v2", "clone", "v3", "-cu")
    done(house, "v2", "vars", "reset", "--yes")
    with Boot(house, "v3") as boot:
        assert (boot.tpm(LOOK), boot.told("First"), boot.told("Later")) == (DONE, "kept-one", "")
    assert (directory(house, "v2") / ".vars.fd").read_bytes() == empty == template.read_bytes()
