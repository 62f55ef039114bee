"""The prompt of a guest on a terminal, as somebody types at it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pexpect
import pytest

from chyves.lab.place import Lab
from tests.host_commands import environment
from tests.lab.conftest import run_program

PATIENCE = 60


@pytest.fixture
def terminal(lab: Lab) -> Iterator[pexpect.spawn[str]]:
    """The prompt of web1, beside which there is web2."""
    here = {**environment(lab), "CHYVES_LAB_GUEST": "hollow", "TERM": "dumb", "INPUTRC": "/dev/null"}
    for words in ("dataset zroot install", "web1,web2 create 1G"):
        pexpect.run(f"{sys.executable} -m chyves {words}", env=here, timeout=PATIENCE)
    child = pexpect.spawn(
        sys.executable, ["-m", "chyves", "web1", "prompt"], env=here, timeout=PATIENCE, encoding="utf-8"
    )
    child.expect_exact("help explains, quit ends")
    child.expect_exact("web1> ")
    yield child
    child.close(force=True)
    run_program(lab, "bhyvectl", "--vm=chy-web1", "--destroy")


def test_lines_are_done_and_one_that_fails_does_not_end_it(terminal: pexpect.spawn[str]) -> None:
    terminal.sendline("set cpu=3")
    terminal.expect_exact("web1: cpu=3")
    terminal.expect_exact("web1> ")
    terminal.sendline("set cpu=many")
    terminal.expect_exact("chyves: web1: cpu: many is not possible")
    terminal.expect_exact("web1> ")
    terminal.sendline("web2 start")
    terminal.expect_exact("this is the prompt of web1")
    terminal.expect_exact("web1> ")
    terminal.sendline("get cpu")
    terminal.expect_exact("3\r\n")
    terminal.expect_exact("web1> ")
    terminal.sendline("quit")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0


def test_the_end_of_input_ends_it_and_an_interrupt_does_not(terminal: pexpect.spawn[str]) -> None:
    terminal.send("set cpu=")
    terminal.expect_exact("set cpu=")
    terminal.sendintr()
    terminal.expect_exact("web1> ")
    terminal.sendline("get cpu")
    terminal.expect_exact("1\r\n")
    terminal.expect_exact("web1> ")
    terminal.sendeof()
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0


def test_keys_complete_and_bring_lines_back(terminal: pexpect.spawn[str]) -> None:
    pytest.importorskip("readline")
    terminal.send("disk li\t")
    terminal.expect_exact("disk list ")
    terminal.sendline("")
    terminal.expect_exact("disk0")
    terminal.expect_exact("web1> ")
    terminal.sendline("\x1b[A")
    terminal.expect_exact("disk0")
    terminal.expect_exact("web1> ")


def test_an_interrupt_ends_a_command_and_not_the_prompt(terminal: pexpect.spawn[str]) -> None:
    terminal.sendline("delete")
    terminal.expect_exact("[y/N]")
    terminal.sendintr()
    terminal.expect_exact("web1> ")
    terminal.sendline("get cpu")
    terminal.expect_exact("1\r\n")
