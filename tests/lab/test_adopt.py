"""Guests of other managers become guests of chyves; what they were made of stays as it was, or comes whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.host.files import text_of
from chyves.section import read_text
from tests.lab import foreign_guests
from tests.torture.house import BASE, House, a_house, state


@pytest.fixture(scope="module")
def made() -> Iterator[House]:
    with a_house() as house:
        yield house


@pytest.fixture
def house(made: House) -> House:
    made.go_back(BASE)
    return made


def properties(house: House, guest: str) -> dict[str, str]:
    file = house.lab.root / f"chyves/zroot/guests/{guest}/.config/.cfg"
    return read_text(text_of(file.read_bytes(), file), guest)


def serial_of(path: str) -> str:
    """What bhyve calls a disk that has no serial number (pci_virtio_block.c: MD5 of the path)."""
    digest = hashlib.md5(path.encode()).hexdigest().upper()
    return f"BHYVE-{digest[:4]}-{digest[4:8]}-{digest[8:12]}"


def made_mac(text: str) -> str:
    """The Ethernet address that bhyve makes from slot, function and name (net_utils.c)."""
    digest = hashlib.md5(text.encode()).hexdigest()
    return f"00:a0:98:{digest[:2]}:{digest[2:4]}:{digest[4:6]}"


def origins(house: House, guest: str) -> dict[str, str]:
    rows = house.zfs("list", "-Hr", "-o", "name,origin", f"zroot/chyves/guests/{guest}").splitlines()
    pairs = (row.split("\t") for row in rows)
    return {name.partition(f"/{guest}/")[2]: origin.partition("@")[0] for name, origin in pairs if origin != "-"}


def test_complaint_30_a_guest_of_vm_bhyve_with_an_image_and_a_volume(house: House) -> None:
    directory = foreign_guests.of_vm_bhyve(house)
    told = house.chyves("adopt", "vm-bhyve", f"{directory.parent}/")
    assert told.returncode == 0, told.stderr
    left = "comports; prestart; seed.iso (its files belong below .cloud-init; set cloudinit); "
    left += "the switch public (tap52 is on bridge0); uefi_vnc_password=***; disk0_maxq=16"
    assert f"vb1: not taken over: {left}\n" in told.stderr
    found = properties(house, "vb1")
    wanted = {
        "loader": "uefi", "uefi_firmware": "BHYVE_UEFI.fd", "cpu": "2", "ram": "1G", "bargs": "-A -H -P -w",
        "uuid": "0b1c5ec0-7b8e-11f0-9c6e-589cfc000001", "bhyve_disk_type": "virtio-blk", "net_ifaces": "tap52,tap53",
        "tap53_type": "e1000", "tap52_type": None, "disk0_cache": "nocache", "nice": "10", "limit_writeiops": "500",
        "audio_play": "/dev/dsp0", "vtcon0": "org.example.port", "on_crash": "restart", "uefi_vnc_password": None,
        "tap52_mac": "58:9c:fc:01:02:03", "uefi_console_output": "vnc", "uefi_vnc_port": "5999",
        "uefi_vnc_res": "1280x720", "uefi_vnc_mouse_type": "usb3", "pcidev_0": "passthru,2/0/0",
        "virtio_rnd": "yes", "uefi_vars": "yes", "cpu_sockets": "1",
        "disk0_serial": serial_of("/dev/zvol/zroot/vm/vb1/disk1"),
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["pci_slots"].startswith("disk0.img=4:0,disk0=5:0") and "tap52=6:0,tap53=6:1" in found["pci_slots"]
    assert "bridge7_tap_members=tap53" in (house.lab.root / "chyves/zroot/.config/global.cfg").read_text()
    assert origins(house, "vb1") == {"disk0": "zroot/vm/vb1/disk1", "img/0-vb1": "zroot/vm/vb1"}
    below = house.lab.root / "chyves/zroot/guests/vb1/img"
    assert [path.name for path in below.rglob("*") if path.is_file()] == ["disk0.img"]
    assert (below / "0-vb1/disk0.img").read_bytes()[:5] == b"first"
    assert (house.lab.root / "dev/zvol/zroot/chyves/guests/vb1/disk0").read_bytes()[:6] == b"second"
    stays = {"vb1.conf", "vm-bhyve.log", "disk0.img", "uefi-vars.fd", "seed.iso"}
    assert {path.name for path in directory.iterdir()} == stays
    assert (house.lab.root / "chyves/zroot/guests/vb1/.vars.fd").read_bytes() == b"variables"
    house.done("vb1", "promote")
    assert origins(house, "vb1") == {}


def test_a_guest_of_iohyve_brings_its_volumes_with_it_where_they_are_renamed(house: House) -> None:
    foreign_guests.of_iohyve(house)
    told = house.chyves("adopt", "iohyve", "zroot/iohyve/", "io1", "--rename")
    assert told.returncode == 0, told.stderr
    assert "io1: not taken over: autogrub; the switch em1 (tap53 is on bridge0)\n" in told.stderr
    found = properties(house, "io1")
    wanted = {
        "ram": "512M", "loader": "grub-bhyve", "os": "debian", "serial": "nmdm9", "bargs": "-A -H -P", "rcboot": "1",
        "description": "an old one", "net_ifaces": "tap52,tap53", "tap53_mac": "58:9c:fc:00:00:08",
        "virtio_rnd": "yes", "bhyve_disk_type": "ahci-hd", "tap52_mac": made_mac("5-0-ioh-io1"),
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert origins(house, "io1") == {}
    left = house.zfs("list", "-Hr", "-o", "name", "-t", "all", "zroot/iohyve").split()
    assert left == ["zroot/iohyve", "zroot/iohyve/io1"]
    house.done("io1", "start")
    house.done("io1", "stop", "force")


def test_a_machine_of_cbsd_whose_disk_is_a_link_to_a_volume(house: House) -> None:
    top = foreign_guests.of_cbsd(house)
    (top / "jails-system/bad").mkdir()
    (top / "jails-system/bad/local.sqlite").write_text("none")
    assert "bad/local.sqlite: cannot be read: file is not a database" in house.chyves("adopt", "cbsd", str(top)).stderr
    told = house.chyves("adopt", "cbsd", str(top), "cb1")
    assert told.returncode == 0, told.stderr
    assert "cb1: not taken over: tpm=1; vm_hostbridge=amd; p9shares of cb1; the type of" in told.stderr
    found = properties(house, "cb1")
    wanted = {
        "cpu": "4", "ram": "1024M", "loader": "uefi", "rcboot": "1", "uefi_vnc_ip": "0.0.0.0", "bargs": "-H -P -A -C",
        "rcboot_delay": "5", "virtio_rnd": "yes", "tap52_type": "e1000", "on_crash": "stop", "disk0_readonly": "yes",
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert len(found["uefi_vnc_password"]) == 8, "a screen that others can reach has a password"
    assert origins(house, "cb1") == {"disk0": "zroot/cb1-dsk1", "img/0-jails": "zroot/jails"}
    images = (house.lab.root / "chyves/zroot/guests/cb1/img").rglob("*")
    assert [path.name for path in images if path.is_file()] == ["dsk2.vhd"]


def bomb() -> str:
    """A domain whose name would be a million times as long as its file."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x"}">' for n in range(8))
    return f"<!DOCTYPE domain [{entities}]><domain type='bhyve'><name>&e7;</name></domain>"


def test_a_domain_of_libvirt(house: House, tmp_path: Path) -> None:
    file = foreign_guests.of_libvirt(house, tmp_path)
    (tmp_path / "lv2.xml").write_text("<domain type='bhyve'><name>")
    (tmp_path / "lv3.xml").write_text(bomb())
    (tmp_path / "autostart").mkdir()
    (tmp_path / "autostart/lv1.xml").symlink_to(file)
    told = house.chyves("adopt", "libvirt", str(tmp_path), "lv1")
    assert told.returncode == 0, told.stderr
    assert "lv1: not taken over: the cdrom /iso/install.iso; sound; memtune\n" in told.stderr
    found = properties(house, "lv1")
    wanted = {
        "cpu": "2", "ram": "512M", "loader": "grub-bhyve", "description": "a domain of two lines",
        "bargs": "-H -P -A -u", "bhyve_disk_type": "virtio-blk", "tap52_mac": "52:54:00:b9:94:02",
        "tap52_type": "e1000", "agent": "yes", "share0": "shared=/srv", "pcidev_0": "passthru,3/0/4", "rcboot": "1",
        "on_reboot": "stop", "disk0_serial": "DISK-1",
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["pci_slots"].startswith("disk0=9:0,tap52=4:0"), "the slot of the medium is none that a card can keep"
    assert "bridge1_tap_members=tap52" in (house.lab.root / "chyves/zroot/.config/global.cfg").read_text()


def test_what_cannot_be_taken_over_is_refused_before_anything_is_made(house: House, tmp_path: Path) -> None:
    directory = foreign_guests.of_vm_bhyve(house)
    where = str(directory.parent)

    def refused(*words: str) -> str:
        before = state(house)
        told = house.chyves("adopt", *words)
        assert told.returncode == 1 and state(house) == before
        return told.stderr

    assert "vb2: vm-bhyve has no such guest there (it has: vb1)" in refused("vm-bhyve", where, "vb2")
    assert "/nowhere: is no vm_dir" in refused("vm-bhyve", "/nowhere")
    assert "zroot: has no guests of iohyve" in refused("iohyve", "zroot")
    assert "has no virtual machines of CBSD" in refused("cbsd", where)
    assert "has no domains of bhyve" in refused("libvirt", where)
    file = tmp_path / "bad.xml"
    file.write_text("<domain type='bhyve'><name>")
    assert "bad.xml: is no XML" in refused("libvirt", str(file))
    file.write_text(bomb())
    assert "bad.xml: has a document type" in refused("libvirt", str(file))
    file.write_text(foreign_guests.DOMAIN.replace("'0x09'", "'nine'"))
    assert "bad: has an address with the slot 'nine', which is no number" in refused("libvirt", str(file))
    file.write_text(foreign_guests.DOMAIN.replace("lv1", "Büro"))
    assert "use letters, digits, dots, dashes and underscores (for one guest: --name NAME)" in refused(
        "libvirt", str(file)
    )
    assert "a: there is such a guest already" in refused("vm-bhyve", where, "--name", "a")
    assert "zroot/chyves: has no guests of vm-bhyve" in refused("vm-bhyve", "zfs:zroot/chyves")
    conf = directory / "vb1.conf"
    conf.write_text('loader="xen"\ndisk0_name="disk0.img"\ndisk0_type="virtio-blk"\n')
    assert "vb1: loader: 'xen' is none of vm-bhyve's" in refused("vm-bhyve", where)
    conf.write_text('disk0_name="disk0.img"\ndisk0_type="virtio-blk"\ncpu=many\n')
    assert "cpu" in refused("vm-bhyve", where)
    conf.write_text(f'disk0_dev="custom"\ndisk0_name="{file}"\ndisk0_type="virtio-blk"\n')
    assert "is on no ZFS file system" in refused("vm-bhyve", where)
    conf.write_text('disk0_dev="custom"\ndisk0_name="/dev/da3"\ndisk0_type="virtio-blk"\n')
    assert "vb1: /dev/da3 is a device, and chyves has volumes and image files alone" in refused("vm-bhyve", where)
    conf.write_bytes(b'disk0_name="\xff"\n')
    assert "vb1.conf: line 1 is not UTF-8 text" in refused("vm-bhyve", where, "vb1")
    conf.write_text('disk0_dev="zvol"\ndisk0_name="disk9"\ndisk0_type="virtio-blk"\n')
    assert "zroot/vm/vb1/disk9 is no volume here" in refused("vm-bhyve", where)
    conf.write_text(foreign_guests.VM_BHYVE)
    (house.lab.root / "dev/vmm").mkdir(exist_ok=True)
    (house.lab.root / "dev/vmm/vb1").touch()
    assert "vb1: runs (/dev/vmm/vb1); stop it first: vm stop vb1" in refused("vm-bhyve", where)


def test_one_that_has_a_name_of_its_own_here(house: House, tmp_path: Path) -> None:
    file = foreign_guests.of_libvirt(house, tmp_path)
    file.write_text(foreign_guests.DOMAIN.replace(">lv1<", ">Büro<").replace("'virtio'/><serial>", "'nvme'/><serial>"))
    house.done("adopt", "libvirt", str(file), "--name", "office")
    assert properties(house, "office")["description"] == "a domain of two lines"
    assert origins(house, "office") == {"disk0": "zroot/lv1"}
    house.done("office", "delete", "--yes")


def test_what_a_dry_run_prints_does_the_same(house: House) -> None:
    foreign_guests.of_iohyve(house)
    before = state(house)
    lines = house.done("adopt", "iohyve", "zroot", "--rename", "--dry-run")
    assert state(house) == before
    assert "zfs rename zroot/iohyve/io1/disk1 zroot/chyves/guests/.new/io1/disk1" in lines
    assert lines.index("set chyves:adopting=disk0=zroot/iohyve/io1/disk0") < lines.index("zfs rename")
