"""Every line of chyves 0.2.0's synopsis is understood as the command that it was, with its forms for several guests.

What each does is in the dialogues (tests/lab/dialogues), in which every row of the table has to succeed once.
"""

from __future__ import annotations

import pytest

from chyves.cli.parser import parse

OLD = {
    "dataset install": ("dataset tank install",),
    "dataset upgrade": ("dataset tank upgrade",),
    "dataset offline": ("dataset tank offline",),
    "dataset online": ("dataset tank online",),
    "dataset promote": ("dataset tank promote",),
    "dataset uninstall": ("dataset tank uninstall",),
    "dev": ("dev get_next_tap", "dev function with words"),
    "list": ("firmware list", "iso list", "list"),
    "import": ("iso import http://h/i.iso", "iso import ftp://h/i.iso", "firmware import /tmp/f.fd"),
    "rename": ("firmware rename f.fd g.fd", "iso rename i.iso j.iso", "web1 rename web2"),
    "delete": (
        *("firmware delete f.fd", "iso delete i.iso", "web1 delete", "web1,web2 delete", "all delete"),
        *("web1 delete force", "web1,web2 delete keepnet", "all delete force"),
    ),
    "clone": (
        *("a clone b", "a clone b,c", "a clone b -ce", "a clone b,c -cu", "a clone b -ie", "a clone b -iu"),
        *("a clone b -iu tank", "a clone b,c -ie tank", "a clone b tank"),
    ),
    "console": ("web1 console",),
    "console reset": ("web1 console reset", "web1,web2 console reset", "all console reset"),
    "console tmux": ("web1 console tmux", "web1,web2 console tmux", "all console tmux"),
    "console vnc": ("web1 console vnc", "web1,web2 console vnc", "all console vnc"),
    "create": (
        "web1 create",
        "web1 create 20G",
        "web1 create 20G tank",
        "web1,web2 create",
        "web1,web2 create 8G tank",
    ),
    "disk add": ("web1 disk add", "web1 disk add 20G"),
    "disk": (
        *("web1 disk disk1 description the data", "web1 disk disk0 description data"),
        *("web1 disk disk1 notes from the old host", "web1 disk disk0 notes old"),
    ),
    "disk delete": ("web1 disk delete disk1",),
    "disk remove": ("web1 disk remove disk1",),
    "disk resize": ("web1 disk resize disk1 20G",),
    "disk list": ("web1 disk list",),
    "get": (
        "web1 get cpu",
        "web1 get all",
        "web1,web2 get cpu",
        "all get cpu",
        "global get dev_mode",
        "defaults get all",
    ),
    "reclaim": ("web1 reclaim", "web1,web2 reclaim", "all reclaim"),
    "set": (
        *("web1 set cpu=1", "a,b set cpu=1 ram=1G", "global set dev_mode=on", "defaults set cpu=1", "all set cpu=1"),
        *("a,b set cpu=1 ram=1G c rcboot=50", "a set description=a=b", "a set cpu=1 b,c cpu=2 ram=1G"),
    ),
    "snapshot": ("web1 snapshot", "web1 snapshot @name"),
    "snapshot list": ("web1 snapshot list",),
    "snapshot delete": ("web1 snapshot delete", "web1 snapshot delete @a", "web1 snapshot delete @a%b"),
    "snapshot rollback": ("web1 snapshot rollback", "web1 snapshot rollback @a"),
    "start": (
        "web1 start",
        "web1 start i.iso",
        "web1,web2 start",
        "web1,web2 start i.iso",
        "all start",
        "all start i.iso",
    ),
    "stop": ("web1 stop", "web1,web2 stop force", "all stop", "all stop force"),
    "upgrade": ("web1 upgrade", "web1,web2 upgrade", "all upgrade", "upgrade", "upgrade master", "upgrade dev"),
    "upgrade check": ("upgrade check",),
    "unset": (
        *("web1 unset eject_iso_on_n_reboot", "web1,web2 unset pcidev_1", "all unset eject_iso_on_n_reboot"),
        *("web1 unset virtio_block_options_disk0",),
    ),
    "help": ("help", "-h", ""),
    "info": ("info", *(f"info -{letter}" for letter in "zbprvstcudnakwl"), "info -bs", "info -skdp"),
    "list bridges": ("list bridges",),
    "list clones": ("list clones",),
    "list defaults": ("list defaults",),
    "list disks": ("list disks",),
    "list firmware": ("list firmware",),
    "list iso": ("list iso",),
    "list pools": ("list pools",),
    "list properties": ("list properties",),
    "list global": ("list global", "list global tank", "list global primary"),
    "list processes": ("list processes", "list processes web1"),
    "list snapshots": ("list snapshots", "list snapshots web1"),
    "list tap": ("list tap active",),
    "network add": (
        *(
            "network web1 add tap",
            "network web1 add tap bridge1",
            "network web1 add tap7",
            "network web1 add tap7 bridge1",
        ),
        *("network web1 add vale0", "network web1 add vale0:1", "network web1 add valeA1:p bridge0"),
    ),
    "network remove": ("network web1 remove tap7", "network web1 remove vale0", "network web1 remove vale0:1"),
    "network attach": ("network bridge0 attach em0", "network bridge0 attach vlan5"),
    "network default": ("network bridge0 default",),
    "network private": ("network bridge0 private",),
    "network join": ("network bridge0 join tap5",),
    "network unjoin": ("network bridge0 unjoin tap5",),
    "network migrate": ("network bridge0 migrate bridge1",),
    "version": ("version",),
}
"""The lines of each command, by the command's own words; one property after `list` is a line of `list` too."""


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in OLD.items() for line in lines])
def test_a_line_of_0_2_0_is_understood(name: str, line: str) -> None:
    assert parse(line.split()).command.name == name


@pytest.mark.parametrize("property", ["cpu", "ram", "rcboot", "loader", "description", "net_ifaces"])
def test_a_property_of_all_guests_is_listed(property: str) -> None:
    request = parse(["list", property])
    assert (request.command.name, request.args) == ("list", {"property": property})
