"""Presets: what is set for a guest, out of what it has and what the host has."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError
from chyves.presets import PRESETS, expanded
from chyves.properties import Guest

FIRMWARE = ("other.fd", "BHYVE_UEFI.fd", "BHYVE_UEFI_CODE.fd")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_of_properties_that_there_are(name: str) -> None:
    changes = expanded(name, Guest("web1", {}), FIRMWARE, None)
    guest = Guest("web1", {key: text for key, text in changes.items() if text is not None})
    guest.check()
    assert not guest.unknown()
    for key, text in guest.text.items():
        row = Guest.row(key)
        assert row is not None and row.type.format(row.parse("web1", text, key)) == text


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_given_again_changes_nothing(name: str) -> None:
    once = Guest("web1", {}).with_changes(expanded(name, Guest("web1", {}), FIRMWARE, None))
    assert once.with_changes(expanded(name, once, FIRMWARE, None)).text == once.text


def test_what_a_guest_has_more_of_stays() -> None:
    guest = Guest("web1", {"cpu": "4", "ram": "8G", "bargs": "-A -w", "uefi_firmware": "own.fd"})
    changes = expanded("windows11", guest, FIRMWARE, None)
    assert not {"cpu", "ram", "bargs", "uefi_firmware"} & set(changes)
    small = expanded("windows11", Guest("web1", {"cpu": "1", "ram": "512M", "bargs": "-A"}), FIRMWARE, None)
    assert (small["cpu"], small["ram"], small["bargs"]) == ("2", "4G", "-A -w")


def test_the_firmware_is_that_of_new_guests_or_one_that_is_known() -> None:
    assert expanded("linux", Guest("web1", {}), FIRMWARE, "mine.fd")["uefi_firmware"] == "mine.fd"
    assert expanded("linux", Guest("web1", {}), FIRMWARE, None)["uefi_firmware"] == "BHYVE_UEFI_CODE.fd"
    assert "uefi_firmware" not in expanded("freebsd", Guest("web1", {}), (), None)
    with pytest.raises(ChyvesError, match=r"web1: uefi_firmware: none of .* is there; bring one with: chyves firmware"):
        expanded("linux", Guest("web1", {}), ("other.fd",), None)


@pytest.mark.parametrize("name", PRESETS)
def test_the_clock_counts_what_the_system_takes_it_for(name: str) -> None:
    """Also where the guest had another system before."""
    for before in ("-A -H", "-A -u -H"):
        bargs = Guest("web1", {"bargs": before}).with_changes(
            expanded(name, Guest("web1", {"bargs": before}), FIRMWARE, None)
        )
        assert ("-u" in bargs.bargs) == (name != "windows11")
        assert [word for word in bargs.bargs if word in ("-A", "-H")] == ["-A", "-H"]


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "windows11"])
def test_on_arm64_every_preset_has_u_boot_and_what_it_boots_from(name: str) -> None:
    changes = expanded(name, Guest("web1", {}), (), None, "arm64")
    guest = Guest("web1", {}).with_changes(changes)
    assert (guest.loader, guest.bhyve_disk_type, guest.uefi_console_output) == ("u-boot", "virtio-blk", "serial")
    assert not guest.uefi_vars and not {"bargs", "uefi_firmware"} & set(changes)
    of_amd64 = Guest("web1", {"bargs": "-S -u -w"})
    assert of_amd64.with_changes(expanded(name, of_amd64, (), None, "arm64")).bargs == ("-S",)


def test_windows_is_for_amd64() -> None:
    with pytest.raises(
        ChyvesError, match=r"^web1: preset: windows11 is for amd64 hosts, and this is an arm64 one; give "
    ):
        expanded("windows11", Guest("web1", {}), FIRMWARE, None, "arm64")
