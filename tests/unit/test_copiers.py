"""Programs that copied for a command which was killed are waited for before what they write is destroyed."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from chyves.guests import leftovers
from chyves.host.machine import Host
from chyves.host.run import PLACES, Runner
from chyves.names import PROCESS

NEW = "zroot/chyves/guests/.new"


@pytest.mark.parametrize(
    ("words", "theirs"),
    [
        (("/sbin/zfs", "receive", "-x", "mountpoint", f"{NEW}/web1"), True),
        (("/sbin/zfs", "send", "-R", f"tank/chyves/guests/web1@{PROCESS}1"), True),
        (("zfs", "receive", f"{NEW}/web1"), True),
        (("/sbin/zfs", "receive", "zroot/backup/web1"), False),
        (("a program of /sbin/zfs", "receive", f"{NEW}/web1"), False),
        (("/sbin/zfs", "receive", "zroot/chyves/guests/xnew/web1"), False),
    ],
)
def test_a_copier_is_known_also_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], theirs: bool
) -> None:
    """As chyves starts it: ps and pgrep show the path of the file then."""
    monkeypatch.setattr(leftovers, "PATIENCE", 0.1)
    (tmp_path / words[1]).write_text("read line\n")
    copier = subprocess.Popen(words, executable="/bin/sh", cwd=tmp_path, stdin=subprocess.PIPE)
    try:
        leftovers._await_copiers(Host(tmp_path, Runner({}, PLACES)), NEW)
        assert copier.poll() == (None if not theirs else -signal.SIGKILL)
    finally:
        copier.kill()
        copier.communicate()
