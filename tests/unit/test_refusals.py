"""What a guest cannot be started with: each refused with one whole sentence, and nothing else of it wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chyves.bhyve.facts import Disk, Facts, HostFacts
from chyves.bhyve.launch import launch
from chyves.errors import ChyvesError
from chyves.properties import Guest

HOST = HostFacts(
    release=1302001,
    cpus=8,
    memory=16 << 30,
    unrestricted=True,
    iommu=True,
    options=frozenset("aACDeHhPSuWwxYcGkKlmopsU"),
    devices=frozenset("ahci-cd ahci-hd e1000 fbuf hostbridge lpc passthru virtio-blk virtio-net virtio-rnd".split()),
    lpc=frozenset("bootrom com1 com2".split()),
)
FACTS = Facts(
    host=HOST,
    name="web1",
    disks=(Disk("disk0", "/dev/zvol/tank/disk0"),),
    console="/dev/nmdm50",
    firmware="/fw/BHYVE_UEFI.fd",
    null_iso="/iso/null.iso",
    directory="/chyves/tank/guests/web1",
    scratch="/var/run/chyves/web1",
)
GUEST = {"loader": "uefi", "uefi_firmware": "BHYVE_UEFI.fd", "net_ifaces": "tap50", "tap50_mac": "58:9c:fc:00:00:01"}
VNC = {"uefi_console_output": "vnc", "uefi_vnc_port": "5900"}
LOADED = {"loader": "bhyveload"}
PLAIN_CPU = {"unrestricted": False, "cpus": 1}
OTHER_DISKS = (Disk("disk0", "/dev/zvol/tank/disk0"), Disk("disk1", "/dev/zvol/tank/disk1"))
TWO_DISKS = (Disk("disk0", "/dev/zvol/tank/disk0"), Disk("disk1", "/dev/zvol/tank/disk0"))
KEPT = {"pci_slots": "disk0=4:0,disk1=5:0,disk2=6:0,disk3=7:0"}
FOUR_DISKS = tuple(Disk(f"disk{number}", f"/dev/zvol/tank/disk{number}") for number in range(4))
BARE = "switch VT-d or AMD-Vi on in its BIOS"

REFUSED: list[tuple[dict[str, str], dict[str, Any], str]] = [
    # the guest's life
    ({"template": "yes"}, {}, "template: a template does not start; clone it, or set template=no"),
    (
        {"chyves_guest_version": "0400"},
        {},
        "chyves_guest_version: 0400 is newer than this chyves knows (0300); use the chyves that wrote it",
    ),
    (
        {"chyves_guest_version": "0099"},
        {},
        "chyves_guest_version: 0099 is older than any that chyves takes over (0100); make the guest anew",
    ),
    # processors, memory, loader
    ({"cpu": "17"}, {}, "cpu: 17 is more than this host has (8); use at most 8"),
    (
        {},
        PLAIN_CPU,
        "loader: uefi needs unrestricted guest mode, which this host's processor does not have; use bhyveload",
    ),
    (
        {"loader": "grub-bhyve"},
        PLAIN_CPU,
        "loader: grub-bhyve needs unrestricted guest mode, which this host's processor does not have; use bhyveload",
    ),
    (
        LOADED | {"cpu": "2"},
        PLAIN_CPU,
        "cpu: more than 1 needs unrestricted guest mode, which this host's processor does not have; use 1",
    ),
    ({"ram": "17G"}, {}, "ram: 17G is more than this host has (16384M); use less than 16384M"),
    ({"ram": "300000K"}, {}, "ram: 300000K is not a whole number of megabytes; use 293M"),
    (LOADED, {"console": ""}, "serial: is not set, and bhyveload needs a console; set it, such as serial=nmdm50"),
    (
        {"loader": "grub-bhyve"},
        {"console": ""},
        "serial: is not set, and grub-bhyve needs a console; set it, such as serial=nmdm50",
    ),
    (
        LOADED,
        {"disks": ()},
        "has nothing to boot from; add a disk (chyves web1 disk add), "
        "or start it with a medium (chyves web1 start ISO)",
    ),
    (
        {"loader": "grub-bhyve", "os": "debian"},
        {"disks": ()},
        "has nothing to boot from; add a disk (chyves web1 disk add), "
        "or start it with a medium (chyves web1 start ISO)",
    ),
    (
        {"uefi_firmware": "-"},
        {},
        "uefi_firmware: is not set, and a UEFI guest boots with it; set it to one of: chyves list firmware",
    ),
    (
        {},
        {"firmware": None},
        "uefi_firmware: BHYVE_UEFI.fd is not among the firmware of this host; see: chyves list firmware",
    ),
    ({"uefi_console_output": "vnc"}, {}, "uefi_vnc_port: is not set; set a port that is free, such as 5900"),
    # options of the user
    ({"bargs": "-A -c 2"}, {}, "bargs: -c is not possible here; set cpu instead"),
    ({"bargs": "-AHPm1G"}, {}, "bargs: -m is not possible here; set ram instead"),
    (
        {"bargs": "-s 5,virtio-rnd"},
        {},
        "bargs: -s is not possible here; set pcidev_{n}, bhyve_disk_type and bhyve_net_type instead",
    ),
    ({"bargs": "-U 0b1c5ec0-7b8e-11f0-9c6e-589cfc000001"}, {}, "bargs: -U is not possible here; set uuid instead"),
    ({"bargs": "-h"}, {}, "bargs: -h is not possible here; take it out"),
    ({"bargs": "-M"}, {}, "bargs: -M is not possible here; take it out"),
    ({"bargs": "-l com1,/dev/nmdm9A"}, {}, "bargs: -l com1 is what chyves gives itself; set serial instead"),
    ({"bargs": "-l BOOTROM,/x"}, {}, "bargs: -l bootrom is what chyves gives itself; set uefi_firmware instead"),
    ({"bargs": "-l com3,/dev/nmdm9A"}, {}, "bargs: -l com3 is not what the bhyve of this host has; take it out"),
    ({"bargs": "-l help"}, {}, "bargs: -l help is not what the bhyve of this host has; take it out"),
    (
        {"bargs": "-l com2,/dev/nmdm50B"},
        {},
        "bargs: /dev/nmdm50B is what serial has already; use another null-modem pair",
    ),
    ({"bargs": "-A web1"}, {}, "bargs: web1 is no option; give options alone, chyves adds the name"),
    ({"bargs": "-A --"}, {}, "bargs: -- is no option; give options alone, chyves adds the name"),
    ({"bargs": "-Z"}, {}, "bargs: option -Z not recognized; see the manual of the program"),
    ({"bargs": "-G"}, {}, "bargs: option -G requires argument; see the manual of the program"),
    ({"bargs": "-f opt/x,string=y"}, {}, "bargs: the bhyve of this host has no -f; take it out"),
    ({"bargs": "-n id=0,size=1G,cpus=0"}, {}, "bargs: the bhyve of this host has no -n; take it out"),
    (
        {"bargs": "-p 0:1 -p 2:3", "cpu": "2"},
        {},
        "bargs: -p 2:3 pins a processor that the guest does not have; use numbers from 0 to 1",
    ),
    (
        {"bargs": "-o pci.0.4.0.device=nvme"},
        {},
        "bargs: -o pci.0.4.0.device=nvme comes before the devices and spoils them; set pcidev_{n} instead",
    ),
    (LOADED | {"bhyveload_flags": "-c stdio"}, {}, "bhyveload_flags: -c is not possible here; set serial instead"),
    (LOADED | {"bhyveload_flags": "-m 1G"}, {}, "bhyveload_flags: -m is not possible here; set ram instead"),
    (
        LOADED | {"bhyveload_flags": "-x"},
        {},
        "bhyveload_flags: option -x not recognized; see the manual of the program",
    ),
    # paths
    (
        {},
        {"disks": (Disk("a.img", "/vm,1/a.img"),)},
        "disk a.img: '/vm,1/a.img' has a comma in it, which bhyve cannot take; rename it",
    ),
    (
        {},
        {"disks": (Disk("a.img", "/my vm/a.img"),)},
        "disk a.img: '/my vm/a.img' has a blank in it, which bhyve cannot take; rename it",
    ),
    (
        {},
        {"disks": (Disk("my disk", "/vm/my disk"),)},
        "'my disk': is no name for a disk; rename the file, with letters, digits, dots, dashes and underscores",
    ),
    (
        {},
        {"disks": (Disk("tap50", "/vm/img/tap50"),)},
        "tap50: is the name of another device; rename the file, with letters, digits, dots, dashes and underscores",
    ),
    (
        {},
        {"firmware": "/fw%1/x.fd"},
        "uefi_firmware: '/fw%1/x.fd' has a percent sign in it, which bhyve cannot take; rename it",
    ),
    (
        {},
        {"disks": (Disk("disk0", "/x\x1b"),)},
        r"disk disk0: '/x\x1b' has the character '\x1b' in it, which bhyve cannot take; rename it",
    ),
    ({}, {"disks": TWO_DISKS}, "disk disk1: /dev/zvol/tank/disk0 is also disk disk0; take one of them away"),
    # disks and their places
    (
        {"virtio_block_options_disk3": "ro"},
        {},
        "virtio_block_options_disk3: there is no disk3; unset it, or add the disk",
    ),
    (
        {},
        {"disks": tuple(Disk(f"disk{number}", f"/d/{number}") for number in range(25))},
        "disk24: a UEFI guest has room for 24 disks on its PCI bus; take disks away, "
        "or set global consolidate_bhyve_pci_devices=yes",
    ),
    (
        {"bhyve_disk_type": "virtio-blk"},
        {"disks": tuple(Disk(f"disk{number}", f"/d/{number}") for number in range(25))},
        "disk24: a UEFI guest has room for 24 disks on its PCI bus; take disks away",
    ),
    (
        {"disk0_cache": "nocache", "virtio_block_options_disk0": "ro,direct"},
        {},
        "disk0_cache: virtio_block_options_disk0 has direct already; set it in one of them",
    ),
    (
        {"disk0_readonly": "no", "virtio_block_options_disk0": "ro"},
        {},
        "disk0_readonly: virtio_block_options_disk0 has ro already; set it in one of them",
    ),
    (
        {"disk0_sectorsize": "4096", "virtio_block_options_disk0": "sectorsize=512"},
        {},
        "disk0_sectorsize: virtio_block_options_disk0 has sectorsize=512 already; set it in one of them",
    ),
    (
        {"disk0_trim": "no", "virtio_block_options_disk0": "nodelete"},
        {},
        "disk0_trim: virtio_block_options_disk0 has nodelete already; set it in one of them",
    ),
    ({"disk3_type": "nvme"}, {}, "disk3_type: there is no disk3; unset it, or add the disk"),
    (
        {"disk0_type": "nvme"},
        {"devices": frozenset({"ahci-hd"})},
        "disk0: the bhyve of this host has no nvme, which came with FreeBSD 12.0; choose another",
    ),
    (
        {"disk0_type": "virtio-scsi", "disk0_serial": "CHY-7F3A90C2D41B5E68"},
        {},
        "disk0_ctl: is not set, and bhyve has SCSI disks from ctl(4) alone; make a LUN (ctladm create -b block "
        "-o file=/dev/zvol/tank/disk0 -S CHY-7F3A90C2D41B5E68) on a port of its own, and set disk0_ctl to that, "
        "or set disk0_type to another",
    ),
    (
        {"disk0_type": "virtio-scsi", "disk0_ctl": "/dev/cam/ctl1.0", "disk0_readonly": "yes"},
        {},
        "disk0_readonly: is for ctladm(8) to set on a disk of type virtio-scsi; unset it",
    ),
    (
        {"disk0_ctl": "/dev/cam/ctl1.0"},
        {},
        "disk0_ctl: disk0 is ahci-hd; unset it, or set disk0_type=virtio-scsi",
    ),
    (
        {"bhyve_disk_type": "virtio-scsi"},
        {"disks": (Disk("a.img", "/vm/a.img"),)},
        "a.img: a raw image cannot be virtio-scsi; set another bhyve_disk_type",
    ),
    (
        {"disk0_serial": "WD-1"},
        {"release": 1202000},
        "disk0_serial: the bhyve of this host takes no serial numbers, FreeBSD 13.0 does; unset it",
    ),
    (
        {"disk0_serial": "WD-1", "disk1_serial": "WD-1"},
        {"disks": OTHER_DISKS},
        "disk1_serial: WD-1 is also disk0's; give each disk its own",
    ),
    (
        {"disk0_eui64": "589cfc20a1b20001", "disk1_eui64": "589cfc20a1b20001"},
        {"disks": OTHER_DISKS},
        "disk1_eui64: 589cfc20a1b20001 is also disk0's; give each disk its own",
    ),
    (
        {"disk0_bootindex": "1"},
        {"options": frozenset("AHPS")},
        "disk0_bootindex: the bhyve of this host knows no boot order, that of FreeBSD 14.0 does; unset it",
    ),
    (
        LOADED | {"disk0_bootindex": "1"},
        {"options": frozenset("f")},
        "disk0_bootindex: is read by UEFI firmware, and loader is bhyveload; unset it",
    ),
    (
        {"disk0_bootindex": "1", "disk1_bootindex": "01"},
        {"disks": OTHER_DISKS, "options": frozenset("f")},
        "disk1_bootindex: 1 is also that of disk0_bootindex; give each device its own",
    ),
    (
        {"disk0_bootindex": "1", "pcidev_0": "virtio-blk,/d/9,bootindex=1"},
        {"options": frozenset("f")},
        "disk0_bootindex: 1 is also that of pcidev_0; give each device its own",
    ),
    (
        KEPT,
        {"disks": FOUR_DISKS},
        "pci_slots: disks are on 4 slots, and UEFI firmware looks on 3; "
        "unset pci_slots to have all devices placed anew",
    ),
    (
        {"pci_slots": "disk0=3:0"},
        {},
        "pci_slots: disk0 cannot be at 3:0; unset pci_slots to have all devices placed anew",
    ),
    (
        {"pci_slots": "tap50=4:0/1"},
        {},
        "pci_slots: tap50 cannot be at 4:0/1; unset pci_slots to have all devices placed anew",
    ),
    # further devices
    ({"pcidev_0": "lpc"}, {}, "pcidev_0: the guest has its lpc on slot 31; take this one out"),
    (
        VNC | {"pcidev_0": "fbuf,tcp=5901"},
        {},
        "pcidev_0: a guest has one frame buffer, and the one of uefi_console_output=vnc is it; take one of them away",
    ),
    (
        {"pcidev_0": "fbuf,tcp=5901", "pcidev_1": "fbuf,tcp=5902"},
        {},
        "pcidev_1: a guest has one frame buffer, and pcidev_0 is it; take one of them away",
    ),
    (
        LOADED | {"pcidev_0": "fbuf,tcp=5901"},
        {},
        "pcidev_0: a frame buffer shows nothing with loader=bhyveload; use loader=uefi",
    ),
    ({"pcidev_0": "fbuf,vga=on"}, {}, "pcidev_0: vga=on leaves the frame buffer dark; use vga=io or vga=off"),
    ({"pcidev_0": "fbuf,w=320"}, {}, "pcidev_0: w=320 is not possible; use 640 to 3840"),
    ({"pcidev_0": "fbuf,h=2161"}, {}, "pcidev_0: h=2161 is not possible; use 480 to 2160"),
    ({"pcidev_0": "fbuf,w=wide"}, {}, "pcidev_0: w=wide is not possible; use 640 to 3840"),
    (
        {"pcidev_0": "fbuf,password=123456789"},
        {},
        "pcidev_0: only the first 8 characters of a password count; use a shorter one",
    ),
    (
        {"pcidev_0": "passthru"},
        {},
        "pcidev_0: is no device of the host; write passthru,bus/slot/function as pciconf -l counts, "
        "such as passthru,2/0/0",
    ),
    (
        {"pcidev_0": "passthru,2/0/8"},
        {},
        "pcidev_0: is no device of the host; write passthru,bus/slot/function as pciconf -l counts, "
        "such as passthru,2/0/0",
    ),
    (
        {"pcidev_0": "passthru,ppt0"},
        {},
        "pcidev_0: ppt0 is how FreeBSD 14 and later name it; write passthru,bus/slot/function",
    ),
    (
        {"pcidev_0": "passthru,pci0:2:0:0"},
        {"release": 1399999},
        "pcidev_0: pci0:2:0:0 is how FreeBSD 14 and later name it; write passthru,bus/slot/function",
    ),
    (
        {"pcidev_0": "passthru,2/0/0"},
        {"iommu": False},
        f"pcidev_0: passthru needs an IOMMU, and this host uses none; {BARE}",
    ),
    (
        {"pcidev_0": "passthru,2/0/0", "pcidev_1": "passthru,2/0/0,rom=/x"},
        {},
        "pcidev_1: 2/0/0 is what pcidev_0 has already; take one of them away",
    ),
    (
        {"pcidev_0": "passthru,2/0/0", "pcidev_1": "passthru,pci0:2:0:0"},
        {"release": 1403000},
        "pcidev_1: pci0:2:0:0 is what pcidev_0 has already; take one of them away",
    ),
    ({"pcidev_0": "virtio-net,tap50"}, {}, "pcidev_0: tap50 is what net_ifaces has already; take one of them away"),
    (
        {"pcidev_0": "ahci-cd,/x.iso", "pcidev_1": "ahci,hd:/y,cd:/x.iso"},
        {"devices": frozenset()},
        "pcidev_1: /x.iso is what pcidev_0 has already; take one of them away",
    ),
    (
        {"pcidev_0": "virtio-blk,/dev/zvol/tank/disk0"},
        {},
        "pcidev_0: /dev/zvol/tank/disk0 is what disk0 has already; take one of them away",
    ),
    (
        {"pcidev_0": "uart,/dev/nmdm50A"},
        {"devices": frozenset()},
        "pcidev_0: /dev/nmdm50A is what serial has already; take one of them away",
    ),
    # Ethernet addresses
    (
        {"net_ifaces": "tap50,tap51", "tap51_mac": "58:9C:FC:0:0:1"},
        {},
        "tap51_mac: 58:9c:fc:00:00:01 is also tap50_mac; give each card its own",
    ),
    (
        {"pcidev_0": "e1000,tap60,mac=58:9c:fc:00:00:01"},
        {},
        "pcidev_0: 58:9c:fc:00:00:01 is also tap50_mac; give each card its own",
    ),
    (
        {"pcidev_0": "e1000,tap60,mac=01:00:5e:00:00:01"},
        {},
        "pcidev_0: mac=01:00:5e:00:00:01 is not possible; give the address of one card: not all zero, "
        "and the first pair even",
    ),
    (
        {"tap50_mac": "00:00:00:00:00:00"},
        {},
        "tap50_mac: 00:00:00:00:00:00 is not possible; give the address of one card: not all zero, "
        "and the first pair even",
    ),
    (
        {"net_ifaces": "slirp0,tap50", "slirp0_mac": "58:9c:fc:00:00:01"},
        {"release": 1500068},
        "tap50_mac: 58:9c:fc:00:00:01 is also slirp0_mac; give each card its own",
    ),
    (
        {"net_ifaces": "tap50,vale0:1", "vale_mac": "vale0:1=58:9c:fc:00:00:01,vale0:2=58:9c:fc:00:00:02"},
        {},
        "vale_mac: 58:9c:fc:00:00:01 is also tap50_mac; give each card its own",
    ),
    # kinds of network cards
    (
        {"net_ifaces": "slirp0"},
        {"release": 1403000},
        "slirp0: bhyve connects guests to slirp since FreeBSD 15.0; give the guest a tap instead",
    ),
    (
        {"net_ifaces": "slirp0"},
        {"release": 1500068, "libslirp": False},
        "slirp0: bhyve needs libslirp for it, which this host does not have; install it: pkg install libslirp",
    ),
    (
        {"net_ifaces": "netgraph3", "netgraph3_path": "br0:", "netgraph3_peerhook": "link2"},
        {"release": 1202000},
        "netgraph3: bhyve connects guests to netgraph since FreeBSD 13.0; give the guest a tap instead",
    ),
    (
        {"net_ifaces": "netgraph3"},
        {},
        "netgraph3: is connected to nothing, as netgraph3_path and netgraph3_peerhook are not set; "
        "set, such as netgraph3_path=br0: netgraph3_peerhook=link2",
    ),
    (
        {"net_ifaces": "netgraph3", "netgraph3_path": "br0:"},
        {},
        "netgraph3: is connected to nothing, as netgraph3_peerhook is not set; set, such as netgraph3_peerhook=link2",
    ),
    (
        {"tap50_mtu": "9000", "tap50_type": "e1000"},
        {},
        "tap50_mtu: e1000 cannot tell the guest of it; unset it and set it in the guest, or use virtio-net",
    ),
    (
        {"tap50_mtu": "9000"},
        {"release": 1202000},
        "tap50_mtu: bhyve tells guests of it since FreeBSD 13.0; unset it, and set it in the guest",
    ),
    # shares, random numbers, sound
    (
        {"share0": "src=/usr/src"},
        {},
        "share0: the bhyve of this host has no virtio-9p, which FreeBSD 13.0 has; unset share0",
    ),
    (
        {"share0": "src=/usr/src"},
        {"devices": frozenset(), "release": 1101001},
        "share0: the bhyve of this host has no virtio-9p, which FreeBSD 13.0 has; unset share0",
    ),
    (
        {"share0": "src=/usr/src", "share7": "src=/usr/ports,ro"},
        {"devices": HOST.devices | {"virtio-9p"}},
        "share7: src is what share0 is called; give each its own name",
    ),
    (
        {"audio_rec": "/dev/dsp0"},
        {},
        "audio_rec: the bhyve of this host has no hda, which FreeBSD 13.0 has; unset audio_rec",
    ),
    (
        {"virtio_rnd": "yes"},
        {"devices": HOST.devices - {"virtio-rnd"}},
        "virtio_rnd: the bhyve of this host has no virtio-rnd; unset virtio_rnd",
    ),
    # what this bhyve has
    (
        {"pcidev_7": "hda"},
        {},
        "pcidev_7: the bhyve of this host has no hda, which came with FreeBSD 13.0; choose another",
    ),
    ({"pcidev_7": "virtio-rng"}, {}, "pcidev_7: the bhyve of this host has no virtio-rng; see: bhyve -s help"),
    (
        {"bhyve_net_type": "e1000"},
        {"devices": HOST.devices - {"e1000"}},
        "tap50: the bhyve of this host has no e1000; see: bhyve -s help",
    ),
    (
        VNC,
        {"devices": HOST.devices - {"fbuf"}},
        "uefi_console_output: the bhyve of this host has no fbuf; see: bhyve -s help",
    ),
    (VNC | {"uefi_vnc_mouse_type": "usb3"}, {}, "xhci: the bhyve of this host has no xhci; see: bhyve -s help"),
    ({}, {"consolidate": True}, "disk0: the bhyve of this host has no ahci; see: bhyve -s help"),
    ({}, {"devices": HOST.devices - {"ahci-cd"}}, "medium: the bhyve of this host has no ahci-cd; see: bhyve -s help"),
    ({}, {"lpc": frozenset({"bootrom"})}, "serial: the bhyve of this host has no com1; see: bhyve -l help"),
    ({}, {"lpc": frozenset({"com1"})}, "loader: the bhyve of this host has no bootrom; see: bhyve -l help"),
]


def _facts(changes: dict[str, Any]) -> Facts:
    of_host = {key: value for key, value in changes.items() if hasattr(HOST, key)}
    of_guest = {key: value for key, value in changes.items() if key not in of_host}
    return replace(FACTS, host=replace(HOST, **of_host), **of_guest)


def _title(value: dict[str, Any] | str) -> str:
    """Part of a test's name: the same in every process, which a set's text is not."""
    return ",".join(value) if isinstance(value, dict) else value[:60]


@pytest.mark.parametrize(("properties", "facts", "said"), REFUSED, ids=_title)
def test_refused(properties: dict[str, str], facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ChyvesError) as caught:
        launch(Guest("web1", GUEST | properties), _facts(facts), None)
    assert str(caught.value) == f"web1: {said}"
    assert caught.value.status == 1


@pytest.mark.parametrize("what", ["comma", "blank", "percent"])
def test_refused_medium(what: str) -> None:
    path = {"comma": "/a,b.iso", "blank": "/a b.iso", "percent": "/a%b.iso"}[what]
    with pytest.raises(ChyvesError, match=f"^web1: medium: '{path}' has a {what}.* in it, .*; rename it$"):
        launch(Guest("web1", GUEST), FACTS, path)


def test_the_guest_of_these_tests_starts() -> None:
    assert launch(Guest("web1", GUEST), FACTS, "/x.iso").warnings == ()


@pytest.mark.parametrize(
    ("properties", "facts"),
    [
        (LOADED, PLAIN_CPU),
        (LOADED, {"iommu": False}),
        (LOADED, {"devices": HOST.devices - {"ahci-cd", "fbuf"}, "lpc": frozenset({"com1"}), "firmware": None}),
        ({}, {"console": "", "lpc": frozenset({"bootrom"})}),
        ({}, {"null_iso": None, "devices": HOST.devices - {"ahci-cd"}}),
        ({"cpu": "8", "ram": "16G"}, {}),
        ({"pcidev_0": "passthru,ppt0"}, {"release": 1400000}),
        ({"pcidev_0": "fbuf,w=3840,h=480,password=12345678"}, {}),
        ({"bargs": "-o system.sku=x -k /etc/web1.conf -p 0:7 -l COM2,/dev/nmdm51A -D -w"}, {}),
        ({"chyves_guest_version": "0300", "template": "no"}, {}),
    ],
)
def test_what_is_possible_is_not_refused(properties: dict[str, str], facts: dict[str, Any]) -> None:
    assert launch(Guest("web1", GUEST | properties), _facts(facts), None).bhyve[-1] == "chy-web1"


def test_each_sentence_is_one_and_says_what_to_do() -> None:
    for _, _, said in REFUSED:
        assert "\n" not in said and not said.endswith(".")
        assert "; " in said or ": chyves" in said, said
