"""What clones of guests are like: their properties, their command lines, and where they stand in the tree."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chyves.bhyve.facts import Chassis, Disk, Facts, HostFacts
from chyves.bhyve.launch import launch
from chyves.bhyve.slots import places
from chyves.errors import ChyvesError
from chyves.guests import lineage
from chyves.guests.clone import interfaces, renewed
from chyves.guests.unique import Owners, Unique
from chyves.host.machine import Host
from chyves.host.run import Runner
from chyves.nics import addresses
from chyves.pools.holdings import Holdings, PoolHolding
from chyves.properties import Global, Guest

HOST = HostFacts(
    release=1403000,
    cpus=8,
    memory=16 << 30,
    unrestricted=True,
    iommu=True,
    options=frozenset("aACDeHhPSuWwxYcGkKlmopsU"),
    devices=frozenset("ahci-cd ahci-hd e1000 fbuf hostbridge lpc virtio-net xhci".split()),
    lpc=frozenset("bootrom com1 com2".split()),
)
PARENT = Guest(
    "web",
    {
        "loader": "uefi",
        "uefi_firmware": "F.fd",
        "uefi_console_output": "vnc",
        "uefi_vnc_port": "5900",
        "uuid": "0b1c5ec0-7b8e-11f0-9c6e-589cfc000001",
        "serial": "nmdm50",
        "net_ifaces": "tap50,vale0:p,tap51,vale0:q,vale1",
        "tap50_mac": "58:9c:fc:00:00:01",
        "tap51_mac": "58:9c:fc:00:00:02",
        "cpu": "2",
        "description": "the web",
    },
)
CHASSIS = Chassis(name="web", disks=(Disk("disk0", "/dev/zvol/zroot/chyves/guests/web/disk0"),), consolidate=False)


def parent() -> Guest:
    """A guest with its devices in their places."""
    return PARENT.with_changes({"pci_slots": Guest.pci_slots.type.format(places(PARENT, CHASSIS))})


def words(guest: Guest) -> list[str]:
    """bhyve's line for a guest whose disk lies at its name."""
    facts = Facts(
        host=HOST,
        name=guest.owner,
        disks=(Disk("disk0", f"/dev/zvol/zroot/chyves/guests/{guest.owner}/disk0"),),
        console=f"/dev/{guest.serial}",
        firmware="/F.fd",
        null_iso=None,
        directory="/chyves",
        scratch="/var/run",
    )
    return list(launch(guest, facts, None).bhyve)


def unique_clone() -> tuple[Guest, dict[str, str]]:
    old = parent()
    unique = Unique(Global("global", {}), [old], ())
    renamed = interfaces(old.net_ifaces, unique)
    return renewed(Guest("web2", old.text), renamed, unique), renamed


OWN = (
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    r"58:9c:fc(:[0-9a-f]{2}){3}",
    r"\btap\d+",
    r"\bvale\d:\w+",
    r"nmdm\d+",
    r"127.0.0.1:\d+",
    r"\b(chy-)?web2?\b",
)
"""What a clone has of its own on bhyve's line."""


def test_the_line_of_a_unique_clone_differs_only_where_it_must() -> None:
    old, (new, _) = parent(), unique_clone()
    before, after = shlex.join(words(old)), shlex.join(words(new))
    for own in OWN:
        assert re.search(own, before)
        found = {match[0] for match in re.finditer(own, before)} & {match[0] for match in re.finditer(own, after)}
        assert not found, f"{found} is on both"
        before, after = re.sub(own, "<own>", before), re.sub(own, "<own>", after)
    assert before == after


def test_a_unique_clone_shares_nothing_that_no_two_guests_may_have() -> None:
    old, (new, _) = parent(), unique_clone()
    Owners([old]).refuse_shared("web2", Guest("web2", {}), new)
    assert new.net_ifaces == ("tap52", "vale0", "tap53", "vale0:0", "vale1")
    assert set(new.tap_mac) == {52, 53}
    assert (new.serial, new.uefi_vnc_port, new.cpu, new.description) == ("nmdm51", 5901, 2, "the web")
    assert set(new.pci_slots) == {"disk0", *new.net_ifaces, *(set(old.pci_slots) - {"disk0", *old.net_ifaces})}


def test_a_unique_clone_keeps_what_its_cards_are_and_forwards_ports_of_its_own() -> None:
    old = Guest(
        "web",
        {
            "net_ifaces": "tap50,slirp0,netgraph0,vale0:1",
            "tap50_type": "e1000",
            "tap50_mac": "58:9c:fc:00:00:01",
            "slirp0_mac": "58:9c:fc:00:00:02",
            "slirp0_forward": "tcp:2222-22,udp:2222-53",
            "netgraph0_path": "br0:",
            "netgraph0_peerhook": "link2",
            "netgraph0_socket": "web",
            "vale_mac": "vale0:1=58:9c:fc:00:00:03",
            "vale_mtu": "vale0:1=9000",
        },
    )
    other = Guest("db", {"slirp0_forward": "tcp:2223-22"})
    unique = Unique(Global("global", {}), [old, other], ())
    new = renewed(Guest("web2", old.text), interfaces(old.net_ifaces, unique), unique)
    assert new.net_ifaces == ("tap51", "slirp0", "netgraph0", "vale0")
    assert (new.tap_type, new.tap_mtu, new.netgraph_path) == ({51: "e1000"}, {}, {0: "br0:"})
    assert new.get("slirp0_forward") == "tcp:127.0.0.1:2224-10.0.2.15:22,udp:127.0.0.1:2223-10.0.2.15:53"
    assert new.vale_mtu == {"vale0": 9000}
    assert (new.netgraph_peerhook, new.netgraph_socket) == ({}, {})
    macs = [mac for guest in (old, new) for mac in (*addresses(guest).values(), *guest.vale_mac.values())]
    assert len(set(macs)) == len(macs) == 7
    Owners([old, other]).refuse_shared("web2", Guest("web2", {}), new)
    with pytest.raises(ChyvesError, match=r"^third: slirp1_forward: tcp:127.0.0.1:2223 is taken by db; choose another"):
        third = Guest("third", {"slirp1_forward": "tcp:2223-80"})
        Owners([old, other]).refuse_shared("third", Guest("third", {}), third)
    with pytest.raises(ChyvesError, match=r"^third: netgraph1_peerhook: br0:link2 is taken by web; choose another$"):
        third = Guest("third", {"netgraph1_path": "br0:", "netgraph1_peerhook": "link2"})
        Owners([old, other]).refuse_shared("third", Guest("third", {}), third)


def test_a_unique_clone_is_no_other_machine_by_what_its_parent_is_told_of_itself() -> None:
    """Also where the parent's devices have written down what bhyve made for them, as after a rename."""
    mine = {
        "smbios_system_serial_number": "S-1",
        "smbios_chassis_asset_tag": "A-1",
        "smbios_system_manufacturer": "Example",
        "pcidev_0": "e1000,mac=00:a0:98:00:00:01",
        "pcidev_1": "nvme,ram=16,eui64=0x01004cd320fc9c58",
        "pcidev_2": "virtio-rnd",
    }
    old = Guest("web", mine)
    new = renewed(Guest("web2", old.text), {}, Unique(Global("global", {}), [old], ()))
    kept = {name: text for name, text in new.text.items() if name in mine}
    assert re.fullmatch(r"e1000,mac=58:9c:fc(:[0-9a-f]{2}){3}", kept.pop("pcidev_0"))
    assert kept == {
        "smbios_system_manufacturer": "Example",
        "pcidev_1": "nvme,ram=16",
        "pcidev_2": "virtio-rnd",
    }


def test_a_guest_without_serial_line_card_or_screen_gets_none_by_being_cloned() -> None:
    bare = Guest("a", {"net_ifaces": "-", "serial": "-"})
    new = renewed(bare, {}, Unique(Global("global", {}), [bare], ()))
    assert (new.net_ifaces, new.serial, new.uefi_vnc_port, new.tap_mac) == ((), None, None, {})


def test_an_exact_clone_can_be_set_but_takes_nothing_new_of_another() -> None:
    old = parent()
    twin, third = Guest("twin", old.text), Guest("third", {"serial": "nmdm60"})
    Owners([old, third]).refuse_shared("twin", twin, twin.with_changes({"cpu": "4"}))
    with pytest.raises(ChyvesError, match=r"^twin: serial: nmdm60 is taken by third; choose another$"):
        Owners([old, third]).refuse_shared("twin", twin, twin.with_changes({"serial": "nmdm60"}))
    with pytest.raises(ChyvesError, match=r"^third: tap9_mac: 58:9c:fc:00:00:01 is taken by web; choose another$"):
        Owners([old]).refuse_shared("third", third, third.with_changes({"tap9_mac": "58:9c:fc:00:00:01"}))


def holdings(**origins: dict[str, str]) -> Holdings:
    """Guests with the origins of their datasets, on the pools that those are on."""
    host = Host(Path("/"), Runner({}, ""))
    pools: dict[str, PoolHolding] = {}
    for name, rows in origins.items():
        pool = pools.setdefault(found := "tank" if name.startswith("tank") else "zroot", PoolHolding(host, found, {}))
        below = f"{pool.guests_dataset}/{name}"
        pool.rows |= {f"{below}/{row}".rstrip("/"): {"origin": of} for row, of in {**rows, ".config": "-"}.items()}
    return Holdings(host, pools)


def of(guest: str, snapshot: str = "s", pool: str = "zroot", disk: str = "disk0") -> dict[str, str]:
    return {"": "-", disk: f"{pool}/chyves/guests/{guest}/{disk}@{snapshot}"}


def order(made: Holdings, *names: str) -> list[str]:
    return [guest.name for guest in lineage.with_clones(made, [made.guest(name) for name in names])]


def test_clones_come_before_what_they_hang_on() -> None:
    made = holdings(a={"": "-"}, b=of("a"), c=of("b"), d=of("a"), web={"": "-"}, web1=of("web"))
    assert order(made, "a") == ["c", "b", "d", "a"]
    assert order(made, "web", "b") == ["web1", "web", "c", "b"]
    assert order(made, "web1") == ["web1"]
    assert lineage.clones(made) == {"a": ["b", "d"], "b": ["c"], "web": ["web1"]}


def test_names_of_parents_match_whole() -> None:
    """Fault 3 of 0.2.0: a clone of web-1 is none of web, and `tank`'s guest is none of `zroot`'s."""
    made = holdings(web={"": "-"}, a=of("web-1"), b=of("web", pool="tank"))
    assert lineage.clones(made) == {"web-1": ["a"]}
    assert lineage.parent(made.guest("b")) == lineage.Origin(
        "zroot/chyves/guests/b/disk0", "tank/chyves/guests/web/disk0@s", ""
    )


def test_a_guest_of_two_parents_and_parents_of_each_other_have_an_order() -> None:
    made = holdings(a=of("b"), b=of("a", disk="disk1"), c={"x": of("a")["disk0"], "y": of("b")["disk0"]})
    assert sorted(order(made, "a")) == ["a", "b", "c"]
    assert order(made, "a")[-1] == "a"


def test_what_a_guest_has_cloned_of_itself_is_no_parent() -> None:
    made = holdings(a=of("a"))
    assert lineage.parent(made.guest("a")) is None
    assert lineage.clones(made) == {}
