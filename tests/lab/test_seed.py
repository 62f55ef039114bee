"""When the seed of a guest's cloud-init is made, and what is left of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done
from tests.lab.test_reboots import log, rebooted, written
from tests.torture.house import a_house, alive, until


@pytest.fixture
def lab() -> Iterator[Lab]:
    with a_house() as house:
        yield house.lab


def write(lab: Lab, text: str) -> Path:
    """Write user-data of guest a; the file."""
    below = lab.root / "chyves/zroot/guests/a/.cloud-init"
    below.mkdir(mode=0o700, exist_ok=True)
    (below / "user-data").write_text(text)
    return below / "user-data"


def test_complaint_7_a_seed_is_changed_later_and_counts_from_the_next_start(lab: Lab) -> None:
    """The guest's own reboots keep the image, a reload makes it anew, and nothing is left after a kill."""
    image = lab.root / "var/run/chyves/a/cloud-init/seed.iso"
    write(lab, "#!first\n")
    done(lab, "a", "set", "cloudinit=cd")
    done(lab, "a", "start")
    assert b"#!first" in image.read_bytes() and image.parent.stat().st_mode & 0o777 == 0o700
    own = write(lab, "no kind that cloud-init knows\n")
    rebooted(lab)
    assert b"#!first" in image.read_bytes()
    own.write_text("#!second\n")
    done(lab, "a", "reload")
    rebooted(lab)
    assert b"#!second" in image.read_bytes() and "properties are read again" in log(lab)
    state = written(lab)
    for pid in (state["supervisor"], state["bhyve"]):
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not alive(pid))  # type: ignore[misc]
    done(lab, "a", "reclaim")
    assert not image.parent.parent.exists()
    own.unlink()
    own.symlink_to("/etc/passwd")
    told = chyves(lab, "a", "start")
    assert told.returncode == 1 and f"{own}: is a link, which is not followed; put a file in its place" in told.stderr
    assert not image.exists()
