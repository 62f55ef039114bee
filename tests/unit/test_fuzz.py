"""Input that nobody would write: a seeded part of `make fuzz`, and what it found, each as a plain example."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from chyves.errors import ChyvesError
from chyves.host.processes import Processes
from chyves.masking import holds_secret, masked
from chyves.section import BadFile, read_text
from fuzz.answers import Answers
from fuzz.cases import Target, spoken
from fuzz.run import Part, table
from fuzz.targets import TARGETS
from fuzz.trials import Trial, by_hypothesis

CASES = 700


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_but_errors_of_chyves_comes_out(target: Target) -> None:
    trial = by_hypothesis(target.check, CASES, seed=1)
    assert (trial.failed, trial.cases >= CASES) == ({}, True)


def test_a_fault_is_found_and_makes_the_run_fail() -> None:
    """With a fault planted, the same cases find it: the property that a file which was read can be written again."""

    def check(case: bytes) -> None:
        assert "web1" not in spoken(case, ("web1", "="))

    trial = by_hypothesis(check, CASES, seed=1)
    assert list(trial.failed) == [f"AssertionError in {Path(__file__).name}, line {check.__code__.co_firstlineno + 1}"]
    told = table([Part("planted", "hypothesis", trial.cases, trial.failed)]).splitlines()
    assert told[1].split() == ["planted", str(trial.cases), "nothing", "1"] and told[3].startswith("planted: Assert")


def test_the_shortest_case_of_a_fault_is_kept() -> None:
    trial = Trial()
    for case in (b"12345", b"1", b"123"):
        trial.case(lambda case: print(case[9]), case)
    assert trial.cases == 3 and list(trial.failed.values()) == ["index out of range: b'1'"]


@pytest.mark.parametrize("text", ["notes=a\rb\n", "notes=a\r\r\n", "notes=\r\r\n"])
def test_a_return_within_a_line_is_refused_as_it_could_not_be_written_again(text: str) -> None:
    with pytest.raises(BadFile, match="file: line 1 is not name=value"):
        read_text(text, "file")


@pytest.mark.parametrize("said", ["1", "1 2", "x 0:00.01 5 bhyve", "1 0:0x 5 bhyve", "1 inf 5 bhyve", "-1 0:1 5 bhyve"])
def test_a_ps_that_answers_otherwise_is_told(said: str) -> None:
    with pytest.raises(ChyvesError, match=r"ps: answered .*, which is not understood; run it by hand"):
        Processes(Answers(f"{said}\n")).usage((1,))


@pytest.mark.parametrize("said", ["-5", "1_0", "\N{ARABIC-INDIC DIGIT THREE}", "one"])
def test_a_pgrep_that_answers_otherwise_is_told(said: str) -> None:
    with pytest.raises(ChyvesError, match=r"pgrep: answered .*, which is not understood; run it by hand"):
        Processes(Answers(f"1234\n{said}\n")).find("bhyve: chy-web1")


@pytest.mark.parametrize("part", ["a", "a-", "--", "+.", "passwd", "://", "-password "])
def test_masking_a_long_word_takes_its_length_and_not_the_square_of_it(part: str) -> None:
    """A line of 16,000 characters in a log took 40 s of the processor."""

    def used(length: int) -> float:
        begin = time.process_time()
        masked((part * length)[:length])
        return time.process_time() - begin

    assert used(32_000) < 32 * used(2_000) + 1


def test_a_secret_is_known_in_all_forms_that_files_have() -> None:
    for text in ("uefi_vnc_password=Qx7eLm2k", '{"uefi_vnc_password": "Qx7eLm2k"}', "fbuf,tcp=1.2.3.4:5900,password=x"):
        assert holds_secret(text), text
    for text in ("uefi_vnc_password=\nuuid=1", "cpu=1\nnotes=-\n", "uefi_vnc_port=5900"):
        assert not holds_secret(text), text
