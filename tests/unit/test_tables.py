"""Tables: aligned for people, with tabs for scripts, as JSON for programs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.cli.tables import Column, Row, Table, Value, cells, cut, json_of_text, json_text, plain, tabs

GUESTS = Table(
    "guests",
    (
        Column("guest", "Guest"),
        Column("cpu", "CPU", right=True),
        Column("running", "Running"),
        Column("notes", "Notes"),
    ),
    (
        Row(
            {"guest": "web1", "cpu": 2, "running": 417, "notes": None, "uuid": "x"},
            {"running": "YES (417)"},
            (Row({"guest": "disk0", "size": 8 << 30}), Row({"guest": "disk1", "size": 1 << 30, "notes": "data"})),
        ),
        Row({"guest": "db", "cpu": 16, "running": False, "notes": "moves in May"}, {}, ()),
    ),
)


def test_plain_is_aligned_and_has_no_blanks_at_the_end() -> None:
    assert plain(GUESTS) == (
        "Guest    CPU  Running    Notes\n"
        "web1       2  YES (417)  -\n"
        "  disk0\n"
        "  disk1                  data\n"
        "db        16  no         moves in May\n"
    )


def test_plain_is_cut_to_the_width() -> None:
    assert plain(GUESTS, 14) == "Guest    CPU\nweb1       2\n  disk0\n  disk1\ndb        16\n"
    assert plain(GUESTS, 6) == "Guest\nweb1\n  disk\n  disk\ndb\n"


def test_tabs_have_no_head_and_name_the_parent_of_a_child() -> None:
    assert tabs(GUESTS) == (
        "web1\t2\tYES (417)\t-\nweb1/disk0\t-\t-\t-\nweb1/disk1\t-\t-\tdata\ndb\t16\tno\tmoves in May\n"
    )


def test_json_has_typed_values_and_the_same_keys_for_each_guest() -> None:
    told = json.loads(json_text(GUESTS))
    assert told["version"] == 1
    assert told["guests"][0] == {
        "guest": "web1",
        "cpu": 2,
        "running": 417,
        "notes": None,
        "uuid": "x",
        "disks": [{"guest": "disk0", "size": 8 << 30}, {"guest": "disk1", "size": 1 << 30, "notes": "data"}],
    }
    assert told["guests"][1] == {"guest": "db", "cpu": 16, "running": False, "notes": "moves in May", "disks": []}


def test_json_without_children_has_no_list_of_them() -> None:
    table = Table("pools", (Column("name", "Pool"),), (Row({"name": "tank"}),))
    assert json.loads(json_text(table)) == {"version": 1, "pools": [{"name": "tank"}]}
    assert json.loads(json_text(Table("pools", (Column("name", "Pool"),), ()))) == {"version": 1, "pools": []}


def test_json_of_words_is_json_too() -> None:
    assert json.loads(json_of_text("a\nb")) == {"version": 1, "text": "a\nb"}


def test_table_without_rows_shows_its_heads() -> None:
    table = Table("pools", (Column("name", "Pool"), Column("size", "Size", right=True)), ())
    assert (plain(table), tabs(table)) == ("Pool  Size\n", "")


def test_bare_table_is_its_last_column() -> None:
    table = Table(
        "properties",
        (Column("owner", "Owner"), Column("value", "Value")),
        (Row({"owner": "web1", "value": 2}),),
        bare=True,
    )
    assert (plain(table), tabs(table)) == ("2\n", "web1\t2\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ([], "-"),
        (["a", "b"], "a,b"),
        ("a\tb\n", "a\\tb\\n"),
    ],
)
def test_values_are_shown_in_one_line(value: Value, text: str) -> None:
    table = Table("t", (Column("a", "A"), Column("b", "B")), (Row({"a": value, "b": 1}),))
    assert tabs(table) == f"{text}\t1\n"


def test_terminal_escapes_do_not_reach_the_terminal() -> None:
    assert Row({"a": "\x1b[31mred\udcff\u202e"}).text("a") == "\\x1b[31mred\\udcff\\u202e"


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("网络", 4), ("e\u0301", 1), ("\uff57eb", 4), ("\u200dx", 1), ("", 0)]
)
def test_cells_of_a_terminal(text: str, width: int) -> None:
    assert cells(text) == width


def test_wide_characters_keep_columns_aligned() -> None:
    table = Table("t", (Column("a", "A"), Column("b", "B")), (Row({"a": "网络", "b": 1}), Row({"a": "x", "b": 2})))
    assert plain(table) == "A     B\n网络  1\nx     2\n"
    assert plain(table, 3).splitlines()[1] == "网"


LINE = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@given(LINE, st.integers(0, 30))
def test_cut_is_a_beginning_that_fits(text: str, width: int) -> None:
    short = cut(text, width)
    assert text.startswith(short) and cells(short) <= width
    assert short == text or cells(short) >= width - 1


@given(st.lists(st.tuples(LINE, st.none() | st.integers() | st.booleans() | LINE.map(str.rstrip)), max_size=5))
def test_every_row_is_one_line_with_all_columns(values: list[tuple[str, Value]]) -> None:
    rows = tuple(Row({"a": first, "b": second}) for first, second in values)
    table = Table("t", (Column("a", "A"), Column("b", "B", right=True)), rows)
    assert [line.count("\t") for line in tabs(table).split("\n")[:-1]] == [1] * len(rows)
    lines = plain(table).split("\n")[:-1]
    assert len(lines) == len(rows) + 1
    assert len({cells(line) for line in lines}) == 1
    assert [row["b"] for row in json.loads(json_text(table))["t"]] == [second for _, second in values]
