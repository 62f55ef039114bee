"""Properties of network cards: forwarded ports, and which property is of which interface."""

from __future__ import annotations

import pytest

from chyves.bhyve.facts import Chassis
from chyves.bhyve.identity import written_down
from chyves.bhyve.nics import card
from chyves.nics import Forwards, about, owner_of, renamed
from chyves.properties import Guest


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("tcp:2222-22", "tcp:127.0.0.1:2222-10.0.2.15:22"),
        ("udp:0.0.0.0:53-10.0.2.16:5353", "udp:0.0.0.0:53-10.0.2.16:5353"),
        ("tcp:8080-80,tcp:192.0.2.1:8080-80", "tcp:127.0.0.1:8080-10.0.2.15:80,tcp:192.0.2.1:8080-10.0.2.15:80"),
    ],
)
def test_a_forward_says_where_it_listens_and_where_it_leads(text: str, kept: str) -> None:
    forwards = Forwards()
    assert forwards.format(forwards.parse(text)) == kept
    assert forwards.parse(kept) == forwards.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "tcp", "tcp:22", "tcp:22-", "icmp:1-1", "tcp::2222-:22", "tcp:0-22", "tcp:22-65536", "tcp:1.2.3:1-1"),
        *("tcp:01.2.3.4:1-1", "tcp:1-192.0.2.1:1", "tcp:22-22;tcp:23-23", "tcp:1-1,tcp:127.0.0.1:1-2", "tcp:1-1,"),
    ],
)
def test_what_is_no_forward(text: str) -> None:
    """An address that is left out with its colon means every address in QEMU: here that must be said."""
    with pytest.raises(ValueError):
        Forwards().parse(text)


def test_a_property_is_of_the_interface_that_it_begins_with() -> None:
    text = {"tap5_mac": "a", "tap50_mac": "b", "tap5_mtu": "c", "tap5_notes": "d", "slirp0_forward": "e"}
    assert about(text, "tap5") == ["tap5_mac", "tap5_mtu"]
    assert [owner_of(name) for name in text] == ["tap5", "tap50", "tap5", None, "slirp0"]
    assert renamed(text, {"tap5": "tap50", "tap50": "tap51", "slirp0": "slirp0"}) == {
        "tap5_mac": None,
        "tap5_mtu": None,
        "tap50_mac": "a",
        "tap50_mtu": "c",
        "tap51_mac": "b",
    }


def test_a_rename_keeps_the_address_of_each_card_on_a_switch() -> None:
    """What bhyve made is written down for the cards alone that have no address, and one that is set later counts."""
    guest = Guest("web1", {"net_ifaces": "vale0:1,vale0:2", "vale_mac": "vale0:1=58:9c:fc:00:00:01"})
    new = guest.with_changes(written_down(guest, Chassis(name="web1", disks=(), consolidate=False)))
    assert card(new, "vale0:1", "web2") == ("virtio-net", "vale0:1,mac=58:9c:fc:00:00:01")
    assert set(new.vale_macs) == {"vale0:2"}
    assert card(new, "vale0:2", "web2") == ("virtio-net", f"vale0:2,mac={new.vale_macs['vale0:2']}")
    later = new.with_changes({"vale_mac": "vale0:2=58:9c:fc:00:00:02", "vale_mtu": "vale0:2=9000"})
    assert card(later, "vale0:2", "web2") == ("virtio-net", "vale0:2,mac=58:9c:fc:00:00:02,mtu=9000")
