"""Guests of other managers on a lab, with their configuration in the forms that their documentation gives."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.torture.house import House

VM_BHYVE = """\
# a guest of two disks
loader="uefi"
cpu=2
memory=1G          # half of the host's
cpu_sockets="1"
uuid="0b1c5ec0-7b8e-11f0-9c6e-589cfc000001"
network0_type="virtio-net"
network0_switch="public"
network0_mac="58:9c:fc:01:02:03"
disk0_type="virtio-blk"
disk0_name="disk0.img"
disk1_type="virtio-blk"
disk1_dev="sparse-zvol"
disk1_name="disk1"
graphics="yes"
graphics_port="5999"
graphics_res="1280x720"
xhci_mouse="yes"
virt_random="yes"
passthru0="2/0/0=8:0"
utctime="no"
uefi_vars="yes"
disk1_opts="nocache,maxq=16"
network1_type="e1000"
network1_switch="private"
prestart="before.sh"
comports="com1 com2"
hostbridge="standard"
priority="10"
limit_wiops="500"
vnc_password="longer-than-vnc-has"
sound="yes"
virt_console0="org.example.port"
on_fault="restart"
"""

SWITCHES = """\
switch_list="public private"
type_public="standard"
ports_public="em0"
type_private="manual"
bridge_private="bridge7"
"""

DOMAIN = """\
<domain type='bhyve' id='1'>
  <name>lv1</name>
  <uuid>0b1c5ec0-7b8e-11f0-9c6e-589cfc000002</uuid>
  <description>a domain
     of two lines</description>
  <memory unit='KiB'>524288</memory>
  <vcpu placement='static'>2</vcpu>
  <bootloader>/usr/local/sbin/grub-bhyve</bootloader>
  <os><type arch='x86_64'>hvm</type></os>
  <features><apic/><acpi/></features>
  <clock offset='utc'/>
  <on_reboot>destroy</on_reboot>
  <memtune><hard_limit unit='KiB'>524288</hard_limit></memtune>
  <devices>
    <emulator>/usr/sbin/bhyve</emulator>
    <disk type='block' device='disk'>
      <source dev='/dev/zvol/zroot/lv1'/><target dev='sda' bus='virtio'/><serial>DISK-1</serial>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x09' function='0x0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <source file='/iso/install.iso'/><target dev='hdc' bus='sata'/>
    </disk>
    <hostdev mode='subsystem' type='pci'>
      <source><address domain='0x0000' bus='0x03' slot='0x00' function='0x4'/></source>
    </hostdev>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <sound model='ich7'/>
    <interface type='bridge'>
      <mac address='52:54:00:b9:94:02'/><source bridge='bridge1'/><model type='e1000'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </interface>
    <filesystem type='mount'><source dir='/srv'/><target dir='shared'/></filesystem>
  </devices>
</domain>
"""


def place_of(house: House, dataset: str) -> Path:
    """Where a file system of the lab is mounted."""
    return Path(house.zfs("get", "-Hp", "-o", "value", "mountpoint", dataset).strip())


def of_vm_bhyve(house: House) -> Path:
    """A guest `vb1` with a raw image and a volume, below zroot/vm; its directory."""
    for dataset in ("zroot/vm", "zroot/vm/vb1"):
        house.zfs("create", dataset)
    house.zfs("create", "-s", "-V", "64M", "zroot/vm/vb1/disk1")
    directory = place_of(house, "zroot/vm/vb1")
    (directory / "vb1.conf").write_text(VM_BHYVE)
    (directory.parent / ".config").mkdir()
    (directory.parent / ".config/system.conf").write_text(SWITCHES)
    (directory / "uefi-vars.fd").write_bytes(b"variables")
    (directory / "vm-bhyve.log").write_text("booted\n")
    (directory / "seed.iso").write_bytes(b"seed")
    (directory / "disk0.img").write_bytes(b"first" + bytes(1 << 20))
    (house.lab.root / "dev/zvol/zroot/vm/vb1/disk1").write_bytes(b"second")
    return directory


def of_iohyve(house: House) -> None:
    """A guest `io1` with two volumes and two cards."""
    settings = {
        "name": "io1", "ram": "512M", "cpu": "1", "tap": "tap7,tap8=em1", "mac_tap8": "58:9c:fc:00:00:08",
        "con": "nmdm9", "persist": "1", "boot": "1", "loader": "grub-bhyve", "os": "debian",
        "description": "an old one", "bargs": "-A_-H_-P",
        "pcidev:1": "ahci-hd,/dev/zvol/zroot/iohyve/io1/disk1", "pcidev:2": "virtio-rnd",
        "autogrub": "xyz", "size": "8G", "template": "NO", "utc": "YES",
    }  # fmt: skip
    house.zfs("create", "zroot/iohyve")
    house.zfs("create", *(word for key, value in settings.items() for word in ("-o", f"iohyve:{key}={value}")),
              "zroot/iohyve/io1")  # fmt: skip
    for number in (0, 1):
        house.zfs("create", "-V", "64M", f"zroot/iohyve/io1/disk{number}")


def of_cbsd(house: House) -> Path:
    """A guest `cb1` whose first disk is a link to a volume, and the second a file; CBSD's workdir."""
    house.zfs("create", "zroot/jails")
    house.zfs("create", "-V", "64M", "zroot/cb1-dsk1")
    top = place_of(house, "zroot/jails")
    system, data = top / "jails-system/cb1", top / "jails-data/cb1-data"
    for directory in (system, data):
        directory.mkdir(parents=True)
    (data / "dsk1.vhd").symlink_to(house.lab.root / "dev/zvol/zroot/cb1-dsk1")
    (data / "dsk2.vhd").write_bytes(bytes(1 << 20))
    base = sqlite3.connect(system / "local.sqlite")
    with base:
        base.execute("CREATE TABLE settings (vm_cpus, vm_ram, vm_os_type, vm_efi, astart, uuid, bhyve_generate_acpi, "
                     "bhyve_vnc_tcp_bind, vm_vnc_port, vnc_password, tpm, bhyve_flags, boot_delay, virtio_rnd, "
                     "on_crash, vm_hostbridge)")  # fmt: skip
        base.execute("INSERT INTO settings VALUES (4, 1073741824, 'linux', 'uefi', 1, '0', 1, '0.0.0.0', 0, '', '1', "
                     "'-C', 5, 1, 'destroy', 'amd')")  # fmt: skip
        base.execute("CREATE TABLE bhyvedsk (jname, dsk_controller, dsk_path, dsk_lun, dsk_ro, dsk_sectorsize)")
        base.execute("INSERT INTO bhyvedsk VALUES ('cb1', 'nvme', 'dsk2.vhd', 1, 0, 512), "
                     "('cb1', 'ahci-hd', 'dsk1.vhd', 0, 1, 512)")  # fmt: skip
        base.execute("CREATE TABLE bhyvenic (jname, nic_order, nic_driver, nic_parent, nic_hwaddr)")
        base.execute("INSERT INTO bhyvenic VALUES ('cb1', 0, 'e1000', 'auto', '0')")
        base.execute("CREATE TABLE p9shares (p9device, p9path)")
        base.execute("INSERT INTO p9shares VALUES ('src', '/usr/src')")
    base.close()
    return top


def of_libvirt(house: House, directory: Path) -> Path:
    """A domain `lv1` with one volume; the file of its XML."""
    house.zfs("create", "-V", "64M", "zroot/lv1")
    file = directory / "lv1.xml"
    file.write_text(DOMAIN)
    return file
