"""Targets: what a word that means guests says, and which guests it is about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.cli.assignments import assignments
from chyves.cli.parser import parse
from chyves.commands import COMMANDS
from chyves.errors import ChyvesError, UsageError
from chyves.properties import Global, Guest, Pool
from chyves.targets import AND, FACTS, Like, Name, Term, is_name, named, part, selectable, terms

WORDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}", fullmatch=True).filter(
    lambda word: word not in ("all", "global", "defaults")
)
LIKE = st.sampled_from([("cpu", "2"), ("ram", "1G"), ("loader", "uefi"), ("state", "running"), ("description", "a=b")])
TERMS = st.one_of(
    st.builds(Name, WORDS),
    st.builds(lambda group: Like("groups", group), WORDS),
    st.builds(lambda pair: Like(*pair), LIKE),
)


def written(term: Term) -> str:
    match term:
        case Name(name):
            return name
        case Like("groups", group):
            return f":{group}"
        case Like(what, value):
            return f"{what}={value}"


@given(st.lists(TERMS, min_size=1, max_size=4).filter(lambda found: sum(isinstance(t, Name) for t in found) < 2))
def test_what_is_written_is_what_is_read(found: list[Term]) -> None:
    text = AND.join(map(written, found))
    assert terms(text) == tuple(found)
    assert part(text) == text
    assert is_name(text) == (len(found) == 1 and isinstance(found[0], Name))


@given(st.lists(TERMS.map(written), min_size=1, max_size=4, unique=True), st.sampled_from(["start", "stop", "reclaim"]))
def test_a_line_has_its_parts_in_order(parts: list[str], verb: str) -> None:
    assert parse([",".join(parts), verb]).args["guest"] == tuple(parts)
    assert named(parts) == {text for text in parts if not set(text) & set(":=+")}


@given(st.text(alphabet="ab:=+,- 1/", max_size=12))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    try:
        part(text)
    except ChyvesError as error:
        assert "\n" not in str(error) and ("; " in str(error) or ": " in str(error))


@pytest.mark.parametrize(
    ("term", "text", "holds"),
    [
        ("ram=1024M", "1G", True),
        ("ram=1G", "1024M", True),
        ("ram=1g", "2G", False),
        ("cpu=02", "2", True),
        ("template=on", "yes", True),
        ("template=off", "yes", False),
        ("groups=web", "mail,web", True),
        ("groups=we", "mail,web", False),
        ("groups=-", "-", True),
        ("groups=", "", True),
        ("groups=-", "web", False),
        (":web", "web", True),
        ("net_ifaces=tap5", "tap50", False),
        ("net_ifaces=tap50", "tap50,tap51", True),
        ("uuid=0B1C5EC0-7b8e-11f0-9c6e-589cfc000001", "0b1c5ec0-7b8e-11f0-9c6e-589cfc000001", True),
        ("description=a=b", "a=b", True),
        ("description=", "-", True),
        ("uefi_firmware=-", "", True),
        ("pcidev_0=virtio-rnd", None, False),
        ("pcidev_0=", None, True),
        ("tap50_mac=58:9C:FC:0:0:1", "58:9c:fc:00:00:01", True),
        ("loader=uefi", "bhyveload", False),
        ("loader=uefi", "-", False),
        ("state=running", "running", True),
        ("pool=tank", "tank2", False),
    ],
)
def test_values_are_compared_as_what_they_are(term: str, text: str | None, holds: bool) -> None:
    """Fault 3: names are matched whole, and values too."""
    (read,) = terms(term)
    assert isinstance(read, Like)
    assert read.holds(text) is holds


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (": start", "'': is no name for a group: use up to 27 letters, digits, dots, dashes and underscores"),
        (":all start", "all: is no name for a group: the word all means every guest already; choose another"),
        (":a:b start", "a:b: is no name for a group: use up to 27 letters, digits, dots, dashes and underscores"),
        ("colour=red start", "colour=red: colour is no property of guests; see: chyves list properties"),
        ("log_mode=off start", "log_mode=off: log_mode is no property of guests; see: chyves list properties"),
        ("cpu=many start", "cpu: many is not possible; give a whole number from 1 to 65535"),
        ("state=paused start", "state: paused is not possible; give one of running, stopped"),
        ("a+b start", "a+b: no guest has two names; write a comma between them"),
        (":web+ start", ":web+: nothing stands beside a +; take the + out"),
        ("+ start", "+: nothing stands beside a +; take the + out"),
        (":web,:web start", ":web: is named twice; name it once"),
        (":web,all start", "all: stands alone; leave the other names out"),
        ("all+state=running stop", "all: stands alone; leave the other names out"),
        ("global+cpu=1 stop", "global: is no guest; name one"),
        (":web console", ":web: console takes one guest; give one"),
        ("cpu=1 disk list", "cpu=1: disk list takes one guest; give one"),
        (":web disk add 1G", ":web: disk add takes one guest; give one"),
        (":web create 1G", ":web: is no name for a guest: use letters, digits, dots, dashes and underscores"),
    ],
)
def test_what_can_mean_no_guest_is_refused(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split(" "))
    assert str(caught.value) == message


def test_set_knows_owners_from_assignments() -> None:
    """The first word chooses by a property; further ones with = are assignments, and groups switch guests."""
    request = parse(["loader=uefi", "set", "ram=1G", ":web,db", "cpu=2"])
    assert request.args["owner"] == ("loader=uefi",)
    assert assignments(("loader=uefi",), ("ram=1G", ":web,db", "cpu=2")) == [
        (("loader=uefi",), {"ram": "1G"}),
        ((":web", "db"), {"cpu": "2"}),
    ]
    with pytest.raises(UsageError, match="db,loader=uefi: has no property before the =; write property=value"):
        assignments(("web1",), ("ram=1G", "db,loader=uefi", "cpu=2"))


def test_wherever_several_guests_can_be_named_they_can_be_chosen() -> None:
    several = [arg for row in COMMANDS for arg in row.args if arg.split and arg.complete in ("guests", "owners")]
    assert len(several) > 5
    assert all(arg.check is part for arg in several)
    assert not any(arg.check is part for row in COMMANDS for arg in row.args if not arg.split)


def test_no_property_has_the_name_of_a_fact() -> None:
    assert not set(FACTS) & {*Guest.table, *Global.table, *Pool.table}
    assert set(selectable()) == set(FACTS) | set(Guest.table)
