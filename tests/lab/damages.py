"""What crashes and hands do to a host of chyves, each with the kind of finding that doctor makes of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chyves.doctor.kinds import Finding
from chyves.doctor.look import look
from chyves.host.machine import Host
from chyves.lab.place import Lab
from chyves.section import read_text, write_text
from tests.host_commands import environment, zfs

GONE = 4194303
"""A number that no process has."""


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
    Damage("spare-files", lambda lab: write(run(lab) / ".crashed.nobody", "crashed")),
    Damage("dead-session", lambda lab: write(lab.root / "var/spool/lock/LCK..nmdm50B", f"{GONE}\n")),
    Damage("loose-file", lambda lab: place(lab, "a").chmod(0o666)),
    Damage("open-secret", lambda lab: secret(lab)),
    Damage("wrong-owner", lambda lab: os.chown(place(lab, "c"), 1234, -1)),
)


def secret(lab: Lab) -> None:
    put(lab, "b", notes="the password=hunter2")
    place(lab, "b").parent.chmod(0o750)


def two_primaries(lab: Lab) -> None:
    put(lab, "zroot", dataset_promotion="1")
    put(lab, "tank", dataset_role="primary")


def run(lab: Lab) -> Path:
    return lab.root / "var/run/chyves"


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
