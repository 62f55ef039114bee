"""A house of many guests: what a command costs is counted, in programs, files and calls, and never in seconds."""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import chyves
from chyves.lab.place import Lab
from tests import chyves_counted
from tests.big_house import FIRST, House
from tests.chyves_counted import Cost
from tests.host_commands import done, environment, second_pool

LISTINGS = (
    "list",
    "info -a",
    "list clones",
    "list cpu",
    "list disks",
    "list groups",
    "list snapshots",
    "list bridges",
    "list tap",
    "list processes",
    f"{FIRST} status",
    "all get all",
    "state=stopped get cpu",
)
"""What is shown of all guests, or of one among many."""

CHANGES = (
    "{guests} set cpu=2",
    "{guests} snapshot @x",
    "network {guests} add tap",
    "{guests} reclaim",
    "{guests} upgrade",
    "{new} create 64M",
    "g0001 clone {clones} -cu",
    "{clones} promote",
    "{new} move tank",
    "{new} delete",
    "{guests} delete",
)
"""What is done to one guest or to several, in an order in which each can be done."""

SIZES = (20, 60, 100)
MANY = 4
LEEWAY = 1.1
"""How much more than in a straight line calls may grow: dictionaries and logs have their steps."""


HOUSES = (12, 112)
QUESTIONS = {"g0001 clone {clones} -cu": 0, "{new} move tank": 2, "{new} delete": 1, "{guests} delete": 1}
"""How often ZFS is asked for each guest, where that is not never: before a guest is sent, and right before it goes."""


def built(lab: Lab, size: int) -> House:
    """A house of this size; what Python would compile at the first command is compiled."""
    compileall.compile_dir(Path(chyves.__file__).parent, quiet=2)
    done(lab, "dataset", "zroot", "install")
    done(lab, FIRST, "create", "64M")
    house = House(lab)
    house.grow(size)
    return house


def cost(lab: Lab, line: str) -> Cost:
    """What a command line that succeeds costs."""
    file = lab.state / "cost"
    result = subprocess.run(
        [sys.executable, str(chyves_counted.__file__), str(file), *line.split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(lab) | {"PYTHONPATH": str(Path(__file__).parents[2]), "CHYVES_LAB_GUEST": "hollow"},
    )
    assert result.returncode in (0, 1 if "status" in line else 0), (line, result.stderr)
    found: Cost = json.loads(file.read_text())
    found["programs"].pop("zpool", None)  # which is asked too where zfs takes long: whether a pool is suspended
    return found


def test_listings_cost_a_fixed_number_of_programs_and_grow_in_a_straight_line(lab: Lab) -> None:
    """Complaint 33, listings get slow with many guests: no program more, and as much for each guest as for another."""
    house = built(lab, 1)
    found: dict[str, list[Cost]] = {line: [] for line in LISTINGS}
    for size in SIZES:
        house.grow(size)
        for line in LISTINGS:
            found[line].append(cost(house.lab, line))
    for line, (small, middle, big) in found.items():
        assert small["programs"] == middle["programs"] == big["programs"], line
        assert sum(big["programs"].values()) <= 3, line
        for what in (big["calls"] - middle["calls"], middle["calls"] - small["calls"]):
            assert what >= 0, line
        assert big["calls"] - middle["calls"] <= LEEWAY * (middle["calls"] - small["calls"]) + 50, line
        assert big["files"] - middle["files"] <= middle["files"] - small["files"] + 2, line


def more(one: Cost, several: Cost) -> Cost:
    """What each guest after the first costs; of programs all together."""
    names = {*one["programs"], *several["programs"]}
    return {
        "calls": (several["calls"] - one["calls"]) // (MANY - 1),
        "files": (several["files"] - one["files"]) // (MANY - 1),
        "programs": {name: several["programs"].get(name, 0) - one["programs"].get(name, 0) for name in sorted(names)},
        "questions": several["questions"] - one["questions"],
    }


def changed(house: House) -> dict[str, tuple[Cost, Cost]]:
    """What every change costs: all of it for one guest, and what each of the next ones adds."""
    found = {}
    for line in CHANGES:
        one, several = (cost(house.lab, filled(line, some)) for some in ([2], range(3, 3 + MANY)))
        found[line] = one, more(one, several)
    return found


def filled(line: str, numbers: Sequence[int]) -> str:
    """A line of CHANGES for guests of these numbers."""
    letters = {"guests": "g", "new": "n", "clones": "c"}
    return line.format_map({word: ",".join(f"{letter}{n:04}" for n in numbers) for word, letter in letters.items()})


def test_a_guest_more_in_a_command_costs_as_much_in_a_big_house_as_in_a_small_one(new_lab: Callable[..., Lab]) -> None:
    """So nothing grows with the square of the guests; and ZFS is asked for each only where it must be."""
    houses = [built(new_lab(), size) for size in HOUSES]
    for house in houses:
        done(house.lab, "dataset", second_pool(house.lab), "install")
    small, big = map(changed, houses)
    for line in CHANGES:
        (_, less), (_, same) = small[line], big[line]
        assert same["programs"] == less["programs"], line
        assert same["files"] <= LEEWAY * less["files"] + 3, line
        assert same["calls"] <= LEEWAY * less["calls"] + 50, line
        assert same["questions"] <= QUESTIONS.get(line, 0) * (MANY - 1), line


def test_of_guests_that_start_zfs_is_asked_once_and_no_file_of_another_is_read(lab: Lab) -> None:
    """Also while the one before boots, others may change what there is; where nobody did, it is not asked again."""
    house = built(lab, 40)
    for line in ("{guests} start", "{guests} reload", "{guests} stop force"):
        one, several = (cost(house.lab, filled(line, some)) for some in ([2], range(3, 3 + MANY)))
        assert one["programs"]["zfs"] == several["programs"]["zfs"], line
        # The guest's own are asked for with what Python and bhyve's lines need; those of all would be 40 more.
        assert more(one, several)["files"] < 60, line


def limited(lab: Lab, line: str, soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    """A command line, where a process may have only so many files open."""
    limits = f"import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"
    code = f"{limits}; from chyves.__main__ import main; sys.exit(main({line.split()!r}))"
    return subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(lab)
    )


def test_more_guests_than_files_can_be_open_are_changed_at_once_or_refused_in_a_sentence(lab: Lab) -> None:
    """Each lock is an open file: the usual limit, 1,024, is less than the guests of a big house."""
    built(lab, 50)
    for line in ("all set notes=few", "all snapshot @few"):
        for hard, status in ((100, 1), (200, 0)):
            result = limited(lab, line, 40, hard)
            assert result.returncode == status, result.stderr
            told = f"chyves: this host: lets a process have {hard} files open, and so many guests at once take "
            assert result.stderr.startswith(told) == (status == 1), result.stderr
            assert result.stderr.count("\n") == (1 if status else 50)
    assert {line.split("\t")[1] for line in done(lab, "list", "notes", "-H").splitlines()} == {"few"}
    assert done(lab, "list", "snapshots", "-H").count("@few") == 50
