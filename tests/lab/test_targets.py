"""Targets on a lab: every command of several guests takes groups and the like, and finding them runs no program."""

from __future__ import annotations

import pytest

from chyves.command import Arg
from chyves.commands import COMMANDS
from chyves.host.machine import Host
from chyves.host.run import Runner
from chyves.lab.place import Lab
from chyves.pools.holdings import Holdings
from chyves.targets import part
from tests.host_commands import chyves, done, environment, second_pool
from tests.unit.test_commands_table import words

ROWS = [row for row in COMMANDS if any(isinstance(word, Arg) and word.check is part for word in row.words)]


def test_every_command_of_several_guests_looks_for_them_in_groups(lab: Lab) -> None:
    """None takes the word of a group for a name, or does anything before it knows whom it is about."""
    done(lab, "dataset", "zroot", "install")
    done(lab, "dataset", second_pool(lab), "install")
    done(lab, "web1", "create", "1G")
    assert len(ROWS) > 8
    for row in ROWS:
        line = [word if word != "web1" else ":none" for word in words(row, full=False)]
        assert ":none" in line
        said = chyves(lab, *line)
        assert (said.returncode, said.stdout, said.stderr) == (
            1,
            "",
            "chyves: :none: no guest is in this group; see: chyves list groups\n",
        ), line


def test_finding_guests_by_what_they_are_runs_no_program(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 14: what guests are is read with the two processes that list the datasets, however many there are."""
    done(lab, "dataset", "zroot", "install")
    done(lab, "web1,web2,db1,db2", "create", "1G")
    done(lab, "web1,web2", "set", "groups=web")
    host = Host.open(environment(lab))
    holdings = Holdings.read(host)
    ran: list[object] = []
    monkeypatch.setattr(Runner, "_ask", lambda *argv: ran.append(argv))
    found = holdings.find((":web+state=stopped", "cpu=1+pool=zroot", "db2"))
    assert ([holding.name for holding in found], ran) == (["web1", "web2", "db1", "db2"], [])
