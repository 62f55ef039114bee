"""Making the datasets of chyves on pools of a lab."""

from __future__ import annotations

import json
import re
import subprocess

from chyves.lab.place import Lab
from chyves.properties import DATASET_VERSION
from chyves.section import read_text
from tests.host_commands import (
    break_zfs,
    chyves,
    datasets,
    done,
    environment,
    everything,
    mend_zfs,
    second_pool,
    sentence,
    steps,
    zfs,
)

PRIMARY = ["", "/.config", "/Firmware", "/ISO", "/ISO/null.iso", "/guests", "/logs"]
SECONDARY = ["", "/.config", "/guests", "/logs"]


def timeless(state: dict[str, str]) -> dict[str, str]:
    """All but the file that has the time of its making in it."""
    return {name: what for name, what in state.items() if not name.endswith("/pool.cfg")}


def test_the_first_pool_is_the_primary_one(lab: Lab) -> None:
    done(lab, "dataset", lab.pool, "install")
    assert datasets(lab, f"{lab.pool}/chyves") == PRIMARY
    top = lab.root / "chyves" / lab.pool
    assert zfs(lab, "get", "-H", "-o", "value", "mountpoint", f"{lab.pool}/chyves").strip() == str(top)
    assert zfs(lab, "get", "-H", "-o", "value", "compression", f"{lab.pool}/chyves/logs").strip() == "on"
    properties = read_text((top / ".config/pool.cfg").read_text(), "pool.cfg")
    assert properties.pop("creation").startswith("Created on 2")
    assert properties == {"dataset_version": DATASET_VERSION, "dataset_role": "primary"}
    for name in (".config/global.cfg", "guests/.defaults", "ISO/null.iso/null.iso"):
        assert (top / name).read_text() == ""
        assert (top / name).stat().st_mode & 0o777 == 0o644


def test_further_pools_are_secondary(lab: Lab) -> None:
    tank = second_pool(lab)
    done(lab, "dataset", tank, "install")
    done(lab, "dataset", lab.pool, "install")
    assert datasets(lab, f"{tank}/chyves") == PRIMARY
    assert datasets(lab, f"{lab.pool}/chyves") == SECONDARY
    listed = [line.split("\t") for line in done(lab, "list", "pools", "-H").splitlines()]
    assert [line[:3] for line in listed] == [
        [tank, "primary", DATASET_VERSION],
        [lab.pool, "secondary", DATASET_VERSION],
    ]
    assert not (lab.root / "chyves" / lab.pool / ".config/global.cfg").exists()


def test_pools_as_json(lab: Lab) -> None:
    done(lab, "dataset", lab.pool, "install")
    (pool,) = json.loads(done(lab, "list", "pools", "--json"))["pools"]
    assert (pool["name"], pool["health"], pool["guests"]) == (lab.pool, "ONLINE", 0)
    assert pool["size"] > pool["free"] > 0


def test_no_pools(lab: Lab) -> None:
    assert done(lab, "list", "pools", "-H") == ""


def test_twice(lab: Lab) -> None:
    done(lab, "dataset", lab.pool, "install")
    assert sentence(lab, "dataset", lab.pool, "install") == (
        f"{lab.pool}: has datasets of chyves already, as the primary pool; see: chyves list pools"
    )


def test_a_pool_that_is_not_there(lab: Lab) -> None:
    told = sentence(lab, "dataset", lab.pool[:-1], "install")
    assert told.startswith(f"{lab.pool[:-1]}: there is no such pool (there are: {lab.pool});")


def test_names_that_are_none(lab: Lab) -> None:
    for name in ("", "-pool", "pool/chyves", "a b", "../zroot", "zroot@x", "x" * 300):
        assert sentence(lab, "dataset", name, "install", status=2)


def test_a_read_only_pool(lab: Lab) -> None:
    zfs(lab, "set", "readonly=on", lab.pool)
    assert sentence(lab, "dataset", lab.pool, "install").startswith(f"{lab.pool}: is read-only;")


def test_a_dataset_of_somebody_else(lab: Lab) -> None:
    zfs(lab, "create", f"{lab.pool}/chyves")
    assert "which chyves did not make" in sentence(lab, "dataset", lab.pool, "install")


def test_a_pool_that_was_put_offline(lab: Lab) -> None:
    zfs(lab, "create", f"{lab.pool}/chyves_offline")
    told = sentence(lab, "dataset", lab.pool, "install")
    assert told.endswith(f"chyves dataset {lab.pool} online")


def test_without_a_primary_pool(lab: Lab) -> None:
    """A primary pool that is away must not become one of two."""
    tank = second_pool(lab)
    done(lab, "dataset", tank, "install")
    done(lab, "dataset", lab.pool, "install")
    zfs(lab, "rename", f"{tank}/chyves", f"{tank}/chyves_offline")
    other = second_pool(lab, "other")
    done(lab, "dataset", other, "install")
    assert "dataset_role=secondary" in (lab.root / "chyves" / other / ".config/pool.cfg").read_text()


def test_two_that_say_they_are_primary_and_none_that_does(lab: Lab) -> None:
    """Of two, the one that became it later is; where that cannot be told, nothing is guessed."""
    tank = second_pool(lab)
    done(lab, "dataset", lab.pool, "install")
    done(lab, "dataset", tank, "install")
    file = lab.root / "chyves" / tank / ".config/pool.cfg"
    text = file.read_text()
    file.write_text(text.replace("secondary", "primary"))
    both = f"{tank} and {lab.pool} are both primary; choose one with: chyves dataset POOL promote"
    assert sentence(lab, "list") == sentence(lab, "a", "create") == both
    file.write_text(text.replace("secondary", "primary") + "dataset_promotion=1\n")
    assert done(lab, "list", "global", "-H").splitlines()[-1] == f"{tank}\tdataset_promotion\t1"
    assert "was the primary pool before" in chyves(lab, "a", "create", "64M").stderr
    assert "role=secondary" in (lab.root / "chyves" / lab.pool / ".config/pool.cfg").read_text()
    file.write_text(text)
    assert sentence(lab, "list").startswith(f"no pool of {tank}, {lab.pool} is primary; choose one")
    assert "begins with the properties that it had kept" in chyves(lab, "dataset", lab.pool, "promote").stderr
    assert done(lab, "list", "-H").startswith("a\t")


def test_a_pool_that_comes_back_is_not_primary_again(lab: Lab) -> None:
    tank = second_pool(lab)
    done(lab, "dataset", lab.pool, "install")
    done(lab, "dataset", lab.pool, "offline")
    done(lab, "dataset", tank, "install")
    done(lab, "dataset", lab.pool, "online")
    listed = [line.split("\t")[:2] for line in done(lab, "list", "pools", "-H").splitlines()]
    assert listed == [[tank, "primary"], [lab.pool, "secondary"]]


def test_a_role_of_offline_without_another_name(lab: Lab) -> None:
    """0.2.0 had offline as a role too."""
    tank = second_pool(lab)
    done(lab, "dataset", lab.pool, "install")
    done(lab, "dataset", tank, "install")
    done(lab, "a", "create", "64M", tank)
    file = lab.root / "chyves" / tank / ".config/pool.cfg"
    file.write_text(file.read_text().replace("secondary", "offline"))
    assert done(lab, "list", "-H") == ""
    assert f"{tank}\toffline" in done(lab, "list", "pools", "-H")
    done(lab, "dataset", tank, "online")
    assert done(lab, "list", "-H").startswith("a\t")


def test_a_dry_run_is_what_a_shell_could_do(lab: Lab) -> None:
    before = everything(lab)
    script = done(lab, "dataset", lab.pool, "install", "--dry-run")
    assert everything(lab) == before
    subprocess.run(["sh", "-e"], input=script, text=True, check=True, env=environment(lab), cwd="/")
    pasted = everything(lab)
    assert datasets(lab, f"{lab.pool}/chyves") == PRIMARY
    zfs(lab, "destroy", "-r", f"{lab.pool}/chyves")
    done(lab, "dataset", lab.pool, "install")
    assert timeless(everything(lab)) == timeless(pasted)


def install_with(lab: Lab, nth: int, fault: str) -> bool:
    """Install with a fault at a step; whether the step was reached."""
    break_zfs(lab, nth, fault)
    result = chyves(lab, "dataset", lab.pool, "install")
    reached = steps(lab) >= nth
    mend_zfs(lab)
    assert (result.returncode != 0) == reached, result.stderr
    if fault == "term" and reached:
        assert result.returncode == 128 + 15
    return reached


def test_a_refusal_at_any_step_leaves_nothing(lab: Lab) -> None:
    before, nth = everything(lab), 1
    while install_with(lab, nth, "refuse"):
        assert everything(lab) == before, nth
        nth += 1
    assert nth > 8
    assert datasets(lab, f"{lab.pool}/chyves") == PRIMARY


def test_killed_after_any_step_the_next_run_makes_it_whole(lab: Lab) -> None:
    before, nth = everything(lab), 1
    done(lab, "dataset", lab.pool, "install")
    whole = timeless(everything(lab))
    zfs(lab, "destroy", "-r", f"{lab.pool}/chyves")
    while install_with(lab, nth, "kill"):
        if f"{lab.pool}/chyves" not in everything(lab):
            assert done(lab, "list", "pools", "-H") == ""
            done(lab, "dataset", lab.pool, "install")
        assert timeless(everything(lab)) == whole, nth
        zfs(lab, "destroy", "-r", f"{lab.pool}/chyves")
        assert everything(lab) == before
        nth += 1
    assert nth > 8


def test_a_signal_takes_all_back(lab: Lab) -> None:
    before = everything(lab)
    assert install_with(lab, 3, "term")
    assert everything(lab) == before


def test_what_a_crash_left_is_not_destroyed_with_something_else_in_it(lab: Lab) -> None:
    break_zfs(lab, 4, "kill")
    chyves(lab, "dataset", lab.pool, "install")
    mend_zfs(lab)
    zfs(lab, "create", f"{lab.pool}/.chyves-new/precious")
    told = sentence(lab, "dataset", lab.pool, "install")
    assert re.search(r"holds \S+/precious, which chyves did not make", told)
