"""The rc.d script as the host's boot and shutdown run it: make installs chyves on a lab, service(8) does the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.boot.bootsector.assemble import boot_sector
from tests.boot.guests import fill_disk, made_house, make
from tests.host_commands import done, environment

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="guests need QEMU")


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """A lab on which chyves is installed, with guests that boot in a moment."""
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no mount namespaces, and the script names FreeBSD's paths")
    with pytest.MonkeyPatch.context() as patch, made_house() as lab:
        patch.delenv("CHYVES_LAB_GUEST", raising=False)
        words = ["make", "-s", "install", "installrc", f"PYTHON={sys.executable}", f"DESTDIR={lab.root}"]
        subprocess.run(words, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        for guest, rcboot in {"web1": 50, "web10": 50, "db": 100, "old": 0}.items():
            make(lab, guest, f"rcboot={rcboot}", "ram=16M")
            fill_disk(lab, guest, boot_sector())
        yield lab


def service(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """What service(8) of the lab does with these words."""
    return subprocess.run(
        [lab.bin / "service", *words], env=environment(lab), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def running(lab: Lab) -> set[str]:
    return {row["guest"] for row in json.loads(done(lab, "list", "--json"))["guests"] if row["running"]}


def test_it_is_off_unless_it_is_switched_on(host: Lab) -> None:
    assert "chyves_enable" in service(host, "chyves", "start").stdout
    assert running(host) == set()


def test_boot_starts_what_rcboot_says_and_shutdown_stops_all(host: Lab) -> None:
    booted = service(host, "chyves", "onestart")
    assert booted.returncode == 0, booted.stderr
    up = [line for line in booted.stderr.splitlines() if line.endswith(": is up")]
    assert up == ["db: is up", "web1: is up", "web10: is up"]
    assert running(host) == {"db", "web1", "web10"}
    told = service(host, "chyves", "onestatus").stdout.splitlines()
    assert [line.split()[0] for line in told if "YES (" in line] == ["db", "web1", "web10"]
    down = service(host, "chyves", "onestop")
    assert down.returncode == 0, down.stderr
    assert running(host) == set()


def test_one_that_does_not_start_is_told_and_the_others_do(host: Lab) -> None:
    done(host, "db", "set", "ram=1000G")
    booted = service(host, "chyves", "onestart")
    assert booted.returncode == 1
    assert "db: ram: 1000G is more" in booted.stderr
    assert running(host) == {"web1", "web10"}
    done(host, "all", "stop", "force")
