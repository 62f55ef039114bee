"""The types of properties: what is read is what was written, and nothing is adjusted in silence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.addresses import Address, Slots
from chyves.properties import Defaults, Global, Guest, Pool
from chyves.section import PropertyError, Section, read_text, write_text
from chyves.values import Flag, Int, Mac, Several, Size, Text

SECTIONS: tuple[type[Section], ...] = (Guest, Defaults, Global, Pool)
ROWS = [row for section in SECTIONS for row in (*section.table.values(), *section.numbered.values())]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_default_and_example_are_possible_and_keep_their_text(row: Any) -> None:
    for text in (row.default, row.example):
        if text == "" and row.default == "" and row.name.count("{n}"):
            continue  # a property for each number has no value until it is set
        value = row.parse("web1", text)
        again = row.type.format(value)
        assert row.parse("web1", again) == value
    assert row.type.format(row.parse("web1", row.example)) == row.example


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_is_explained(row: Any) -> None:
    assert row.doc.endswith(".")
    assert row.type.metavar


@given(st.sampled_from(ROWS), st.text(max_size=60))
def test_any_text_is_refused_in_a_sentence_or_round_trips(row: Any, text: str) -> None:
    try:
        value = row.parse("web1", text, row.name)
    except PropertyError as error:
        assert str(error).startswith(f"web1: {row.name}: ")
        assert "\n" not in str(error)
        assert "give " in str(error)
        return
    kept = row.type.format(value)
    assert row.parse("web1", kept) == value
    assert read_text(write_text({row.name.replace("{n}", "1"): kept}), "file") == {row.name.replace("{n}", "1"): kept}


@given(st.integers(1, 1 << 60))
def test_a_size_keeps_every_byte(size: int) -> None:
    type_ = Size("")
    assert type_.parse(type_.format(size)) == size


@pytest.mark.parametrize(
    ("text", "kept"), [("1024", "1G"), ("1024M", "1G"), ("1536", "1536M"), ("2g", "2G"), ("1048576K", "1G")]
)
def test_memory_counts_megabytes_and_is_written_with_the_largest_unit(text: str, kept: str) -> None:
    assert Guest.ram.type.format(Guest.ram.parse("web1", text)) == kept


@pytest.mark.parametrize(
    "text", ["0", "-1", "8 G", "8GB", "8GiB", "1.5G", "", "G", "٣G", "1e3", "0x10", "9" * 20 + "T"]
)
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a number with K, M, G or T"):
        Size().parse(text)


def test_fault_4_a_processor_count_is_never_cut_to_what_is_possible() -> None:
    with pytest.raises(PropertyError, match="web1: cpu: 99999 is not possible; give a whole number from 1 to 65535"):
        Guest.cpu.parse("web1", "99999")
    assert Guest.cpu.parse("web1", "99") == 99


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("os", "windows"),
        ("revert_to_snapshot", "clean"),
        ("uuid", "not-a-uuid"),
        ("pcidev_1", "passthru 2/0/0"),
        ("tap50_mac", "01:00:00:00:00:00"),
        ("tap50_mac", "00:00:00:00:00:00"),
        ("virtio_block_options_disk0", "sectorsize=513"),
        ("virtio_block_options_disk0", "nocache,nocache"),
        ("net_ifaces", "tap05"),
        ("net_ifaces", "tap5,tap5"),
        ("serial", "nmdm"),
        ("bargs", "-A $(reboot)"),
        ("bargs", "A H"),
    ],
)
def test_fault_4_what_0_2_0_let_pass_is_refused(name: str, text: str) -> None:
    row = Guest.row(name)
    assert row is not None
    with pytest.raises(PropertyError, match=f"web1: {name}: "):
        row.parse("web1", text, name)


def test_yes_and_on_are_both_read_and_one_is_written() -> None:
    yes = Flag()
    assert [yes.format(yes.parse(text)) for text in ("yes", "on", "no", "off")] == ["yes", "yes", "no", "no"]
    with pytest.raises(ValueError, match="yes or no"):
        yes.parse("true")


def test_a_mac_is_kept_in_lower_case_with_two_digits() -> None:
    assert Mac().parse("58:9C:FC:0:1:a") == "58:9c:fc:00:01:0a"


def test_a_list_has_nothing_twice_and_none_is_a_dash() -> None:
    taps = Several(Int(0, 9))
    assert taps.parse("-") == taps.parse("") == ()
    assert taps.format(()) == "-"
    with pytest.raises(ValueError, match="nothing named twice"):
        taps.parse("1,1")


def test_text_is_one_line() -> None:
    for odd in ("a\nb", "a\0b", "a\x1b[31m", "x" * 5000):
        with pytest.raises(ValueError, match="one line"):
            Text().parse(odd)
    assert Text().parse("Grüße = 5 %, ok") == "Grüße = 5 %, ok"


def test_two_devices_never_share_a_place() -> None:
    assert Slots().parse("disk0=4:0,tap50=5:0,disk1=4:1") == {
        "disk0": Address(4),
        "tap50": Address(5),
        "disk1": Address(4, 1),
    }
    for wrong in ("disk0=4:0,disk1=4:0", "disk0=4:0/1,disk1=4:0", "disk0=32:0", "disk0=4:8", "disk0=4:0,disk0=5:0"):
        with pytest.raises(ValueError, match=r"."):
            Slots().parse(wrong)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("disk0_serial", "-"),  # which is none everywhere else
        ("disk0_serial", "._-"),
        ("disk0_eui64", "0" * 16),  # for which bhyve takes one of its own
        ("disk0_sectorsize", "00512"),
        ("disk0_sectorsize", "512/04096"),
    ],
)
def test_what_a_disk_would_not_have_as_it_is_written_is_refused(name: str, text: str) -> None:
    row = Guest.row(name)
    assert row is not None
    with pytest.raises(PropertyError, match=f"web1: {name}: .* is not possible; give "):
        row.parse("web1", text, name)
