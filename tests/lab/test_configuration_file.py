"""A guest from `explain --config`: with the lines that stand before it, bhyve finds all that its file names."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import done, environment
from tests.lab.conftest import run_program
from tests.torture.house import until

FORMS = {
    "grub-bhyve": ("loader=grub-bhyve", ["device.map"]),
    "uefi": (
        "loader=uefi uefi_firmware=BHYVE_UEFI.fd uefi_vars=yes uefi_console_output=vnc agent=yes uefi_vnc_socket=yes",
        ["vnc.sock", "ports/org.qemu.guest_agent.0.sock"],
    ),
}


def test_a_guest_that_never_started_starts_from_its_file(
    new_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complaint 27: also what chyves itself makes at the first start of a guest is in the lines."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    lab = new_lab("15.1")
    firmware = lab.root / "usr/local/share/uefi-firmware"
    done(lab, "dataset", "zroot", "install")
    done(lab, "firmware", "import", str(firmware / "BHYVE_UEFI.fd"))
    for name, (assignments, files) in FORMS.items():
        done(lab, name, "create", "64M")
        done(lab, name, "set", *assignments.split())
        _starts(lab, name, [lab.root / "var/run/chyves" / name / file for file in files])
    assert (lab.root / "chyves/zroot/guests/uefi/.vars.fd").stat().st_mode & 0o777 == 0o600


def _starts(lab: Lab, name: str, files: list[Path]) -> None:
    text = done(lab, "explain", name, "--config")
    file = lab.top / f"{name}.conf"
    file.write_text(text)
    for line in re.findall(r"^# before[^:]*: (.*)$", text, re.MULTILINE):
        subprocess.run(["sh", "-e", "-c", line], env=environment(lab), check=True, timeout=60)
    with subprocess.Popen([lab.bin / "bhyve", "-k", file], stdin=subprocess.DEVNULL) as bhyve:
        until(lambda: bhyve.poll() is not None or _is_up(lab, name))
        assert bhyve.poll() is None
        assert [path for path in files if not path.exists()] == []
        bhyve.kill()


def _is_up(lab: Lab, name: str) -> bool:
    return run_program(lab, "pgrep", "-fx", f"bhyve: chy-{name}").returncode == 0
