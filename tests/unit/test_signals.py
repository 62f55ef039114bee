"""A signal that comes while something is waited for."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from chyves.errors import ChyvesError, Interrupted
from chyves.host.signals import told


def test_a_signal_is_kept_by_nothing_that_stands_by_errors() -> None:
    said = r"^web1: no longer waited for \(SIGTERM\); it goes on$"
    with pytest.raises(Interrupted, match=said) as ended, told("web1", "it goes on"), suppress(ChyvesError):
        os.kill(os.getpid(), signal.SIGTERM)  # while an error would be passed over, as the journal does
    assert ended.value.status == 128 + signal.SIGTERM


def test_a_second_signal_changes_nothing_and_handlers_are_those_from_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(Interrupted, match="SIGINT"), told("web1", "it goes on"):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with told("web1", "it goes on"):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
