"""What may be called what."""

from __future__ import annotations

import pytest

from chyves import names
from chyves.errors import ChyvesError

ODD = [
    "",
    " ",
    "a b",
    "a,b",
    "a%b",
    "../a",
    "a/b",
    "-rf",
    ".hidden",
    "a" * 28,
    "ä",
    "a\n",
    "a\0",
    "$(id)",
    "a;b",
    "'",
    "*",
]


@pytest.mark.parametrize("name", [*ODD, "all", "global", "list", "bridge0", ".", ".."])
def test_names_that_no_new_guest_has(name: str) -> None:
    with pytest.raises(ChyvesError, match=r"is no name for"):
        names.new_guest(name)


@pytest.mark.parametrize("name", ["web1.json", "all.lock", "running.web1.lock", "network.unfinished"])
def test_a_directory_of_a_guest_is_no_file_of_another(name: str) -> None:
    """web1.json is what is written down of web1, and would be the directory of a guest of that name."""
    with pytest.raises(ChyvesError, match=r"it ends like files that chyves has of guests which run"):
        names.new_guest(name)


@pytest.mark.parametrize(
    "name", ["web1", "web", "web-1", "a.web", "a.json.b", "lock", "WEB_2", "9lives", "a" * 27, "tap5", "disk0"]
)
def test_names_that_a_new_guest_has(name: str) -> None:
    assert names.new_guest(name) == name


@pytest.mark.parametrize("name", ["-x", ".old-guest", "_a"])
def test_names_of_0_2_0_that_begin_oddly_can_be_named(name: str) -> None:
    assert names.guest(name) == name


@pytest.mark.parametrize("text", ["x" * 10000, "a\nb", "\x1b[2J", "ü"])
def test_a_message_is_one_printable_line(text: str) -> None:
    shown = names.shown(text)
    assert shown.isprintable()
    assert shown.isascii()
    assert len(shown) < 60


@pytest.mark.parametrize("name", ["bridge", "bridge01", "bridge99999", "bridge-1", "tap0", "Bridge0", "bridge0 "])
def test_names_that_no_bridge_has(name: str) -> None:
    with pytest.raises(ChyvesError, match="is no name for a bridge"):
        names.bridge(name)


@pytest.mark.parametrize("name", ["em0", "vlan10", "em0.10", "igb1", "vtnet0", "lagg0", "epair0"])
def test_names_of_uplinks(name: str) -> None:
    assert names.uplink(name) == name


@pytest.mark.parametrize("name", ["tap0", "bridge0", "lo0", "em", "em0;", "EM0", "em0 up", "-em0", "x" * 16 + "0"])
def test_names_of_no_uplink(name: str) -> None:
    with pytest.raises(ChyvesError, match="is no name for an uplink"):
        names.uplink(name)


@pytest.mark.parametrize(
    "name", ["tap0", "tap32768", "slirp0", "netgraph12", "vale0", "valeswitch1", "vale0:a", "vale0:9999"]
)
def test_interfaces_of_guests(name: str) -> None:
    assert names.guest_interface(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "tap",
        "tap32769",
        "slirp",
        "slirp01",
        "netgraph32769",
        "tap00",
        "vale",
        "vale0:",
        "vale0:ab",
        "vale0123456789",
        "em0",
    ],
)
def test_what_is_no_interface_of_a_guest(name: str) -> None:
    with pytest.raises(ChyvesError, match="is no name for a guest's interface"):
        names.guest_interface(name)
