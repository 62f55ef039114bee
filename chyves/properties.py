"""Every property chyves knows, once: the source of validation, defaults, completion, help and the manual."""

from __future__ import annotations

from typing import TypeVar

from chyves import names
from chyves.addresses import Slots
from chyves.board import Board
from chyves.nics import NET_TYPES, Cards
from chyves.section import Numbered, Property, Section, When, Writer
from chyves.values import (
    BARE_NAME,
    DISK_SERIAL,
    EUI64,
    BlockOptions,
    Choice,
    Flag,
    Flags,
    Identities,
    Int,
    Ipv4,
    Match,
    Maybe,
    Named,
    PortMacs,
    Sectors,
    Several,
    Size,
    Text,
    Type,
    Uuid,
)

T = TypeVar("T")

GUEST_VERSION = "0300"
DATASET_VERSION = "0005"

SYSTEMS = tuple(
    "default debian d8lvm centos6 centos7 arch gentoo coreos coreossecure netbsd "
    "openbsd57 openbsd58 openbsd59 openbsd60 custom".split()
)
DISK_TYPES = ("ahci-hd", "virtio-blk", "nvme", "virtio-scsi")
RESOLUTIONS = (
    "1920x1200",
    "1920x1080",
    "1600x1200",
    "1600x900",
    "1280x1024",
    "1280x720",
    "1024x768",
    "800x600",
    "640x480",
)
COMPRESSIONS = (
    "inherit",
    "on",
    "off",
    "lzjb",
    "gzip",
    *(f"gzip-{level}" for level in range(1, 10)),
    "zle",
    "lz4",
    "zstd",
)
CACHES = ("inherit", "all", "none", "metadata")
SNAPSHOT = Match(r"@[A-Za-z0-9_.:-]{1,200}", "@name", "@ and a snapshot's name")
VERSION = Match(r"[0-9]{4}", "nnnn", "four digits")
SERIAL = Match(r"nmdm(0|[1-9][0-9]{0,5})", "nmdm{n}", "nmdm and a number, such as nmdm50")
DEVICE = Match(
    r"[a-z][a-z0-9_-]*(,[A-Za-z0-9_./:=@+;\[\]-]+)*",
    "device[,option...]",
    "a bhyve device such as virtio-rnd or passthru,2/0/0, without blanks, quotes or %",
)
SHARE = Match(
    r"[A-Za-z0-9_.-]{1,31}=/[A-Za-z0-9_./:@+~-]*(,ro)?",
    "name=/path[,ro]",
    "a name and a directory of this host, such as src=/usr/src or src=/usr/src,ro, without blanks, quotes or %",
)
SOUND = Match(r"/dev/dsp[0-9]{0,3}", "/dev/dsp{n}", "a sound device, such as /dev/dsp0")
PASSWORD = Match(
    r"[A-Za-z0-9._+@!^*-]{1,8}", "password", "1 to 8 letters, digits or . _ + @ ! ^ * -, as VNC has no more"
)
PORT = Match(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", "name", "1 to 32 letters, digits, dots, dashes and underscores, not first a dot"
)
YES, ON = Flag(), Flag("on", "off")
TEXT = Text()


def _unused(default: str, example: str) -> Property[str]:
    """A row of 0.2.0's check for updates."""
    doc = "Kept from 0.2.0 and never used: chyves does not ask the web."
    return Property(TEXT, default, doc, example=example, when=When.NOW)


def _of_disk(type: Type[T], what: str, doc: str, *, example: str) -> Numbered[T]:
    """A row of what a disk is to the guest."""
    name = f"disk{{n}}_{what}"
    return Numbered(type, "", doc, highest=names.HIGHEST_DISK, name=name, example=example, since="0.3.0", unset=True)


class Pool(Section):
    """Properties of the chyves dataset on one pool (`pool.cfg`)."""

    creation = Property(
        TEXT,
        "",
        "When and by what the datasets were made.",
        example="Created on 20261101 by chyves 0.3.0",
        writer=Writer.CHYVES,
        when=When.NOW,
    )
    dataset_version = Property(
        VERSION,
        DATASET_VERSION,
        "Version of the layout of the datasets.",
        example="0005",
        writer=Writer.CHYVES,
        when=When.NOW,
    )
    dataset_role = Property(
        Choice(("primary", "secondary", "offline")),
        "secondary",
        "The primary pool holds the global properties, the defaults, new resources and the log.",
        example="primary",
        writer=Writer.CHYVES,
        when=When.NOW,
    )
    dataset_promotion = Property(
        Int(0, 1 << 31),
        "0",
        "Counts up each time a pool becomes the primary one; of two that say they are, the higher is.",
        example="1",
        since="0.3.0",
        writer=Writer.CHYVES,
        when=When.NOW,
    )


class Global(Section):
    """Properties of the whole host (`global.cfg` on the primary pool)."""

    auto_load_kernel_mods = Property(
        YES, "yes", "Load vmm, nmdm, if_tuntap, bridgestp and if_bridge when a guest starts.", example="no"
    )
    bridge_phy_attach = Numbered(
        Maybe(Named(lambda text: text if text == "private" else names.uplink(text), "interface|private")),
        "-",
        "The interface that bridge{n} is attached to, or private for none.",
        highest=names.HIGHEST_INTERFACE,
        name="bridge{n}_phy_attach",
        example="em0",
        writer=Writer.NETWORK,
    )
    bridge_tap_members = Numbered(
        Several(Named(names.guest_interface, "tap{n}")),
        "-",
        "The taps that are on bridge{n}.",
        highest=names.HIGHEST_INTERFACE,
        name="bridge{n}_tap_members",
        example="tap50,tap51",
        writer=Writer.NETWORK,
    )
    check_for_updates = _unused("off", "off")
    check_for_updates_last_check = _unused("-", "20160901")
    check_for_updates_last_check_status = _unused("-", "current")
    check_for_updates_timeout_seconds = _unused("3", "5")
    check_for_updates_unique_id = _unused("-", "-")
    console_start_offset = Property(
        Int(0, 32767),
        "50",
        "The first number tried for the serial console of a new guest.",
        example="100",
        when=When.NOW,
    )
    consolidate_bhyve_pci_devices = Property(
        YES,
        "no",
        "Put eight devices on a PCI slot and 32 ahci-hd disks on a controller, for devices that have no place yet.",
        example="yes",
    )
    default_clone_flag = Property(
        Choice(("-iu", "-ie", "-cu", "-ce")),
        "-iu",
        "How clone works when it is not told.",
        example="-ce",
        when=When.NOW,
    )
    default_info_flags = Property(
        Match(r"-[zbprvstcudnakwlh]+", "flags", "flags of info such as -bs"),
        "-h",
        "Flags of info when it is given none.",
        example="-bs",
        when=When.NOW,
    )
    default_list_flags = Property(
        Match(r"-[zbprvstcudnakwl]+", "flags", "flags of info such as -skdp"),
        "-skdp",
        "Flags of list.",
        example="-sb",
        when=When.NOW,
    )
    dev_mode = Property(
        Choice(("off", "on", "-x", "-v", "-n")), "off", "Allow the dev command.", example="on", when=When.NOW
    )
    eject_iso_on_n_reboot = Property(
        Int(0, 1000), "1", "Take the medium out after so many reboots; 0 leaves it in.", example="2", since="0.2.0"
    )
    log_mode = Property(
        Choice(("dual", "host", "guest", "off")),
        "dual",
        "Whether the host's log, the guest's, or both are written.",
        example="guest",
        when=When.NOW,
    )
    log_to_file = Property(YES, "yes", "Write logs to files.", example="no", when=When.NOW)
    memory_overcommit = Property(
        YES,
        "yes",
        "Start a guest, with a warning, also where those that run have more memory together than the host has, or it "
        "needs more than is free or can be taken back from ZFS's cache. no: refuse it.",
        example="no",
        since="0.3.0",
        when=When.NOW,
    )
    network_design_mode = Property(
        Choice(("auto", "system")),
        "auto",
        "auto: chyves makes bridges and taps; system: the administrator does, and chyves uses them.",
        example="system",
    )
    prompt_on_destruction = Property(
        YES,
        "yes",
        "Ask on a terminal before something is destroyed. no: what the line names is destroyed unasked, in scripts "
        "too, but for snapshots, and guests that it does not name (all, a group, clones with force).",
        example="no",
        since="0.3.0",
        when=When.NOW,
    )
    restrict_new_property_names = Property(
        ON, "on", "Refuse to set a guest property whose name is not known.", example="off", when=When.NOW
    )
    stdout_level = Property(
        Int(0, 3),
        "2",
        "How much is told: 1 actions, 2 steps, 3 also the loader's and bhyve's lines.",
        example="3",
        when=When.NOW,
    )
    tap_start_offset = Property(
        Int(0, 32767), "50", "The first number tried for the tap of a new guest.", example="100", when=When.NOW
    )
    tap_up_by_default = Property(
        YES, "yes", "Set net.link.tap.up_on_open=1 when a guest starts, for hosts before 13.0.", example="no"
    )
    vlan_iface_base_name = Property(
        Match(r"[a-z]{1,10}", "letters", "letters, such as vlan"),
        "vlan",
        "What vlan interfaces are called before their number.",
        example="vlan",
        when=When.NOW,
    )
    uefi_vnc_port_start_offset = Property(
        Int(1, 65535), "5900", "The first port tried for the frame buffer of a guest.", example="5950", when=When.NOW
    )


class Guest(Board, Cards):
    """Properties of one guest (`.cfg`)."""

    agent = Property(
        YES,
        "no",
        "Give the guest a port for the QEMU guest agent, which has to run in it: chyves GUEST agent ping.",
        example="yes",
        since="0.3.0",
    )
    audio_play = Property(
        Maybe(SOUND),
        "-",
        "The sound device on which the guest's sound card plays; it has a card where this or audio_rec is set.",
        example="/dev/dsp0",
        since="0.3.0",
        unset=True,
    )
    audio_rec = Property(
        Maybe(SOUND),
        "-",
        "The sound device from which the guest's sound card records.",
        example="/dev/dsp0",
        since="0.3.0",
        unset=True,
    )
    bargs = Property(
        Flags(), "-A -H -P -S", "Options given to bhyve(8) as they are.", example="-A -H -P -w", inherited=True
    )
    bhyveload_flags = Property(
        Flags(),
        "",
        "Options given to bhyveload(8) as they are.",
        example="-e autoboot_delay=3",
        since="0.2.0",
        inherited=True,
    )
    bhyve_disk_type = Property(
        Choice(DISK_TYPES), "ahci-hd", "The device that disks are.", example="virtio-blk", since="0.2.0", inherited=True
    )
    bhyve_net_type = Property(
        Choice(NET_TYPES), "virtio-net", "The device that network cards are.", example="e1000", inherited=True
    )
    chyves_guest_version = Property(
        VERSION,
        GUEST_VERSION,
        "Version of the guest's properties.",
        example="0300",
        writer=Writer.CHYVES,
        when=When.NOW,
    )
    cloudinit = Property(
        Choice(("no", "cd", "disk")),
        "no",
        "Give the guest's cloud-init a seed (NoCloud), made at each start: on a CD, or, for a system without a driver "
        "of AHCI, on a read-only disk of virtio-blk. See CLOUD-INIT.",
        example="cd",
        since="0.3.0",
        unset=True,
    )
    console_log = Property(
        YES,
        "no",
        "Keep what the serial console shows in the guest's console.log; see: chyves GUEST log --console.",
        example="yes",
        since="0.3.0",
    )
    console_log_old = Property(
        Int(0, 99),
        "3",
        "How many older files are kept beside console.log.",
        example="5",
        since="0.3.0",
    )
    console_log_size = Property(
        Size(low=64 << 10, high=1 << 30),
        "1M",
        "The size at which console.log becomes console.log.1 and a new one is begun; a number alone counts megabytes.",
        example="512K",
        since="0.3.0",
    )
    cpu = Property(
        Int(1, 65535), "1", "Virtual processors; no more than bhyve allows on this host.", example="4", inherited=True
    )
    creation = Property(
        TEXT,
        "",
        "When and by what the guest was made.",
        example="Created on 20261101 by chyves 0.3.0",
        writer=Writer.CHYVES,
        when=When.NOW,
    )
    description = Property(TEXT, "-", "A line for the list.", example="mail server", when=When.NOW)
    notes = Property(TEXT, "-", "A line for the administrator.", example="moves in May", when=When.NOW)
    disk_bootindex = _of_disk(
        Int(0, 999),
        "bootindex",
        "The place of disk{n} in the order in which UEFI firmware that knows fw_cfg boots, 0 first; from FreeBSD 14.0 "
        "on.",
        example="1",
    )
    disk_cache = _of_disk(
        Choice(("on", "nocache", "direct", "sync")),
        "cache",
        "How disk{n} is opened. nocache: past the host's cache; direct or sync: a write ends when it is on the disk.",
        example="nocache",
    )
    disk_ctl = _of_disk(
        Match(
            r"/dev/cam/ctl[0-9]{1,4}(\.[0-9]{1,4})?", "/dev/cam/ctl{p}.{v}", "a port of ctl(4), such as /dev/cam/ctl1.0"
        ),
        "ctl",
        "The port of ctl(4) that a disk of type virtio-scsi is behind: bhyve has SCSI disks from there alone. Make the "
        "port and a LUN of the volume with ctladm(8), which also sets what other disks have as properties here.",
        example="/dev/cam/ctl1.0",
    )
    disk_description = Numbered(
        TEXT,
        "-",
        "A line on disk{n}.",
        highest=names.HIGHEST_DISK,
        name="disk{n}_description",
        example="data",
        when=When.NOW,
    )
    disk_eui64 = _of_disk(
        Match(EUI64, "eui64", "16 hexadecimal digits in lower case, not all zero, such as 589cfc20a1b20001"),
        "eui64",
        "What an nvme disk{n} calls its namespace; not set: made from disk{n}_serial, and without that by bhyve "
        "from the guest's name. Written down where that name changes.",
        example="589cfc20a1b20001",
    )
    disk_notes = Numbered(
        TEXT,
        "-",
        "A line on disk{n} for the administrator.",
        highest=names.HIGHEST_DISK,
        name="disk{n}_notes",
        example="from the old host",
        when=When.NOW,
    )
    disk_readonly = _of_disk(YES, "readonly", "The guest can read disk{n}, and not write to it.", example="yes")
    disk_sectorsize = _of_disk(
        Sectors(),
        "sectorsize",
        "Bytes of the logical and, where they are others, of the physical sectors of disk{n}.",
        example="512/4096",
    )
    disk_serial = _of_disk(
        Match(DISK_SERIAL, "serial", "1 to 20 letters, digits or . _ -, one of them a letter or digit"),
        "serial",
        "The serial number of disk{n}; made with the disk. A disk from before has one that bhyve makes from its path, "
        "which is written down where that changes. From FreeBSD 13.0 on.",
        example="CHY-7F3A90C2D41B5E68",
    )
    disk_trim = _of_disk(
        YES, "trim", "no: the guest cannot give back blocks of disk{n} that it no longer uses.", example="no"
    )
    disk_type = _of_disk(
        Choice(DISK_TYPES),
        "type",
        "The device that disk{n} is; not set: bhyve_disk_type. virtio-scsi needs disk{n}_ctl.",
        example="nvme",
    )
    eject_iso_on_n_reboot = Property(
        Maybe(Int(0, 1000)),
        "-",
        "Take the medium out after so many reboots; 0 leaves it in; not set: the global property counts.",
        example="2",
        since="0.2.0",
        unset=True,
    )
    groups = Property(
        Several(Named(names.group, "group")),
        "-",
        "The groups that the guest is in; commands mean all guests of the group web by :web.",
        example="web,mail",
        since="0.3.0",
        when=When.NOW,
    )
    hook_timeout = Property(
        Int(1, 3600),
        "30",
        "Seconds that each of the guest's hooks may take; one that takes longer is ended. They are programs in its "
        "directory: .hooks/prestart, .hooks/started, .hooks/reboot, .hooks/crashed and .hooks/stopped.",
        example="120",
        since="0.3.0",
    )
    image_serials = Property(
        Identities(),
        "",
        "What bhyve made as the serial numbers of the guest's raw images, written down where their paths change.",
        example="data.img=BHYVE-1F20-9A3C-77D1",
        since="0.3.0",
        writer=Writer.CHYVES,
        unset=True,
    )
    limit_memory = Property(
        Maybe(Size(low=1 << 20)),
        "-",
        "The most memory of bhyve's process before the host pages it out; rctl(8) memoryuse.",
        example="2G",
        since="0.3.0",
        unset=True,
    )
    limit_pcpu = Property(
        Maybe(Int(1, 1000000)),
        "-",
        "The most processor time, in percent of one processor; rctl(8) pcpu.",
        example="150",
        since="0.3.0",
        unset=True,
    )
    limit_readbps = Property(
        Maybe(Size("", low=1)),
        "-",
        "The most bytes read from disks in a second; rctl(8) readbps.",
        example="50M",
        since="0.3.0",
        unset=True,
    )
    limit_readiops = Property(
        Maybe(Int(1, 1 << 40)),
        "-",
        "The most reads from disks in a second; rctl(8) readiops.",
        example="500",
        since="0.3.0",
        unset=True,
    )
    limit_writebps = Property(
        Maybe(Size("", low=1)),
        "-",
        "The most bytes written to disks in a second; rctl(8) writebps.",
        example="50M",
        since="0.3.0",
        unset=True,
    )
    limit_writeiops = Property(
        Maybe(Int(1, 1 << 40)),
        "-",
        "The most writes to disks in a second; rctl(8) writeiops.",
        example="500",
        since="0.3.0",
        unset=True,
    )
    loader = Property(
        Choice(("bhyveload", "uefi", "grub-bhyve", "u-boot")),
        "bhyveload",
        "What loads the guest; u-boot on arm64 hosts, the others on amd64.",
        example="uefi",
        inherited=True,
    )
    loader_timeout = Property(
        Int(0, 86400),
        "0",
        "Seconds that bhyveload or grub-bhyve may take; one that waits longer, such as at its prompt, is ended, and "
        "what the console showed last is told. 0: for ever.",
        example="120",
        since="0.3.0",
    )
    net_ifaces = Property(
        Several(Named(names.guest_interface, "tap{n}|slirp{n}|netgraph{n}|vale{s}[:{p}]")),
        "-",
        "The guest's network interfaces.",
        example="tap50,tap51",
        writer=Writer.NETWORK,
    )
    nice = Property(
        Int(-20, 20),
        "0",
        "How the guest stands back behind other work of the host: 20 most, -20 least; nice(1).",
        example="5",
        since="0.3.0",
    )
    on_crash = Property(
        Choice(("stop", "restart", "keep")),
        "stop",
        "What follows a triple fault or a failure of bhyve. restart: booted again after 1, 2, 4 ... 60 s, and off "
        "after 5 crashes in 5 minutes; keep: the VMM stays for a look, until the guest is stopped.",
        example="restart",
        since="0.3.0",
    )
    on_poweroff = Property(
        Choice(("stop", "restart")),
        "stop",
        "What follows when the guest powers itself off; chyves GUEST stop always leaves it off.",
        example="restart",
        since="0.3.0",
    )
    on_reboot = Property(
        Choice(("restart", "stop")),
        "restart",
        "What follows when the guest reboots.",
        example="stop",
        since="0.3.0",
    )
    os = Property(
        Choice(SYSTEMS), "default", "The recipe by which grub-bhyve loads the guest.", example="debian", inherited=True
    )
    pcidev = Numbered(
        DEVICE,
        "",
        "A further device of bhyve(8), as after -s slot.",
        highest=999,
        name="pcidev_{n}",
        example="passthru,2/0/0",
        unset=True,
    )
    pci_slots = Property(
        Slots(),
        "",
        "Where the guest's devices sit on the PCI bus; kept so that none moves when another comes or goes.",
        example="disk0=4:0,tap50=5:0",
        since="0.3.0",
        writer=Writer.CHYVES,
        unset=True,
    )
    protect = Property(
        YES,
        "no",
        "Keep the kernel from ending the guest when memory is short; protect(1).",
        example="yes",
        since="0.3.0",
    )
    ram = Property(Size(low=1 << 20), "256M", "Memory; a number alone counts megabytes.", example="2G", inherited=True)
    rcboot = Property(
        Int(0, 1 << 16),
        "0",
        "0: not started with the host; a higher number starts earlier.",
        example="10",
        when=When.NOW,
        inherited=True,
    )
    rcboot_after = Property(
        Several(Named(names.guest, "guest")),
        "-",
        "Guests that are up before this one starts with the host, and that stop after it.",
        example="db,dns",
        since="0.3.0",
        when=When.NOW,
    )
    rcboot_delay = Property(
        Int(0, 3600),
        "0",
        "Seconds that are waited, once this guest is up, before the next one starts with the host.",
        example="15",
        since="0.3.0",
        when=When.NOW,
    )
    revert_to_snapshot = Property(
        Maybe(SNAPSHOT, ""),
        "",
        "The snapshot that revert_to_snapshot_method goes back to; empty for the latest that all datasets have.",
        example="@clean",
        inherited=True,
    )
    revert_to_snapshot_method = Property(
        Choice(("off", "start", "reboot", "both")),
        "off",
        "When the guest goes back to a snapshot, unasked: where a newer one would be lost, it does not boot. "
        "Its properties and its log go back too.",
        example="start",
        inherited=True,
    )
    serial = Property(Maybe(SERIAL), "-", "The null-modem pair of the serial console.", example="nmdm50")
    share = Numbered(
        SHARE,
        "",
        "A directory of this host that the guest can mount by its name, over 9p; with ,ro it cannot write there.",
        highest=999,
        name="share{n}",
        example="src=/usr/src,ro",
        since="0.3.0",
        unset=True,
    )
    stop_timeout = Property(
        Int(1, 86400),
        "60",
        "Seconds that stop waits for the guest to power off.",
        example="120",
        since="0.3.0",
        when=When.NOW,
        inherited=True,
    )
    template = Property(YES, "no", "A template does not start; it is there to be cloned.", example="yes", when=When.NOW)
    tpm = Property(
        Match(r"off|swtpm|/dev/tpm(0|[1-9][0-9]?)", "off|swtpm|/dev/tpm{n}", "off, swtpm, or a TPM of the host"),
        "off",
        "The guest's TPM 2.0. swtpm: one that the package swtpm plays while the guest runs, with its state in the "
        "guest's dataset; /dev/tpm{n}: the host's, for one guest at a time.",
        example="swtpm",
        since="0.3.0",
    )
    uefi_console_output = Property(
        Choice(("serial", "vnc")), "serial", "Where a UEFI guest shows its console.", example="vnc", inherited=True
    )
    uefi_firmware = Property(
        Maybe(BARE_NAME), "-", "The firmware that a UEFI guest boots with.", example="BHYVE_UEFI.fd", inherited=True
    )
    uefi_vars = Property(
        YES,
        "no",
        "Keep what a UEFI guest tells its firmware, such as what it boots from, in a file of its own, which goes with "
        "the guest through snapshots, clones and moves; it is made from the empty one that is beside the firmware.",
        example="yes",
        since="0.3.0",
        inherited=True,
    )
    uefi_vnc_client = Property(
        Choice(("print", "freerdp", "custom", "off")),
        "print",
        "What console vnc does: print where the screen is, or start a viewer; any known one where this is missing.",
        example="freerdp",
        when=When.NOW,
        inherited=True,
    )
    uefi_vnc_client_custom_cmd = Property(
        TEXT,
        "",
        "The command that console vnc runs for uefi_vnc_client=custom; {ip}, {port}, {size} and {guest} are filled in.",
        example="vncviewer {ip}::{port}",
        when=When.NOW,
        inherited=True,
    )
    uefi_vnc_ip = Property(
        Ipv4(), "127.0.0.1", "The address at which the frame buffer listens.", example="192.0.2.1", inherited=True
    )
    uefi_vnc_mouse_type = Property(
        Choice(("ps2", "usb3")), "ps2", "The mouse that a VNC viewer moves.", example="usb3", inherited=True
    )
    uefi_vnc_password = Property(
        Maybe(PASSWORD),
        "-",
        "What a viewer must give to see the screen; made where uefi_vnc_ip lets others than this host reach it. "
        "The file of a guest that has one is for root alone.",
        example="Qx7eLm2k",
        since="0.3.0",
        unset=True,
    )
    uefi_vnc_pause_until_client_connect = Property(
        YES, "no", "Wait with booting until a viewer connects.", example="yes", inherited=True
    )
    uefi_vnc_port = Property(Maybe(Int(1, 65535)), "-", "The port at which the frame buffer listens.", example="5901")
    uefi_vnc_res = Property(
        Choice(RESOLUTIONS), "800x600", "The size of the frame buffer.", example="1280x720", inherited=True
    )
    uuid = Property(
        Maybe(Uuid()), "-", "The identity that the guest sees.", example="0b1c5ec0-7b8e-11f0-9c6e-589cfc000001"
    )
    virtio_rnd = Property(
        YES,
        "no",
        "Give the guest random numbers of this host, which a virtual machine has few of at its start.",
        example="yes",
        since="0.3.0",
        unset=True,
    )
    vale_macs = Property(
        PortMacs(),
        "",
        "What bhyve made as the Ethernet addresses of cards on VALE switches, written down where the guest is renamed.",
        example="vale0:p1=00:a0:98:06:22:be",
        since="0.3.0",
        writer=Writer.CHYVES,
        unset=True,
    )
    virtio_block_options = Numbered(
        BlockOptions(),
        "",
        "Options of bhyve(8) for disk{n}, as 0.2.0 had them; disk{n}_cache, disk{n}_readonly and disk{n}_sectorsize "
        "are the same one by one.",
        highest=names.HIGHEST_DISK,
        name="virtio_block_options_disk{n}",
        example="nocache,sectorsize=512/4096",
        unset=True,
    )
    vtcon = Numbered(
        PORT,
        "",
        "The name of a further virtio-console port, which on this host is the socket "
        "/var/run/chyves/GUEST/ports/NAME.sock, for root alone.",
        highest=names.HIGHEST_PORT,
        name="vtcon{n}",
        example="com.example.port",
        since="0.3.0",
        unset=True,
    )


def of_disk(number: int) -> list[str]:
    """The names of all properties that disk{n} of a guest can have."""
    return [row.name.replace("{n}", str(number)) for row in Guest.numbered.values() if "disk{n}" in row.name]


def of_disks(guest: Guest) -> set[int]:
    """The numbers of the disks that a guest has properties of, beside words for people."""
    rows = [row for row in Guest.numbered.values() if "disk{n}" in row.name and row.when is not When.NOW]
    return {number for row in rows for name in guest.text if (number := row.number(name)) is not None}


def is_loopback(address: str) -> bool:
    """Whether only this host itself can reach an IPv4 address of its own."""
    return address.startswith("127.")


class DefaultsOnly(Section):
    """Properties that only `.defaults` has: what a new guest's datasets and network are made from."""

    bridge = Property(
        Named(names.bridge, "bridge{n}"),
        "bridge0",
        "The bridge that a new guest's tap joins.",
        example="bridge1",
        when=When.NOW,
    )
    size = Property(
        Size("G", low=1 << 20),
        "8G",
        "Size of a new guest's first disk; a number alone counts gigabytes.",
        example="20G",
        when=When.NOW,
    )
    disk_volmode = Property(
        Choice(("dev", "geom", "inherit")), "dev", "volmode of new volumes.", example="geom", when=When.NOW
    )
    disk_volblocksize = Property(
        Size("", low=512, high=128 << 10, power_of_two=True),
        "16K",
        "volblocksize of new volumes; 0.2.0 took 512, which makes every volume slow and large.",
        example="64K",
        when=When.NOW,
    )
    disk_dedup = Property(
        Choice(("inherit", "on", "off", "verify", "sha256")),
        "inherit",
        "dedup of new volumes.",
        example="off",
        when=When.NOW,
    )
    disk_compression = Property(
        Choice(COMPRESSIONS), "inherit", "compression of new volumes.", example="lz4", when=When.NOW
    )
    disk_primarycache = Property(
        Choice(CACHES), "inherit", "primarycache of new volumes.", example="metadata", when=When.NOW
    )
    disk_secondarycache = Property(
        Choice(CACHES), "inherit", "secondarycache of new volumes.", example="none", when=When.NOW
    )


class Defaults(DefaultsOnly, Guest):
    """What new guests begin with (`.defaults` on the primary pool): the inherited guest properties, and its own."""


Defaults.table = {name: row for name, row in Defaults.table.items() if row.inherited or name in DefaultsOnly.table}
Defaults.numbered = {}
