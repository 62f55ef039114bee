"""Which host is worked on, and that finding it costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.host.machine import Host
from chyves.host.run import PLACES, DryRunner

HEAVY = "sh tabulate argcomplete argparse subprocess socket ssl urllib.request dataclasses logging json sqlite3".split()

OPENED = """
import os, sys
from chyves.host.machine import Host
host = Host.open(os.environ, dry="dry" in sys.argv)
host.path("/dev/nmdm50B"), host.privileged, host.run
print([name for name in sys.argv[1].split() if name in sys.modules])
"""


def directory(tmp_path: Path) -> Path:
    for name in ("bin", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "lab.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("words", [[], ["dry"]])
def test_opening_a_host_imports_nothing_heavy_and_runs_nothing(tmp_path: Path, words: list[str]) -> None:
    top = directory(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-S", "-c", OPENED, " ".join(HEAVY), *words],
        # Without site-packages: what a development tool loads at every start of Python is not ours.
        env={"CHYVES_LAB": str(top), "PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_a_directory_is_a_host(tmp_path: Path) -> None:
    top = directory(tmp_path)
    host = Host.open({"CHYVES_LAB": str(top), "PATH": "/elsewhere"})
    assert host.root == top / "root"
    assert host.path("/dev/nmdm50B") == top / "root" / "dev" / "nmdm50B"
    assert host.run.environ["PATH"] == f"{top}/bin:{PLACES}"
    assert not host.dry
    assert host.privileged


def test_a_relative_directory_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = directory(tmp_path)
    monkeypatch.chdir(top.parent)
    assert Host.open({"CHYVES_LAB": top.name}).root == top / "root"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_only_the_owner_of_the_directory_is_privileged(tmp_path: Path) -> None:
    host = Host.open({"CHYVES_LAB": str(directory(tmp_path))})
    os.chown(host.root, 1234, 1234)
    found = [host.privileged]
    with tempfile.TemporaryDirectory() as place:
        # The directories of pytest cannot be looked into by others.
        os.chmod(place, 0o755)
        host.root = host.root.rename(f"{place}/root")
        for user in (1234, 4321):
            os.seteuid(user)
            found.append(host.privileged)
            os.seteuid(0)
    assert found == [True, True, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_directory_that_cannot_be_looked_into_is_no_lab_and_no_privilege(tmp_path: Path) -> None:
    top = directory(tmp_path)
    host = Host.open({"CHYVES_LAB": str(top)})
    top.chmod(0o700)
    os.seteuid(4321)
    try:
        assert not host.privileged
        with pytest.raises(ChyvesError, match="is not a lab"):
            Host.open({"CHYVES_LAB": str(top)})
    finally:
        os.seteuid(0)


def test_a_directory_that_is_no_lab_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChyvesError) as caught:
        Host.open({"CHYVES_LAB": str(tmp_path)})
    assert str(caught.value) == f"{tmp_path}: is not a lab; make one with: chyves lab create {tmp_path}"


@pytest.mark.skipif(os.path.exists("/bin/freebsd-version"), reason="this is FreeBSD")
@pytest.mark.parametrize("lab", [{}, {"CHYVES_LAB": ""}])
def test_a_machine_that_is_not_freebsd_is_told_what_to_do(lab: dict[str, str]) -> None:
    with pytest.raises(ChyvesError) as caught:
        Host.open({"PATH": "/usr/bin:/bin", **lab})
    told = "this machine is not FreeBSD; make a host to try chyves on with: chyves lab create"
    assert str(caught.value) == told


@pytest.mark.skipif(os.path.exists("/bin/freebsd-version"), reason="this is FreeBSD")
def test_freebsd_is_found_by_its_program_and_keeps_the_path_that_found_it(tmp_path: Path) -> None:
    (tmp_path / "freebsd-version").write_text("#!/bin/sh\n")
    (tmp_path / "freebsd-version").chmod(0o755)
    host = Host.open({"PATH": f"{tmp_path}:/bin"})
    assert host.root == Path("/")
    assert host.path("/var/run/chyves") == Path("/var/run/chyves")
    assert host.run.environ["PATH"] == f"{tmp_path}:/bin:{PLACES}"
    assert host.privileged == (os.geteuid() == 0)


def test_a_dry_run_reaches_every_part(tmp_path: Path) -> None:
    host = Host.open({"CHYVES_LAB": str(directory(tmp_path))}, dry=True)
    assert host.dry
    assert isinstance(host.run, DryRunner)
    parts = (host.zfs, host.interfaces, host.kernel, host.processes)
    assert all(part.run is host.run for part in parts)
    with host.locks.hold("host"):
        host.log.write(host.root, 2, "x")
        host.files.write(host.root / "file", "x")
    assert list(host.root.iterdir()) == []
