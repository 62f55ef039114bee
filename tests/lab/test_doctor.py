"""doctor on a lab: each kind of finding is made by hand and seen, alone; then repaired, or mended as it is told."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chyves.doctor.kinds import KINDS
from chyves.doctor.look import look
from chyves.host.machine import Host
from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, everything, mend, second_pool, zfs
from tests.lab.damages import REPAIRED, TOLD, G, ifconfig, kinds, place, properties, put, run, seen, write
from tests.torture.house import House, a_house, alive, kill, state, until
from tests.torture.strike import AFTER, BEFORE, REFUSE
from tests.torture.trial import Fault, Operation, Trial


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Guests a to d, of which none runs, and a second pool."""
    with a_house() as made:
        done(made.lab, "c,d", "create", "64M")
        done(made.lab, "dataset", second_pool(made.lab), "install")
        made.keep("base")
        yield made


def test_what_can_be_repaired_is_seen_told_and_repaired(house: House) -> None:
    if os.geteuid():
        pytest.skip("a file can be given away by root only")
    lab = house.lab
    house.go_back("base")
    before = state(house)
    known: list[str] = []
    for damage in REPAIRED:
        damage.act(lab)
        now = kinds(lab)
        assert sorted([*known, damage.kind]) == now
        known = now
    damaged = state(house)
    result = chyves(lab, "doctor", "repair")
    assert (result.returncode, "there is no terminal to ask on" in result.stderr) == (1, True)
    assert kinds(lab) == known, "nothing is done unasked"
    planned = chyves(lab, "doctor", "repair", "--dry-run")
    assert planned.returncode == 0 and kinds(lab) == known
    assert state(house) == damaged, "it was only looked at"
    result = chyves(lab, "doctor", "repair", "--yes")
    assert result.returncode == 0, result.stderr
    assert kinds(lab) == []
    assert chyves(lab, "doctor").returncode == 0
    after = state(house)
    # All is as before but what was to be kept: the volume, and what is a template now.
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    changed = {name.partition(" ")[0] for name in changed if not name.startswith("dev/")}
    assert {name for name in changed if "/guests/d" not in name} == {
        f"{G}/b/disk1",
        "chyves/zroot/guests/b/.config/.cfg",
        "chyves/zroot/.config/global.cfg",
        "chyves/zroot/.config/pool.cfg",
    }
    assert properties(lab, "global")["bridge0_tap_members"] == "tap50,tap51,tap52,tap53"
    assert "disk1=" in properties(lab, "b")["pci_slots"]


def test_what_is_a_choice_is_seen_and_told_and_left_as_it_is(house: House) -> None:
    lab = house.lab
    house.go_back("base")
    known: list[str] = []
    for damage in TOLD[:-1]:
        damage.act(lab)
        now = kinds(lab)
        assert sorted([*known, damage.kind]) == now
        known = now
    # What cannot be read hides only what would follow from it.
    TOLD[-1].act(lab)
    hidden = {"shared-uuid", "shared-mac", "shared-serial", "shared-port", "shared-tap", "nobodys-tap"}
    assert kinds(lab) == sorted([*(kind for kind in known if kind not in hidden), "unreadable"])
    everything_before = everything(lab)
    result = chyves(lab, "doctor", "repair", "--yes")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("left to you: ") == len(known) - len(hidden) + 1
    assert everything(lab) == everything_before


ALONE: Mapping[str, tuple[Callable[[Lab], object], set[str]]] = {
    "no-primary": (lambda lab: put(lab, "tank", dataset_role="primary"), set()),
    "bad-note": (lambda lab: write(place(lab, "global").with_name("unfinished.json"), "{"), set()),
    "two-pools": (lambda lab: guest_on_tank(lab), set()),
    "unseen": (lambda lab: write(lab.bin / "ifconfig", "#!/bin/sh\necho broken >&2; exit 3\n"), set()),
}
"""Damages after which other things cannot be told."""


def guest_on_tank(lab: Lab) -> None:
    zfs(lab, "create", "-p", "tank/chyves/guests/c/.config")
    write(lab.root / "chyves/tank/guests/c/.config/.cfg", "chyves_guest_version=0300\n")


@pytest.mark.parametrize("kind", ALONE)
def test_what_keeps_commands_from_their_work_is_told(house: House, kind: str) -> None:
    lab = house.lab
    house.go_back("base")
    program = (lab.bin / "ifconfig").read_text()
    try:
        ALONE[kind][0](lab)
        assert kinds(lab) == [kind]
        result = chyves(lab, "doctor")
        assert (result.returncode, len(result.stdout.splitlines())) == (1, 2)
        assert "by hand: " in result.stdout
    finally:
        (lab.bin / "ifconfig").write_text(program)


LIVE = {"stray-tap", "taken-tap", "lone-bhyve", "lost-guest", "other-vlans"}
"""What is of guests that run, see below; VLANs, which this lab's release has none of, in the dialogue 60-vlans."""


def test_each_kind_is_made_here() -> None:
    assert {damage.kind for damage in (*REPAIRED, *TOLD)} | ALONE.keys() | LIVE == KINDS.keys()


def record(lab: Lab, guest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run(lab) / f"{guest}.json").read_text())
    return found


def test_what_runs_and_what_nothing_looks_after(house: House) -> None:
    lab = house.lab
    house.go_back("base")
    done(lab, "a", "start")
    assert kinds(lab) == []
    ifconfig(lab, "bridge0", "deletem", "tap50")
    assert kinds(lab) == ["stray-tap"]
    done(lab, "doctor", "repair", "--yes")
    assert kinds(lab) == []
    put(lab, "a", net_ifaces="-")
    assert kinds(lab) == ["nobodys-tap", "taken-tap"]
    put(lab, "a", net_ifaces="tap50")
    # The supervisor dies: a new one looks after the guest, which runs on.
    bhyve = record(lab, "a")["bhyve"]
    kill(record(lab, "a")["supervisor"])
    assert kinds(lab) == ["dead-supervisor"]
    done(lab, "doctor", "repair", "--yes")
    until(lambda: record(lab, "a")["supervisor"] != bhyve and kinds(lab) == [])
    assert alive(bhyve)
    # Its guest is no more, as far as names go.
    zfs(lab, "rename", f"{G}/a/.config", f"{G}/a/config")
    assert kinds(lab) == ["lost-guest", "no-guest", "nobodys-tap", "taken-tap"]
    zfs(lab, "rename", f"{G}/a/config", f"{G}/a/.config")
    kill(record(lab, "a")["supervisor"])
    (run(lab) / "a.json").unlink()
    assert kinds(lab) == ["lone-bhyve"]
    result = chyves(lab, "doctor", "repair", "--yes")
    assert alive(bhyve) and "left to you: a: process" in result.stderr
    done(lab, "a", "reclaim")
    assert kinds(lab) == []


@contextmanager
def held(lab: Lab, *names: str) -> Iterator[None]:
    """Another process holds locks of chyves."""
    text = (
        "import sys\nfrom pathlib import Path\nfrom chyves.host.locks import Locks\n"
        f"with Locks(Path({str(run(lab))!r})).hold(*{names!r}):\n    print(flush=True)\n    sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", text]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(lab)) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield


def test_what_another_chyves_is_doing_now_is_no_damage(house: House) -> None:
    lab = house.lab
    house.go_back("base")
    REPAIRED[-1].act(lab)
    zfs(lab, "create", "-p", f"{G}/.new/half/.config")
    zfs(lab, "create", "zroot/chyves/ISO/.new-x.iso")
    put(lab, "c", ram="much")
    with held(lab, "all", "iso.x.iso"):
        result = chyves(lab, "doctor", "-H")
        assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["invalid", "wrong-owner"]
        assert "is being changed by process" in result.stderr
    with held(lab, "iso.x.iso"):
        assert kinds(lab) == ["half-made", "invalid", "wrong-owner"]
    assert kinds(lab) == ["half-imported", "half-made", "invalid", "wrong-owner"]


def test_what_this_user_may_not_read_is_no_damage(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.go_back("base")
    hidden, may = place(house.lab, "a"), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != hidden and may(path, mode))
    found = look(Host.open(environment(house.lab)))
    assert (found.findings, found.hidden) == ([], 1)


def test_it_asks_as_often_for_many_guests_as_for_few(house: House, asked: list[str]) -> None:
    house.go_back("base")
    asked.clear()
    seen(house.lab)
    few = sorted(asked)
    done(house.lab, "e,f,g", "create", "64M")
    asked.clear()
    seen(house.lab)
    assert sorted(asked) == few == ["ifconfig", "pgrep", "zfs", "zfs", "zfs"]


KILLED_AT = ("half-made", "two-bridges", "spare-tap", "dead-supervisor")


def damage_some(lab: Lab) -> None:
    for damage in REPAIRED:
        if damage.kind in KILLED_AT:
            damage.act(lab)


KILLED = Operation(
    ("doctor", "repair", "--yes"), (), ("doctor", "repair", "--yes"), prepare=lambda house: damage_some(house.lab)
)


def test_a_repair_that_is_killed_at_any_step_is_finished_by_the_next(house: House) -> None:
    trial = Trial(house, "repair", KILLED)
    assert len(trial.steps) >= len(KILLED_AT)
    for fault in (Fault(1, BEFORE), *(Fault(nth, AFTER) for nth in range(1, len(trial.steps) + 1))):
        assert trial.count([fault]).lost == []
        assert kinds(house.lab) == []
    # One that fails is told, and keeps no other from being done.
    first = next(nth for nth, step in enumerate(trial.steps, 1) if step.startswith("zfs destroy"))
    result = trial.begin(Fault(first, REFUSE))
    mend(house.lab)
    assert (result.returncode, "the test refuses" in result.stderr) == (1, True)
    assert kinds(house.lab) == ["half-made"]


JOB = Path(__file__).parents[2] / "periodic/daily/415.chyves-doctor"


def job(lab: Lab, program: Path, enable: str) -> tuple[int, str]:
    """What the daily job says, and its status."""
    own = {"daily_chyves_doctor_enable": enable, "daily_chyves_doctor_program": str(program)}
    result = subprocess.run(["sh", JOB], env={**environment(lab), **own}, capture_output=True, text=True)
    assert result.stderr == ""
    return result.returncode, result.stdout


def test_the_daily_job_speaks_where_there_is_something_to_say(house: House, tmp_path: Path) -> None:
    lab, program, broken = house.lab, tmp_path / "chyves", tmp_path / "broken"
    program.write_text(f'#!/bin/sh\ncd {JOB.parents[2]} && exec {sys.executable} -m chyves "$@"\n')
    broken.write_text("#!/bin/sh\necho cannot; exit 75\n")
    program.chmod(0o755)
    broken.chmod(0o755)
    house.go_back("base")
    assert job(lab, program, "YES") == (0, "")
    ifconfig(lab, "tap90", "create", "group", "chyves")
    status, told = job(lab, program, "yes")
    assert status == 1 and "tap90 was made by chyves" in told
    assert job(lab, program, "NO") == (0, "")
    assert job(lab, program, "perhaps")[0] == 2
    assert job(lab, tmp_path / "missing", "YES")[0] == 2
    assert job(lab, broken, "YES")[0] == 3


WISHES = (
    "{new} create 64M",
    "{one} clone {new} -cu",
    "{one} clone {new} -iu",
    "{one} disk add 64M",
    "{one} snapshot",
    "{one} set cpu=2 description=some",
    "network {one} add tap",
    "{one} start",
    "{one} rename {new}",
    "{one} set loader=uefi uefi_console_output=vnc",
    "{one} delete force --yes",
    "{one} move tank",
)


@pytest.mark.parametrize("seed", (1,))
def test_whatever_is_made_of_a_house_leaves_nothing_to_find(house: House, seed: int) -> None:
    chance, lab = random.Random(seed), house.lab
    house.go_back("base")
    said = []
    for number in range(10):
        guests = [row["guest"] for row in json.loads(done(lab, "list", "--json"))["guests"]] or ["none"]
        line = chance.choice(WISHES).format(one=chance.choice(guests), new=f"n{number}")
        said.append((line, chyves(lab, *line.split()).returncode))
        assert kinds(lab) == [], said
    assert sum(status == 0 for _, status in said) > 4, said
    done(lab, "all", "stop", "force")
