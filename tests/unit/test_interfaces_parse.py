"""What ifconfig(8) prints, of several releases, read as interfaces."""

from __future__ import annotations

import pytest

from chyves.errors import ChyvesError
from chyves.host.interfaces import Interface, parse
from chyves.vlans import Vlans

FOURTEEN = """\
em0: flags=1008943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 9000
\toptions=4e504bb<RXCSUM,TXCSUM,VLAN_MTU,VLAN_HWTAGGING,JUMBO_MTU>
\tether 52:54:00:01:02:03
\tinet 192.168.1.10 netmask 0xffffff00 broadcast 192.168.1.255
\tmedia: Ethernet autoselect (1000baseT <full-duplex>)
\tstatus: active
\tnd6 options=29<PERFORMNUD,IFDISABLED,AUTO_LINKLOCAL>
lo0: flags=1008049<UP,LOOPBACK,RUNNING,MULTICAST,LOWER_UP> metric 0 mtu 16384
\tinet 127.0.0.1 netmask 0xff000000
\tinet6 ::1 prefixlen 128
\tgroups: lo
tap51: flags=1008943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\tdescription: chyves: web1: net0
\toptions=80000<LINKSTATE>
\tether 58:9c:fc:10:ff:aa
\tgroups: tap chyves
\tmedia: Ethernet 1000baseT <full-duplex>
\tstatus: active
\tnd6 options=29<PERFORMNUD,IFDISABLED,AUTO_LINKLOCAL>
\tOpened by PID 1234
bridge0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=0
\tether 58:9c:fc:10:d9:14
\tid 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15
\tmaxage 20 holdcnt 6 proto rstp maxaddr 2000 timeout 1200
\troot id 00:00:00:00:00:00 priority 32768 ifcost 0 port 0
\tmember: tap51 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>
\t        ifmaxaddr 0 port 5 priority 128 path cost 2000000
\tmember: em0.10 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>
\t        ifmaxaddr 0 port 1 priority 128 path cost 20000
\tgroups: bridge
\tnd6 options=9<PERFORMNUD,IFDISABLED>
em0.10: flags=8002<BROADCAST,MULTICAST> metric 0 mtu 1500
\tgroups: vlan
\tvlan: 10 vlanproto: 802.1q vlanpcp: 0 parent interface: em0
"""

FIFTEEN = """\
bridge1: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\toptions=10<VLAN_HWTAGGING>
\tether 58:9c:fc:10:d9:15
\tbridge flags=1<VLANFILTER> defuntagged=7
\tmember: tap0 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>
\t        port 5 priority 128 path cost 2000000 vlan protocol 802.1q untagged 10 tagged 20,30-40
\tmember: tap1 flags=147<LEARNING,DISCOVER,STP,AUTOEDGE,AUTOPTP>
\t        port 6 priority 128 path cost 2000000 proto rstp
\t        role designated state forwarding vlan protocol 802.1q untagged 7
\tmember: tap2 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>
\t        ifmaxaddr 9 port 7 priority 128 path cost 2000000 vlan protocol 802.1q
\tmember: em0 flags=143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>
\t        port 1 priority 128 path cost 20000 vlan protocol 802.1q tagged 1-4094
\tgroups: bridge
bridge2: flags=8802<BROADCAST,SIMPLEX,MULTICAST> metric 0 mtu 1500
\tbridge flags=0<>
\tgroups: bridge
"""

ELEVEN = """\
tap0: flags=8902<BROADCAST,PROMISC,SIMPLEX,MULTICAST> metric 0 mtu 1500
\toptions=80000<LINKSTATE>
\tether 00:bd:2a:f6:00:00
\thwaddr 00:bd:2a:f6:00:00
\tgroups: tap
\tmedia: Ethernet autoselect
\tstatus: no carrier
"""


def test_every_interface_is_found_with_its_name_and_mtu() -> None:
    assert {name: it.mtu for name, it in parse(FOURTEEN).items()} == {
        "em0": 9000,
        "lo0": 16384,
        "tap51": 1500,
        "bridge0": 1500,
        "em0.10": 1500,
    }


def test_the_addresses_by_which_others_reach_it() -> None:
    alone = "\tinet6 fe80::1%em0 prefixlen 64 scopeid 0x1\n"
    found = parse(
        FOURTEEN.replace("\tinet 192.168.1.10", f"{alone}\tinet6 2001:db8::1 prefixlen 64\n\tinet 192.168.1.10")
    )
    assert found["em0"].addresses == ("192.168.1.10", "2001:db8::1")
    assert found["tap51"].addresses == ()


def test_a_tap() -> None:
    assert parse(FOURTEEN)["tap51"] == Interface(
        name="tap51",
        flags=frozenset("UP BROADCAST RUNNING PROMISC SIMPLEX MULTICAST LOWER_UP".split()),
        mtu=1500,
        description="chyves: web1: net0",
        groups=("tap", "chyves"),
        members=(),
        opened_by=1234,
    )


def test_a_bridge_and_its_members() -> None:
    bridge = parse(FOURTEEN)["bridge0"]
    assert bridge.members == ("tap51", "em0.10")
    assert bridge.groups == ("bridge",)
    assert bridge.opened_by is None
    assert bridge.description == ""


def test_a_bridge_that_filters_vlans() -> None:
    bridge = parse(FIFTEEN)["bridge1"]
    assert bridge.members == ("tap0", "tap1", "tap2", "em0")
    assert (bridge.filters, bridge.default_vlan) == (True, 7)
    assert bridge.vlans == {"tap0": Vlans(10, "20,30-40"), "tap1": Vlans(7), "em0": Vlans(0, "1-4094")}


def test_whether_a_bridge_filters_vlans_is_told_since_15() -> None:
    assert (parse(FIFTEEN)["bridge2"].filters, parse(FOURTEEN)["bridge0"].filters) == (False, None)


def test_up_is_a_flag_of_its_own() -> None:
    assert parse(FOURTEEN)["tap51"].up
    assert not parse(FOURTEEN)["em0.10"].up
    assert not parse("x0: flags=8002<UPSIDE,LOWER_UP> metric 0 mtu 1500")["x0"].up


def test_an_old_release() -> None:
    tap = parse(ELEVEN)["tap0"]
    assert (tap.groups, tap.up, tap.opened_by) == (("tap",), False, None)


def test_no_flags_and_no_interfaces() -> None:
    assert parse("tap1: flags=0<> metric 0 mtu 1500\n")["tap1"].flags == frozenset()
    assert parse("") == {}


def test_a_line_that_is_no_interface_is_refused() -> None:
    with pytest.raises(ChyvesError, match=r"^ifconfig: printed a line that is not understood: 'what is this'; "):
        parse("tap1: flags=0<> metric 0 mtu 1500\nwhat is this\n")
