"""doctor on a lab: each kind of finding is made by hand and seen, alone; then repaired, or mended as it is told."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chyves.doctor.kinds import KINDS, Finding
from chyves.doctor.look import look
from chyves.host.machine import Host
from chyves.host.run import Runner
from chyves.lab.place import Lab
from chyves.section import read_text, write_text
from tests.host_commands import chyves, done, environment, everything, second_pool, zfs
from tests.lab.faulty_house import House, a_house, alive, kill, state, until
from tests.lab.trial import Operation, Trial

GONE = 4194303
"""A number that no process has."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Guests a to d, of which none runs, and a second pool."""
    with a_house() as made:
        done(made.lab, "c,d", "create", "64M")
        done(made.lab, "dataset", second_pool(made.lab), "install")
        made.keep("base")
        yield made


def seen(lab: Lab) -> list[Finding]:
    return look(Host.open(environment(lab))).findings


def kinds(lab: Lab) -> list[str]:
    return sorted(finding.kind.name for finding in seen(lab))


def place(lab: Lab, owner: str) -> Path:
    """The file of somebody's properties."""
    top = lab.root / "chyves/zroot"
    known = {
        "global": top / ".config/global.cfg",
        "zroot": top / ".config/pool.cfg",
        "tank": lab.root / "chyves/tank/.config/pool.cfg",
    }
    return known.get(owner) or top / f"guests/{owner}/.config/.cfg"


def properties(lab: Lab, owner: str) -> dict[str, str]:
    return read_text(place(lab, owner).read_text(), owner)


def put(lab: Lab, owner: str, **texts: str) -> None:
    """Write properties as an editor does."""
    place(lab, owner).write_text(write_text({**properties(lab, owner), **texts}))


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def ifconfig(lab: Lab, *words: str) -> None:
    subprocess.run([lab.bin / "ifconfig", *words], check=True, capture_output=True)


class Damage(NamedTuple):
    """What a crash, or somebody's hand, does; the kind of finding that it is."""

    kind: str
    act: Callable[[Lab], object]


G = "zroot/chyves/guests"
REPAIRED = (
    Damage("half-deleted", lambda lab: zfs(lab, "create", "-p", f"{G}/.old/gone")),
    Damage("half-moved", lambda lab: zfs(lab, "set", "chyves:moving=1234", f"{G}/c")),
    Damage("half-installed", lambda lab: zfs(lab, "create", "tank/.chyves-new")),
    Damage("half-uninstalled", lambda lab: zfs(lab, "create", "tank/.chyves-old")),
    Damage("half-imported", lambda lab: zfs(lab, "create", "zroot/chyves/ISO/.new-x.iso")),
    Damage("half-dropped", lambda lab: zfs(lab, "create", "zroot/chyves/ISO/.old-y.iso")),
    Damage("half-renamed", lambda lab: write(place(lab, "a").with_name(".was-old"), "")),
    Damage("half-changed", lambda lab: write(run(lab) / "network.unfinished", '{"interfaces": [], "bridges": []}')),
    Damage("half-written", lambda lab: write(place(lab, "a").with_name("..cfg.77.new"), "cpu=")),
    Damage("not-mounted", lambda lab: zfs(lab, "unmount", f"{G}/a/img")),
    Damage("spare-snapshot", lambda lab: zfs(lab, "snapshot", f"{G}/a/disk0@chyves-clone-process-1")),
    Damage("half-made", lambda lab: zfs(lab, "create", "-p", f"{G}/.new/half/.config")),
    Damage("open-template", lambda lab: put(lab, "d", template="yes")),
    Damage("unplaced-disk", lambda lab: zfs(lab, "create", "-V", "64M", f"{G}/b/disk1")),
    Damage("missing-disk", lambda lab: put(lab, "b", virtio_block_options_disk7="ro")),
    Damage("two-primaries", lambda lab: two_primaries(lab)),
    Damage("two-bridges", lambda lab: put(lab, "global", bridge9_tap_members="tap50", bridge9_phy_attach="private")),
    Damage("spare-tap", lambda lab: ifconfig(lab, "tap90", "create", "group", "chyves")),
    Damage("spare-bridge", lambda lab: ifconfig(lab, "bridge90", "create", "group", "chyves")),
    Damage("dead-vmm", lambda lab: write(lab.root / "dev/vmm/chy-b", "")),
    Damage("dead-supervisor", lambda lab: write(run(lab) / "a.json", json.dumps({"supervisor": GONE}))),
    Damage("bad-record", lambda lab: write(run(lab) / "c.json", "{")),
    Damage("spare-files", lambda lab: write(run(lab) / "d/device.map", "")),
    Damage("dead-session", lambda lab: write(lab.root / "var/spool/lock/LCK..nmdm50B", f"{GONE}\n")),
    Damage("loose-file", lambda lab: place(lab, "a").chmod(0o666)),
    Damage("wrong-owner", lambda lab: os.chown(place(lab, "c"), 1234, -1)),
)


def two_primaries(lab: Lab) -> None:
    put(lab, "zroot", dataset_promotion="1")
    put(lab, "tank", dataset_role="primary")


def run(lab: Lab) -> Path:
    return lab.root / "var/run/chyves"


def test_what_can_be_repaired_is_seen_told_and_repaired(house: House) -> None:
    if os.geteuid():
        pytest.skip("a file can be given away by root only")
    lab = house.lab
    house.go_back("base")
    before = state(lab)
    known: list[str] = []
    for damage in REPAIRED:
        damage.act(lab)
        now = kinds(lab)
        assert sorted([*known, damage.kind]) == now
        known = now
    damaged = state(lab)
    result = chyves(lab, "doctor", "repair")
    assert (result.returncode, "there is no terminal to ask on" in result.stderr) == (1, True)
    assert kinds(lab) == known, "nothing is done unasked"
    planned = chyves(lab, "doctor", "repair", "--dry-run")
    assert planned.returncode == 0 and kinds(lab) == known
    assert state(lab) == damaged, "it was only looked at"
    result = chyves(lab, "doctor", "repair", "--yes")
    assert result.returncode == 0, result.stderr
    assert kinds(lab) == []
    assert chyves(lab, "doctor").returncode == 0
    after = state(lab)
    # All is as before but what was to be kept: the volume, and what is a template now.
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert {name for name in changed if "/guests/d" not in name} == {
        f"{G}/b/disk1",
        "chyves/zroot/guests/b/.config/.cfg",
        "chyves/zroot/.config/global.cfg",
        "chyves/zroot/.config/pool.cfg",
    }
    assert properties(lab, "global")["bridge0_tap_members"] == "tap50,tap51,tap52,tap53"
    assert "disk1=" in properties(lab, "b")["pci_slots"]


def one_port(lab: Lab) -> None:
    for guest in "ab":
        put(lab, guest, uefi_vnc_port="5900")


def same_as(other: str, name: str, own: str = "") -> Callable[[Lab], object]:
    """Give b what another guest has."""
    return lambda lab: put(lab, "b", **{own or name: properties(lab, other)[name]})


def clone_of_nobody(lab: Lab) -> None:
    zfs(lab, "snapshot", f"{G}/what@x")
    zfs(lab, "clone", f"{G}/what@x", f"{G}/c/extra")


TOLD = (
    Damage("no-guest", lambda lab: zfs(lab, "create", f"{G}/what")),
    Damage("lost-parent", clone_of_nobody),
    Damage("bad-name", lambda lab: zfs(lab, "rename", f"{G}/d", f"{G}/reset")),
    Damage("no-mountpoint", lambda lab: zfs(lab, "set", "mountpoint=none", f"{G}/a/img")),
    Damage("closed-guest", lambda lab: zfs(lab, "set", "readonly=on", f"{G}/c/disk0")),
    Damage("stray-volume", lambda lab: zfs(lab, "create", "-V", "64M", f"{G}/c/data")),
    Damage("words-of-disk", lambda lab: put(lab, "c", disk7_notes="old")),
    Damage("unknown", lambda lab: put(lab, "c", colour="red")),
    Damage("unknown", lambda lab: put(lab, "global", colour="red")),
    Damage("unknown", lambda lab: put(lab, "tank", colour="red")),
    Damage("invalid", lambda lab: put(lab, "c", ram="much")),
    Damage("invalid", lambda lab: put(lab, "global", stdout_level="9")),
    Damage("newer", lambda lab: put(lab, "c", chyves_guest_version="9999")),
    Damage("missing-firmware", lambda lab: put(lab, "c", uefi_firmware="none.fd")),
    Damage("missing-snapshot", lambda lab: put(lab, "c", revert_to_snapshot="@no", revert_to_snapshot_method="start")),
    Damage("missing-guest", lambda lab: put(lab, "c", rcboot_after="nobody")),
    Damage("shared-uuid", same_as("a", "uuid")),
    Damage("shared-mac", same_as("a", "tap50_mac", "tap51_mac")),
    Damage("shared-serial", same_as("a", "serial")),
    Damage("shared-port", lambda lab: one_port(lab)),
    Damage("shared-tap", lambda lab: put(lab, "b", net_ifaces="tap51,tap50")),
    Damage("nobodys-tap", lambda lab: put(lab, "global", bridge0_tap_members="tap50,tap51,tap52,tap53,tap300")),
    Damage("no-bridge", lambda lab: put(lab, "global", bridge0_tap_members="tap50,tap51,tap53,tap300")),
    Damage("shared-uplink", lambda lab: put(lab, "global", bridge5_phy_attach="em0", bridge6_phy_attach="em0")),
    Damage("missing-uplink", lambda lab: put(lab, "global", bridge7_phy_attach="em9")),
    Damage("unreadable", lambda lab: write(place(lab, "a"), "nonsense\n")),
)


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


LIVE = {"stray-tap", "taken-tap", "lone-bhyve", "lost-guest"}
"""What is of guests that run, see below."""


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
    done(lab, "doctor", "repair", "--yes")
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


def test_it_asks_as_often_for_many_guests_as_for_few(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.go_back("base")
    asked: list[str] = []
    ask = Runner._ask

    def counting(self: Runner, argv: Sequence[str], timeout: float) -> tuple[int, str, str]:
        asked.append(argv[0])
        return ask(self, argv, timeout)

    monkeypatch.setattr(Runner, "_ask", counting)
    seen(house.lab)
    few = sorted(asked)
    done(house.lab, "e,f,g", "create", "64M")
    asked.clear()
    seen(house.lab)
    assert sorted(asked) == few == ["ifconfig", "pgrep", "zfs", "zfs", "zfs", "zfs"]


KILLED_AT = ("half-made", "two-bridges", "spare-tap", "dead-supervisor")


def damage_some(lab: Lab) -> None:
    for damage in REPAIRED:
        if damage.kind in KILLED_AT:
            damage.act(lab)


KILLED = Operation(("doctor", "repair", "--yes"), (), ("doctor", "repair", "--yes"), prepare=damage_some)


def test_a_repair_that_is_killed_at_any_step_is_finished_by_the_next(house: House) -> None:
    trial = Trial(house, "repair", KILLED)
    assert len(trial.commands) + trial.writes >= len(KILLED_AT)
    for nth in range(1, len(trial.commands) + 1):
        trial.kill(nth, 0, "after")
        assert kinds(house.lab) == []
    for nth in range(1, trial.writes + 1):
        trial.kill(0, nth, "before")
        assert kinds(house.lab) == []
    # One that fails is told, and keeps no other from being done.
    result = trial.run(1, 0, "refuse")
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
