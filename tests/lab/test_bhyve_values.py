"""The small grammars under bhyve's command line: numbers, memory, expansion of variables, getopt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.lab.bhyve.config import Config
from chyves.lab.bhyve.ends import Stop
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.bhyve.slots import place
from chyves.lab.bhyve.values import c_integer, memory_size

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", 4), ("0x10", 16), ("010", 8), ("0", 0), ("-3", -3), ("08", None), ("4x", None), ("", None)],
)
def test_numbers_are_those_of_c(text: str, number: int | None) -> None:
    """Reference, section 1.3: strtol with base 0."""
    assert c_integer(text) == number


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", GIB),
        ("1073741824", GIB),
        ("1048575", 1048575 * MIB),
        ("1048576", MIB),
        ("512m", 512 * MIB),
        ("2G", 2 * GIB),
        ("1t", 1024 * GIB),
        ("256MB", None),
        ("1.5G", None),
        ("G", None),
        ("-1", None),
    ],
)
def test_memory_sizes(text: str, size: int | None) -> None:
    """Reference, section 1.3: a plain number below 1 MiB is megabytes, a larger one bytes."""
    assert memory_size(text) == size


@given(st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_places_of_devices(bus: int, slot: int, function: int) -> None:
    """Reference, section 1.5: three numbers, two, or one."""
    assert place(f"{bus}:{slot}:{function}") == (bus, slot, function)
    assert place(f"{slot}:{function}") == (0, slot, function)
    assert place(str(slot)) == (0, slot, 0)


def config(**values: str) -> Config:
    made = Config()
    for name, value in values.items():
        made.set(name.replace("__", "."), value)
    return made


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("/vm/%(name)/disk", "/vm/web1/disk"),
        ("%(other)", "<web1>"),
        ("100%%", "100%"),
        ("a\\%b", "a%b"),
        ("a\\b", "a\\b"),
        ("%(nothing)x", "x"),
        ("50% off", "50% off"),
    ],
)
def test_expansion_of_values(value: str, expanded: str) -> None:
    """Reference, section 1.4: `%(name)`, nested; backslashes count only where a `%` is."""
    assert config(name="web1", other="<%(name)>", x=value).get("x") == expanded


def test_expansion_that_goes_round_ends() -> None:
    """Reference, section 1.4: 15 levels."""
    assert config(a="%(b)", b="%(a)").get("a") == "%(b)"


@pytest.mark.parametrize("word", ["true", "ON", "yes", "1"])
def test_booleans_that_are_true(word: str) -> None:
    """Reference, section 1.4."""
    assert config(x=word).flag("x")


def test_booleans() -> None:
    """Reference, section 1.4."""
    assert not config(x="Off").flag("x", True)
    assert config().flag("x", True)
    with pytest.raises(Stop, match="Invalid value 2 for boolean variable x"):
        config(x="2").flag("x")


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}(\.[a-z]{4,6}){0,2}", fullmatch=True), st.text(min_size=1)))
def test_the_tree_keeps_what_was_set(values: dict[str, str]) -> None:
    """Unless one name goes through another, every variable comes back as it was written."""
    tree, kept = Config(), {}
    for name, value in values.items():
        try:
            tree.set(name, value)
            kept[name] = value
        except Stop:
            assert any(other.startswith(f"{name}.") or name.startswith(f"{other}.") for other in kept)
    assert dict(line.split("=", 1) for line in tree.dump()) == kept


def test_getopt() -> None:
    """getopt(3): bundles, attached and separate values, the end at an operand, at `--` and at a lone `-`."""
    options = Options(["-abc", "1", "-c2", "-", "-a"], "abc:")
    assert list(options) == [("a", ""), ("b", ""), ("c", "1"), ("c", "2")]
    assert options.rest == ["-", "-a"]


def test_getopt_long() -> None:
    """getopt_long(3): values with and without `=`, unique beginnings, operands anywhere where it permutes."""
    long = {"vm": ":", "force-reset": "", "force-poweroff": "", "hold": "::"}
    options = Options(["--vm", "a", "x", "--force-r", "--hold=3", "--vm=b"], "", long, permute=True)
    assert list(options) == [("vm", "a"), ("force-reset", ""), ("hold", "3"), ("vm", "b")]
    assert options.rest == ["x"]
    for word in ("--force", "--nothing", "--force-reset=1"):
        with pytest.raises(BadOption):
            list(Options([word], "", long))
