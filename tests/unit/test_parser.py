"""The parser: lines as an administrator types them, and what they mean."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.cli.assignments import Owners, assignments
from chyves.cli.grammar import reached, synopsis
from chyves.cli.parser import Request, parse, separated
from chyves.commands import COMMANDS
from chyves.errors import UsageError


def meant(line: str) -> tuple[str, dict[str, object]]:
    request = parse(line.split())
    return request.command.run.partition(":")[2], {key: value for key, value in request.keywords.items() if value}


@pytest.mark.parametrize(
    ("line", "function", "keywords"),
    [
        ("web1,web2 start", "start", {"guest": ("web1", "web2")}),
        ("all start", "start", {"guest": "all"}),
        ("a clone b", "clone", {"guest": "a", "name": ("b",)}),
        ("a clone b -ce", "clone", {"guest": "a", "name": ("b",), "flag": "-ce"}),
        ("a clone b,c -iu tank", "clone", {"guest": "a", "name": ("b", "c"), "pool": "tank", "flag": "-iu"}),
        ("-cu a@2026:1 clone b", "clone", {"guest": "a@2026:1", "name": ("b",), "flag": "-cu"}),
        ("a clone b tank -ie -ie", "clone", {"guest": "a", "name": ("b",), "pool": "tank", "flag": "-ie"}),
        ("web1 start system.iso", "start", {"guest": ("web1",), "iso": "system.iso"}),
        ("web1 create", "create", {"guest": ("web1",)}),
        ("web1 create 20G tank", "create", {"guest": ("web1",), "size": "20G", "pool": "tank"}),
        ("web1 delete keepnet", "delete", {"guest": ("web1",), "how": "keepnet"}),
        ("-y web1 delete force", "delete", {"guest": ("web1",), "how": "force", "yes": True}),
        ("web1 delete --yes", "delete", {"guest": ("web1",), "yes": True}),
        ("global set log_mode=off", "set_properties", {"owner": "global", "assignments": ("log_mode=off",)}),
        ("defaults get all", "get", {"owner": "defaults", "property": "all"}),
        ("a,b set cpu=1 c cpu=2", "set_properties", {"owner": ("a", "b"), "assignments": ("cpu=1", "c", "cpu=2")}),
        ("iso list", "show", {"kind": "iso"}),
        ("firmware import /tmp/F.fd", "fetch", {"kind": "firmware", "source": "/tmp/F.fd"}),
        ("network web1 add tap bridge1", "add", {"guest": ("web1",), "interface": "tap", "bridge": "bridge1"}),
        ("network import", "import_layout", {}),
        ("network import add tap", "add", {"guest": ("import",), "interface": "tap"}),
        ("network bridge0 attach em0", "attach", {"bridge": "bridge0", "uplink": "em0"}),
        ("network bridge0 default", "default", {"bridge": "bridge0"}),
        ("web1 disk remove disk1", "delete", {"guest": "web1", "disk": "disk1"}),
        ("list", "listing", {}),
        ("list disks", "show_all", {}),
        ("list cpu", "across", {"property": "cpu"}),
        ("list global primary", "global_", {"pool": "primary"}),
        ("info -bs", "info", {"b": True, "s": True}),
        ("info -b -s", "info", {"b": True, "s": True}),
        ("lab create --release 13.2 lab", "create", {"directory": "lab", "release": "13.2"}),
        ("lab create lab --release=13.2", "create", {"directory": "lab", "release": "13.2"}),
        ("lab shell ls -l -- -h", "shell", {"command": ("ls", "-l", "--", "-h")}),
        ("help", "help_", {}),
        ("help disk add", "help_", {"topic": ("disk", "add")}),
        ("", "help_", {}),
        ("-h", "help_", {}),
        ("--help web1", "help_", {}),
        ("web1 start -h", "help_", {"topic": ("start",)}),
        ("web1 disk --help", "help_", {"topic": ("disk",)}),
        ("firmware import -h", "help_", {"topic": ("firmware", "import")}),
        ("info -h", "help_", {"topic": ("info",)}),
        ("info -bsh", "help_", {"topic": ("info",)}),
    ],
)
def test_line_means(line: str, function: str, keywords: dict[str, object]) -> None:
    assert meant(line) == (function, keywords)


@pytest.mark.parametrize(
    "line", ["--dry-run web1 stop force", "web1 --dry-run stop force", "web1 stop force --dry-run"]
)
def test_options_stand_anywhere(line: str) -> None:
    request = parse(line.split())
    assert request == Request(request.command, {"guest": ("web1",), "how": "force"}, dry_run=True)


def test_option_between_optional_words_changes_nothing() -> None:
    assert parse("web1 create --dry-run 8G --dry-run tank".split()).args == {
        "guest": ("web1",),
        "size": "8G",
        "pool": "tank",
    }


def test_two_dashes_end_options() -> None:
    assert parse(["--", "-web", "start"]).args["guest"] == ("-web",)
    with pytest.raises(UsageError) as caught:
        parse(["-web", "web1", "start"])
    assert str(caught.value) == "-web: is no option of chyves; a name that begins with a dash goes after --"


def test_a_value_may_have_dashes_and_blanks() -> None:
    assert parse(["web1", "set", "bargs=-A -H"]).args["assignments"] == ("bargs=-A -H",)


def test_headless_and_json_are_of_the_request_not_of_the_function() -> None:
    assert parse(["list", "-H"]).headless and parse(["list", "-H"]).keywords == {}
    assert parse(["list", "--json"]).json and parse(["list", "--json"]).keywords == {}


def test_prefixes_of_options_are_refused() -> None:
    with pytest.raises(UsageError, match="--dry is no option of it; it has --wait --wait-for --dry-run"):
        parse(["web1", "start", "--dry"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("web1 starrt", "starrt: is no command; did you mean start? see: chyves help"),
        ("web1 check", "check: begins the line; it is: chyves check guest[,guest...]|all [-H]"),
        ("web1 dataset", "dataset: begins the line; see: chyves help dataset"),
        ("lst", "lst: is no command; did you mean list? see: chyves help"),
        ("lst disks", "lst: is no command; did you mean list? see: chyves help"),
        ("web1", "web1: is no command; if it is a guest, say what to do with it; see: chyves help"),
        ("starrt", "starrt: is no command; did you mean start? see: chyves help"),
        ("starrt web1", "starrt: is no command; did you mean start? it is written after the guest"),
        ("stop web1", "stop: is written after the guest; it is: chyves guest[,guest...]|all stop [force]"),
        ("web1 stop now", "stop: now is not possible; give force"),
        ("iso", "iso: words are missing; give one of delete, import, list, rename"),
        ("iso import", "iso import: words are missing; it is: chyves {iso|firmware} import source [checksum]"),
        ("web1 disk", "disk: words are missing; give one of a disk, add, delete, list, remove, resize"),
        ("version now", "version: now is one word too many; it is: chyves version [-H]"),
        ("web1,web2,web1 stop", "web1: is named twice; name it once"),
        ("web1,,web2 stop", "web1,,web2: has an empty name; take the comma out"),
        ("web1, stop", "web1,: has an empty name; take the comma out"),
        ("all,web1 stop", "all: stands alone; leave the other names out"),
        ("global console", "global: is no guest; name one"),
        ("web1,web2 console", "web1,web2: console takes one guest; give one"),
        ("list -H --json", "list: --json and -H do not go together; give one of them"),
        ("lab create --release", "lab create: --release needs a value; it has --release --machine --zfs"),
        ("info --json=yes", "info: --json=yes has a part that is no option; it has -zbprvstcudnakwlH --json"),
        ("-x", "-x: is no option of chyves; see: chyves help"),
    ],
)
def test_refusal_is_a_sentence(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split(" ") if line else [])
    assert str(caught.value) == message


def test_literal_words_win_over_the_users() -> None:
    for word in ("bridges", "defaults", "disks", "firmware", "global", "iso", "pools", "properties"):
        assert [row.words[:2] for row in reached(["list", word])] == [("list", word)]
    assert [row.words[0] for row in reached(["list", "disk"])] == ["list"]


def test_synopsis_shows_options_and_choices() -> None:
    lines = [synopsis(row) for row in COMMANDS]
    assert "chyves guest[,guest...]|all delete [force|keepnet]" in lines
    assert "chyves info [-zbprvstcudnakwlH]" in lines
    assert "chyves lab create [directory] [--release release] [--machine machine] [--zfs which]" in lines
    assert "chyves owner[,owner...]|all|global|defaults set assignments ..." in lines


@given(st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["--", "-h", "web1", "set", "list", "--json", "lab"]))))
def test_separating_loses_no_word(argv: list[str]) -> None:
    words, options = separated(argv)
    assert sorted(words + options) == sorted(argv) or "--" in argv or "--release" in argv


TYPED = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(categories=("Cs", "Cc", "Zs", "Lo", "Sm"))),
    st.sampled_from(sorted({word for row in COMMANDS for word in row.words if isinstance(word, str)})),
    st.sampled_from(
        ["web1", "web1,web2", "all", "--", "-", "-h", "--dry-run", "--yes", "-H", "--json", "--release", "=", "cpu=1"]
    ),
)


@given(st.lists(TYPED, max_size=6))
def test_any_line_is_a_request_or_one_sentence(argv: list[str]) -> None:
    try:
        request = parse(argv)
    except UsageError as error:
        assert error.status == 2
        assert str(error).isprintable() and str(error).isascii() and len(str(error)) < 600
    else:
        assert request.command in COMMANDS
        assert set(request.args) == {arg.name for arg in request.command.args}


@pytest.mark.parametrize(
    ("line", "groups"),
    [
        ("cpu=1", [(("a", "b"), {"cpu": "1"})]),
        ("cpu=1 ram=1G", [(("a", "b"), {"cpu": "1", "ram": "1G"})]),
        ("cpu=1 ram=1G c rcboot=50", [(("a", "b"), {"cpu": "1", "ram": "1G"}), (("c",), {"rcboot": "50"})]),
        ("notes= c,d notes=x=y", [(("a", "b"), {"notes": ""}), (("c", "d"), {"notes": "x=y"})]),
        ("cpu=1 global log_mode=off", [(("a", "b"), {"cpu": "1"}), ("global", {"log_mode": "off"})]),
        ("cpu=1 c cpu=2 b ram=1G", [(("a", "b"), {"cpu": "1"}), (("c",), {"cpu": "2"}), (("b",), {"ram": "1G"})]),
    ],
)
def test_assignments_for_owners_that_change(line: str, groups: list[tuple[Owners, dict[str, str]]]) -> None:
    assert assignments(("a", "b"), line.split()) == groups


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cpu", "cpu: has no = in it; write property=value"),
        ("cpu=1 c", "c: no property=value follows; write one after it"),
        ("cpu=1 c d cpu=2", "d: has no = in it; write property=value"),
        ("cpu=1 cpu=2", "a: cpu: is given twice; give it once"),
        ("cpu=1 c,b cpu=2", "b: cpu: is given twice; give it once"),
        ("cpu=1 all cpu=2", "a: cpu: is given twice; give it once"),
        ("=1", "=1: has no property before the =; write property=value"),
        ("../x=1", "../x=1: has no property before the =; write property=value"),
        ("cpu=1 c,c ram=1G", "c: is named twice; name it once"),
        ("cpu=1 a/b ram=1G", "a/b: is no name for a guest: use letters, digits, dots, dashes and underscores"),
        ("notes=a\nb", "notes: 'a\\nb' is not one line of text; leave out what is not text"),
        ("notes=\udcff", "notes: '\\udcff' is not one line of text; leave out what is not text"),
    ],
)
def test_assignments_refused(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        assignments(("a", "b"), line.split(" "))
    assert str(caught.value) == message


def test_same_property_of_global_and_of_guests_are_two() -> None:
    words = ["eject_iso_on_n_reboot=1", "all", "eject_iso_on_n_reboot=2"]
    assert len(assignments("global", words)) == 2


def test_parsing_loads_nothing_heavy() -> None:
    code = (
        "import sys; from chyves import __main__; from chyves.cli.parser import parse; parse(['list']);"
        "print(*sorted({'sh', 'tabulate', 'argcomplete', 'json', 'subprocess', 'sqlite3', 'difflib', 'chyves.values',"
        " 'chyves.host.machine'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("name", ["lab", "completion"])
def test_a_guest_of_old_that_is_called_like_a_new_command_is_still_reached(name: str) -> None:
    assert parse([name, "start"]).args == {"guest": (name,), "iso": None}
    assert parse([name, "set", "cpu=1"]).args["owner"] == (name,)
    with pytest.raises(UsageError, match=r"is (not possible|no command)"):
        parse([name, "startt"])


def test_a_command_for_a_guest_is_not_for_a_word_that_no_guest_is_called() -> None:
    assert meant("debug web1") == ("debug", {"guest": "web1"})
    assert meant("debug start") == ("start", {"guest": ("debug",)})
