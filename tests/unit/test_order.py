"""The order in which guests start and stop with the host: what is wished, and the plan that it must become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.errors import ChyvesError
from chyves.guests.order import Turn, Wish, boot_plan, patience, refuse_ring, stop_turns
from chyves.properties import Guest

UP = ("running",)
"""Guests that are not in a table, and run."""

BOOTS = [
    ("a 1\nb 3\nc 2\n", "b c a", ""),
    ("web10 50\nweb1 50\ndb 100\n", "db web1 web10", ""),
    ("", "", ""),
    ("web 50 db\ndb 10\n", "db web", ""),
    ("web 50 db,dns\ndns 5\ndb 10\nother 20\n", "db dns web other", ""),
    ("a 3 b\nb 2 c\nc 1\nd 9\n", "d c b a", ""),
    ("web 1 running\n", "web", ""),
    (
        "web 1 gone\nother 1\n",
        "other",
        "web: is not started: it comes after gone (rcboot_after), which is nowhere\n",
    ),
    (
        "a 1 b\nb 1 gone\nc 1\n",
        "c",
        "b: is not started: it comes after gone (rcboot_after), which is nowhere\n"
        "a: is not started: it comes after b (rcboot_after), which is not started either\n",
    ),
    (
        "a 1 b\nb 2 a\nc 9 b\nd 1\n",
        "d",
        "b: is not started: rcboot_after leads back to it (b, a, b); take one of them out\n"
        "a: is not started: rcboot_after leads back to it (a, b, a); take one of them out\n"
        "c: is not started: it comes after b (rcboot_after), which is not started either\n",
    ),
    ("a 1 a\nb 1\n", "b", "a: is not started: rcboot_after leads back to it (a, a); take one of them out\n"),
]


def wishes(text: str) -> list[Wish]:
    """The guests of a table: name, rcboot, and those of rcboot_after."""
    rows = (line.split() for line in text.splitlines())
    return [
        Wish(name, int(rcboot), tuple(",".join(after).split(",")) if after else ()) for name, rcboot, *after in rows
    ]


@pytest.mark.parametrize(("text", "order", "refused"), BOOTS)
def test_boot(text: str, order: str, refused: str) -> None:
    """Complaint 14: guests could not be started in an order, one after another."""
    plan = boot_plan(wishes(text), lambda name: "" if name in UP else "is nowhere")
    assert " ".join(plan.order) == order
    assert "".join(f"{why}\n" for why in plan.refused.values()) == refused


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("a 1\nb 2\n", {"a": Turn(), "b": Turn()}),
        ("web 1 db\ndb 1\n", {"web": Turn(left=2), "db": Turn(frozenset({"web"}))}),
        ("web 1 db,off\ndb 1 off\n", {"web": Turn(left=2), "db": Turn(frozenset({"web"}))}),
        ("a 1 b\nb 1 a\nc 1 b\n", {"a": Turn(), "b": Turn(frozenset({"c"})), "c": Turn(left=2)}),
        (
            "a 1 b\nb 1 c\nc 1\nd 1 c\n",
            {"a": Turn(left=3), "b": Turn(frozenset("a"), 2), "c": Turn(frozenset("bd")), "d": Turn(left=2)},
        ),
    ],
)
def test_stop(text: str, turns: dict[str, Turn]) -> None:
    assert stop_turns(wishes(text)) == turns


GRAPHS = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 3), st.sets(st.sampled_from("abcdefg"))))


@given(GRAPHS)
def test_whatever_is_wished_each_guest_has_one_place_or_one_sentence(graph: dict[str, tuple[int, set[str]]]) -> None:
    wanted = [Wish(name, rcboot, tuple(sorted(after))) for name, (rcboot, after) in graph.items()]
    plan = boot_plan(wanted, lambda name: "is nowhere")
    assert sorted([*plan.order, *plan.refused]) == sorted(graph)
    for number, name in enumerate(plan.order):
        assert graph[name][1] <= set(plan.order[:number])


@given(GRAPHS)
def test_whatever_is_wished_every_guest_s_turn_to_stop_comes(graph: dict[str, tuple[int, set[str]]]) -> None:
    turns = stop_turns(Wish(name, rcboot, tuple(after)) for name, (rcboot, after) in graph.items())
    left = set(turns)
    while left:
        ready = {name for name in left if not turns[name].behind & left}
        assert ready
        left -= ready
    assert set(turns) == set(graph)


def test_those_that_stop_later_keep_their_share_of_the_time() -> None:
    assert patience(60, Turn(left=3), 60) == 20
    assert patience(60, Turn(), 40) == 40
    assert patience(5, Turn(), 40) == 5
    assert patience(60, Turn(), -1) == 0


def test_a_guest_cannot_come_after_itself() -> None:
    first, second = Guest("a", {"rcboot_after": "b"}), Guest("b", {"rcboot_after": "a"})
    refuse_ring(first, {"a": first})
    with pytest.raises(ChyvesError, match=r"^a: rcboot_after: leads back to it \(a, b, a\); take one of them out$"):
        refuse_ring(first, {"a": first, "b": second})
