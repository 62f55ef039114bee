"""The operations that go through fire, each with what it needs."""

from __future__ import annotations

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


OF_GUESTS = {
    "create": Operation(("new", "create", "64M")),
    "create on a pool": Operation(("new", "create", "64M", "tank"), base=TWO),
    "clone -ce": Operation(("a", "clone", "new", "-ce")),
    "clone -cu": Operation(("a", "clone", "new", "-cu")),
    "clone -ie": Operation(("a", "clone", "new", "-ie")),
    "clone -iu": Operation(("a", "clone", "new", "-iu")),
    "clone to a pool": Operation(("a", "clone", "new", "-iu", "tank"), base=TWO),
    "clone a template": Operation(("a", "clone", "new", "-cu"), (("a", "set", "template=yes"),)),
    "promote a clone": Operation(("new", "promote"), CLONED),
    "delete": Operation(("a", "delete", "--yes")),
    "delete keepnet": Operation(("a", "delete", "keepnet", "--yes")),
    "delete a clone": Operation(("new", "delete", "--yes"), CLONED),
    "rename": Operation(("a", "rename", "new"), (("a", "clone", "child", "-ce"), ("b", "set", "rcboot_after=a"))),
    "move": Operation(("a", "move", "tank"), (("a", "snapshot", "@kept"),), base=TWO),
    "set": Operation(("a", "set", "cpu=2")),
    "set on many": Operation(("a,b", "set", "cpu=2", "notes=some")),
    "unset": Operation(("a", "unset", "eject_iso_on_n_reboot"), (("a", "set", "eject_iso_on_n_reboot=2"),)),
    "template": Operation(("a", "set", "template=yes", "b", "notes=some")),
    "no template": Operation(("a,b", "set", "template=no"), (("a,b", "set", "template=yes"),)),
    "guest upgrade": Operation(("a", "upgrade"), next=("a", "upgrade"), prepare=age_guest),
    "start": Operation(("a", "start")),
    "stop": Operation(("a", "stop"), live=("a", "start")),
    "stop force": Operation(("a", "stop", "force"), live=("a", "start")),
    "reclaim": Operation(("a", "reclaim"), (("a", "start"),), crash=True),
}
OF_DISKS = {
    "disk add": Operation(("a", "disk", "add", "64M")),
    "disk delete": Operation(
        ("a", "disk", "delete", "disk1", "--yes"), (("a", "disk", "add", "64M"), ("a", "set", "disk1_notes=old"))
    ),
    "disk delete image": Operation(("a", "disk", "delete", "img/a.raw", "--yes"), prepare=add_image),
    "disk resize": Operation(("a", "disk", "resize", "disk0", "128M")),
    "disk resize image": Operation(("a", "disk", "resize", "img/a.raw", "2M"), prepare=add_image),
    "snapshot": Operation(("a", "snapshot", "@some")),
    "snapshot delete": Operation(
        ("a", "snapshot", "delete", "@one%two", "--yes"), (("a", "snapshot", "@one"), ("a", "snapshot", "@two"))
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
    "network add": Operation(("network", "a", "add", "tap")),
    "network remove": Operation(("network", "a", "remove", "tap50")),
    "network attach": Operation(
        ("network", "bridge0", "attach", "em1"),
        (("network", "bridge0", "attach", "em0"),),
        ("network", "bridge0", "attach", "em1"),
    ),
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
OPERATIONS = OF_GUESTS | OF_DISKS | OF_THE_NETWORK | OF_IMAGES | OF_POOLS
