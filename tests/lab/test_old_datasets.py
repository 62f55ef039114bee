"""Datasets as chyves 0.2.0 left them: listed, read and started where they lie, and not changed by reading."""

from __future__ import annotations

import pytest

from chyves.lab.place import Lab
from chyves.section import read_text
from tests.host_commands import chyves, done, everything, zfs

DATASETS = "/.config /guests /guests/old /guests/old/.config /guests/old/logs /guests/old/img /logs /ISO /Firmware"
FILES = {
    ".config/pool.cfg": "creation=x\ndataset_version=0005\ndataset_role=primary\n",
    ".config/global.cfg": "bridge0_tap_members=tap50\nbridge0_phy_attach=private\nlog_to_file=on\n",
    "guests/.defaults": "bridge=bridge0\nsize=8G\ncpu=1\nuefi_vnc_ip=0.0.0.0\n",
    "ISO/null.iso": "",
    "guests/old/.config/.cfg": (
        "chyves_guest_version=0300\nbargs=-A -H -P -S\ncpu=1\nram=256M\nloader=bhyveload\nos=default\n"
        "net_ifaces=tap50\nserial=nmdm50\nuuid=0b1c5ec0-7b8e-11f0-9c6e-589cfc000001\nbhyve_disk_type=ahci-hd\n"
        "bhyve_net_type=virtio-net\nrcboot=0\ntemplate=no\ndescription=-\nnotes=-\n"
    ),
}


def test_a_guest_of_0_2_0_is_listed_unchanged_and_started_and_new_ones_stand_beside_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    top, place = f"{lab.pool}/chyves", lab.root / "chyves" / lab.pool
    zfs(lab, "create", "-o", f"mountpoint=/chyves/{lab.pool}", top)
    for name in DATASETS.split():
        zfs(lab, "create", top + name)
    zfs(lab, "create", "-V", "64M", f"{top}/guests/old/disk0")
    for name, text in FILES.items():
        (place / name).write_text(text)

    before = everything(lab)
    assert done(lab, "list", "loader", "-H") == "old\tbhyveload\n"
    assert done(lab, "old", "get", "ram") == "256M\n"
    assert everything(lab) == before

    try:
        done(lab, "old", "start")
        done(lab, "new", "create", "64M")
        kept = read_text((place / "guests/old/.config/.cfg").read_text(), "old")
        assert kept.pop("pci_slots") == "disk0=4:0,tap50=5:0"
        assert kept == read_text(FILES["guests/old/.config/.cfg"], "old")
        new = read_text((place / "guests/new/.config/.cfg").read_text(), "new")
        assert (new["net_ifaces"], new["serial"]) == ("tap51", "nmdm51")
    finally:
        chyves(lab, "all", "stop", "force")
