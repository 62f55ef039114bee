"""The operations that go through fire, each with what it needs: every form of every command that changes something."""

from __future__ import annotations

from tests.lab.foreign_guests import of_iohyve, of_vm_bhyve
from tests.torture.house import NEXT, TWO, House
from tests.torture.trial import Operation

OLD_GUEST = "chyves_guest_version=0100\nbargs=-A -H -P\nserial=nmdm50\nnet_ifaces=tap50\n"

LIVE = (
    ("network", "bridge0", "attach", "em1"),
    ("network", "bridge1", "attach", "em0"),
    ("network", "bridge1", "join", "tap51"),
    ("lab", "shell", "ifconfig", "tap50", "create", "group", "chyves", "up"),
    ("lab", "shell", "ifconfig", "bridge0", "addm", "tap50"),
)
"""The tap of guest a is on bridge0; that of guest b is on bridge1, which does not exist yet."""

CLONED = (("a", "clone", "new", "-cu"),)
TO_TANK = ("dataset", "tank", "promote")
FROM_TANK = (("c", "delete", "--yes"), ("dataset", "tank", "uninstall", "--yes"))


def age_pool(house: House) -> None:
    """Have the primary pool be one that an older chyves made."""
    place = house.lab.root / "chyves" / house.lab.pool
    (place / ".config/pool.cfg").write_text("dataset_role=primary\ndataset_version=0001\n")
    (place / "guests/.defaults").write_text("bargs=-A -H -P\ndisk_volblocksize=512\n")


def age_guest(house: House) -> None:
    """Have guest a be one that an older chyves made."""
    (house.lab.root / "chyves" / house.lab.pool / "guests/a/.config/.cfg").write_text(OLD_GUEST)
    house.zfs("set", "snapdir=hidden", f"{house.lab.pool}/chyves/guests/a/.config")


def add_image(house: House) -> None:
    """Have guest a have a raw image."""
    (house.lab.root / "chyves" / house.lab.pool / "guests/a/img/a.raw").write_bytes(bytes(1 << 20))


def tell_firmware(house: House) -> None:
    """Have guest a have UEFI variables that are not empty, and empty ones to begin anew with."""
    (house.lab.root / "usr/local/share/uefi-firmware/rc_VARS.subr").write_bytes(bytes(4096))
    (house.lab.root / "chyves" / house.lab.pool / "guests/a/.vars.fd").write_bytes(b"told" * 1024)


def leave_lock(house: House) -> None:
    """Have the lock of a dead session be on the console of guest a."""
    lock = house.lab.root / "var/spool/lock/LCK..nmdm50B"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("999999\n")


FILE = "/chyves/zroot/a.zfs"
EXPORT = ("a", "export", FILE)
AGENT = ("a", "set", "agent=yes")
START = ("a", "start")
FIRMWARE = (
    ("firmware", "import", "/etc/rc.subr"),
    ("a", "set", "loader=uefi", "uefi_firmware=rc.subr", "uefi_vars=yes"),
)

OF_GUESTS = {
    "create": Operation(("new", "create", "64M")),
    "create on a pool": Operation(("new", "create", "64M", "tank"), base=TWO),
    "clone -ce": Operation(("a", "clone", "new", "-ce")),
    "clone -cu": Operation(("a", "clone", "new", "-cu")),
    "clone -ie": Operation(("a", "clone", "new", "-ie")),
    "clone -iu": Operation(("a", "clone", "new", "-iu")),
    "clone to a pool": Operation(("a", "clone", "new", "-iu", "tank"), base=TWO),
    "create with a preset": Operation(("new", "create", "64M", "--preset", "freebsd")),
    "clone with variables": Operation(("a", "clone", "new", "-iu"), FIRMWARE, prepare=tell_firmware),
    "clone a template": Operation(("a", "clone", "new", "-cu"), (("a", "set", "template=yes"),)),
    "promote a clone": Operation(("new", "promote"), CLONED),
    "adopt": Operation(("adopt", "vm-bhyve", "zfs:zroot/vm", "--name", "new"), prepare=of_vm_bhyve),
    "adopt renamed": Operation(("adopt", "iohyve", "zroot", "--rename"), prepare=of_iohyve),
    "export": Operation(EXPORT, (("a", "snapshot", "@kept"),)),
    "import": Operation(("import", FILE, "new"), (("a", "snapshot", "@kept"), EXPORT)),
    "delete": Operation(("a", "delete", "--yes")),
    "delete keepnet": Operation(("a", "delete", "keepnet", "--yes")),
    "delete force": Operation(("a", "delete", "force", "--yes"), live=(START,), halfway=("a", "stop", "force")),
    "delete a clone": Operation(("new", "delete", "--yes"), CLONED),
    "rename": Operation(("a", "rename", "new"), (("a", "clone", "child", "-ce"), ("b", "set", "rcboot_after=a"))),
    "move": Operation(("a", "move", "tank"), (("a", "snapshot", "@kept"),), base=TWO),
    "set": Operation(("a", "set", "cpu=2")),
    "set on many": Operation(("a,b", "set", "cpu=2", "notes=some")),
    "set a line": Operation(("a,b", "set", 'notes=it\'s `so`; $(date) \\ "all"', "global", "tap_start_offset=80")),
    "preset": Operation(("a,b", "preset", "freebsd")),
    "unset on many": Operation(("a,b", "unset", "eject_iso_on_n_reboot"), (("a,b", "set", "eject_iso_on_n_reboot=2"),)),
    "unset": Operation(("a", "unset", "eject_iso_on_n_reboot"), (("a", "set", "eject_iso_on_n_reboot=2"),)),
    "template": Operation(("a", "set", "template=yes", "b", "notes=some")),
    "no template": Operation(("a,b", "set", "template=no"), (("a,b", "set", "template=yes"),)),
    "guest upgrade": Operation(("a", "upgrade"), next=("a", "upgrade"), prepare=age_guest),
    "start": Operation(START),
    "boot": Operation(("all", "boot"), (("a", "set", "rcboot=1"),)),
    "reload": Operation(("a", "reload"), (("a", "set", "cpu=2"),), live=(START,)),
    "stop": Operation(("a", "stop"), live=(START,)),
    "stop force": Operation(("a", "stop", "force"), live=(START,)),
    "shutdown": Operation(("all", "shutdown"), live=(START,)),
    "reclaim": Operation(("a", "reclaim"), (START,), crash=True),
    "console reset": Operation(("a", "console", "reset"), prepare=leave_lock),
    "doctor repair": Operation(
        ("doctor", "repair", "--yes"), (("lab", "shell", "ifconfig", "tap90", "create", "group", "chyves"),)
    ),
}
OF_AGENTS = {
    "agent freeze": Operation(("a", "agent", "freeze", "1000"), (AGENT,), live=(START,)),
    "agent thaw": Operation(("a", "agent", "thaw"), (AGENT,), live=(START, ("a", "agent", "freeze", "1000"))),
    "agent shutdown": Operation(("a", "agent", "shutdown"), (AGENT,), live=(START,)),
    "export --freeze": Operation((*EXPORT, "--freeze"), (AGENT,), live=(START,)),
    "snapshot --freeze": Operation(("a,c", "snapshot", "@some", "--freeze"), (AGENT,), live=(START,), base=TWO),
}
OF_DISKS = {
    "disk add": Operation(("a", "disk", "add", "64M")),
    "disk delete": Operation(
        ("a", "disk", "delete", "disk1", "--yes"), (("a", "disk", "add", "64M"), ("a", "set", "disk1_notes=old"))
    ),
    "disk remove": Operation(("a", "disk", "remove", "img/a.raw", "--yes"), prepare=add_image),
    "disk notes": Operation(("a", "disk", "disk0", "notes", "it's", "$HOME", '"mine"')),
    "disk description": Operation(
        ("a", "disk", "disk0", "description", "-"), (("a", "disk", "disk0", "description", "old"),)
    ),
    "disk delete image": Operation(("a", "disk", "delete", "img/a.raw", "--yes"), prepare=add_image),
    "disk resize": Operation(("a", "disk", "resize", "disk0", "128M")),
    "disk resize image": Operation(("a", "disk", "resize", "img/a.raw", "2M"), prepare=add_image),
    "snapshot": Operation(("a", "snapshot", "@some")),
    "snapshot take": Operation(("a", "snapshot", "take", "@some")),
    "snapshot delete": Operation(
        ("a", "snapshot", "delete", "@one%two", "--yes"), (("a", "snapshot", "@one"), ("a", "snapshot", "@two"))
    ),
    "vars reset": Operation(
        ("a", "vars", "reset", "--yes"),
        FIRMWARE,
        prepare=tell_firmware,
    ),
    "snapshot rollback": Operation(
        ("a", "snapshot", "rollback", "@one", "--yes"),
        (("a", "snapshot", "@one"), ("a", "set", "cpu=2"), ("a", "snapshot", "@two"), ("a", "set", "cpu=3")),
    ),
    "rollback to a tap of another": Operation(
        ("a", "snapshot", "rollback", "--yes"),
        (("a", "snapshot", "@one"), ("network", "a", "remove", "tap50"), ("network", "b", "add", "tap50")),
    ),
}
OF_THE_NETWORK = {
    "pci add": Operation(("a", "pci", "add", "1/0/0")),
    "pci remove": Operation(("a", "pci", "remove", "1/0/1"), (("a", "pci", "add", "1/0/0"),)),
    "network add": Operation(("network", "a", "add", "tap")),
    "network remove": Operation(("network", "a", "remove", "tap50")),
    "network attach": Operation(
        ("network", "bridge0", "attach", "em1"),
        (("network", "bridge0", "attach", "em0"),),
        ("network", "bridge0", "attach", "em1"),
    ),
    "network private": Operation(("network", "bridge0", "private"), LIVE),
    "network default": Operation(("network", "bridge1", "default"), (("network", "bridge1", "private"),)),
    "network join": Operation(("network", "bridge1", "join", "tap50"), LIVE),
    "network unjoin": Operation(("network", "bridge0", "unjoin", "tap50"), LIVE),
    "network migrate": Operation(("network", "bridge0", "migrate", "bridge1", "--yes"), LIVE),
    "network import": Operation(
        ("network", "import", "--yes"),
        (
            ("network", "a", "remove", "tap50"),
            ("lab", "shell", "ifconfig", "bridge7", "create", "addm", "em0", "up"),
            ("lab", "shell", "ifconfig", "tap7", "create"),
            ("lab", "shell", "ifconfig", "bridge7", "addm", "tap7"),
        ),
    ),
}
OF_IMAGES = {
    "iso import": Operation(("iso", "import", "/etc/rc.subr")),
    "iso delete": Operation(("iso", "delete", "rc.subr", "--yes"), (("iso", "import", "/etc/rc.subr"),)),
    "iso rename": Operation(("iso", "rename", "rc.subr", "other"), (("iso", "import", "/etc/rc.subr"),)),
    "firmware import": Operation(("firmware", "import", "/etc/rc.subr")),
    "firmware rename": Operation(
        ("firmware", "rename", "rc.subr", "other"),
        (
            ("firmware", "import", "/etc/rc.subr"),
            ("a,b", "set", "uefi_firmware=rc.subr"),
            ("defaults", "set", "uefi_firmware=rc.subr"),
        ),
    ),
}
OF_POOLS = {
    "dataset install": Operation(("dataset", "tank", "install"), FROM_TANK, base=TWO),
    "dataset uninstall": Operation(("dataset", "tank", "uninstall", "--yes"), FROM_TANK[:1], base=TWO),
    "dataset upgrade": Operation(("dataset", "zroot", "upgrade"), prepare=age_pool),
    "dataset promote": Operation(TO_TANK, base=TWO),
    "dataset promote back": Operation(
        ("dataset", "zroot", "promote"), (TO_TANK, ("global", "set", "tap_start_offset=80")), base=TWO
    ),
    "dataset offline": Operation(("dataset", "tank", "offline"), base=TWO),
    "dataset online": Operation(("dataset", "tank", "online"), (("dataset", "tank", "offline"),), base=TWO),
    "online of what was primary": Operation(
        ("dataset", "zroot", "online"),
        (*FROM_TANK, ("dataset", "zroot", "offline"), ("dataset", "tank", "install"), NEXT),
        base=TWO,
    ),
}
OPERATIONS = OF_GUESTS | OF_AGENTS | OF_DISKS | OF_THE_NETWORK | OF_IMAGES | OF_POOLS

ALIKE = {
    "boot": "start",
    "clone with variables": "clone -iu",
    "create with a preset": "create",
    "delete force": "delete",
    "disk description": "disk notes",
    "export --freeze": "snapshot --freeze",
    "disk remove": "disk delete image",
    "shutdown": "stop",
    "snapshot take": "snapshot",
    "unset on many": "set on many",
}
"""Operations that are left to `make torture`: the other one tries the same code."""

OTHER_VALUES = "writes other values of the same properties"
READ_OTHERWISE = "is read otherwise, and then carried out by the same steps"
WAITS = "waits once the guests are up, and changes nothing then"
SPARED = {
    "<guest> agent time": "one question to an agent is all of it, and sets a clock that no state has",
    "<guest> preset <preset> linux": OTHER_VALUES,
    "<guest> preset <preset> openbsd": OTHER_VALUES,
    "<guest> preset <preset> windows11": OTHER_VALUES,
    "<guest> snapshot take <snapshot> --freeze": "is another name of snapshot --freeze",
    "<guest> start <iso> --wait": WAITS,
    "<guest> start <iso> --wait-for": WAITS,
    "<kind> delete <name> firmware": "is destroyed as an ISO image is",
    "adopt <manager> <where> <guest> cbsd": READ_OTHERWISE,
    "adopt <manager> <where> <guest> libvirt": READ_OTHERWISE,
}
"""Forms of commands that change something and have no operation, each with the reason."""
