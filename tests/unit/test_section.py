"""Files of properties: any value a property allows comes back, and odd files are refused in a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.properties import Defaults, Global, Guest
from chyves.section import BadFile, UnknownProperty, read_text, write_text

NAMES = st.from_regex(r"[a-z_{}0-9]{1,30}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), max_size=100)


@given(st.dictionaries(NAMES, VALUES, max_size=20))
def test_what_is_written_is_read(properties: dict[str, str]) -> None:
    assert read_text(write_text(properties), "file") == properties


def test_the_last_of_two_lines_wins_as_with_0_2_0() -> None:
    assert read_text("cpu=1\nram=1G\ncpu=2\n", "file") == {"cpu": "2", "ram": "1G"}


def test_a_value_may_hold_equals_signs_and_blanks_and_line_ends_of_windows_are_taken_off() -> None:
    assert read_text("bargs=-A -H\r\nnotes=a=b = c\r\n\r\n# remark\nlast=x", "file") == {
        "bargs": "-A -H",
        "notes": "a=b = c",
        "last": "x",
    }


@pytest.mark.parametrize("text", ["cpu\n", "=1\n", "a b=1\n", "cpu=1\n\0=2\n", " cpu=1\n", "cpu=\0"])
def test_a_line_that_is_none_is_named(text: str) -> None:
    with pytest.raises(BadFile, match=r"^web1/.cfg: line [12] is not name=value: .*; mend or remove the line$"):
        read_text(text, "web1/.cfg")


@pytest.mark.parametrize(("name", "value"), [("a b", "1"), ("", "1"), ("a=b", "1"), ("a", "1\n2"), ("#a", "1")])
def test_what_no_line_can_keep_is_not_written(name: str, value: str) -> None:
    with pytest.raises(BadFile):
        write_text({name: value})


def test_unknown_names_are_kept_and_told() -> None:
    guest = Guest("web1", {"cpu": "2", "colour": "red"})
    assert guest.unknown() == ["colour"]
    assert guest.with_changes({"cpu": "4"}).text == {"colour": "red", "cpu": "4"}
    assert guest.get("colour") == "red"


def test_an_unknown_name_says_where_the_names_are() -> None:
    with pytest.raises(UnknownProperty, match="web1: cpus is no property; see: chyves list properties"):
        Guest("web1", {}).get("cpus")


def test_numbers_are_whole_so_that_tap5_is_not_tap50() -> None:
    guest = Guest("web1", {"tap5_mac": "58:9c:fc:00:00:05", "tap50_mac": "58:9c:fc:00:00:50", "tap05_mac": "x"})
    assert guest.tap_mac == {5: "58:9c:fc:00:00:05", 50: "58:9c:fc:00:00:50"}
    assert guest.unknown() == ["tap05_mac"]


def test_new_guests_inherit_what_the_user_may_choose_and_nothing_unique() -> None:
    assert {"cpu", "ram", "bargs", "loader", "bridge", "size", "disk_volblocksize"} <= set(Defaults.table)
    assert not {"uuid", "serial", "net_ifaces", "creation", "uefi_vnc_port", "template"} & set(Defaults.table)
    assert Defaults.numbered == {}


def test_fault_5_vnc_listens_on_loopback_unless_told() -> None:
    assert Guest("web1", {}).uefi_vnc_ip == "127.0.0.1"


def test_fault_11_volumes_have_blocks_of_a_sane_size() -> None:
    assert Defaults("defaults", {}).disk_volblocksize == 16 << 10
    with pytest.raises(Exception, match="give a power of two, such as 16K"):
        Defaults.disk_volblocksize.parse("defaults", "48K")


def test_the_update_check_is_known_and_used_by_nobody() -> None:
    assert sorted(name for name in Global.table if name.startswith("check_for_updates")) == [
        "check_for_updates",
        "check_for_updates_last_check",
        "check_for_updates_last_check_status",
        "check_for_updates_timeout_seconds",
        "check_for_updates_unique_id",
    ]
