"""What follows from the end of a bhyve: statuses, policies, crash loops, and clocks that cannot be moved."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chyves
from chyves.guests.policy import LONGEST, MOST, WINDOW, Act, Next, after, means
from chyves.properties import Guest

NAMES = ("on_reboot", "on_poweroff", "on_crash")


def guest(**properties: str) -> Guest:
    return Guest("web1", properties)


ENDS = [
    (0, "reboot", "on_reboot"),
    (1, "power-off", "on_poweroff"),
    (2, "halt", "on_poweroff"),
    (3, "triple fault", "on_crash"),
    (4, "error", "on_crash"),
    (5, "suspended", "on_poweroff"),
    (64, "error", "on_crash"),
    (71, "error", "on_crash"),
    (100, "error", "on_crash"),
    (-signal.SIGTERM, "signal 15", "on_poweroff"),
    (-signal.SIGABRT, "signal 6", "on_crash"),
    (-signal.SIGKILL, "signal 9", "on_crash"),
]


@pytest.mark.parametrize(("status", "told", "name"), ENDS)
def test_each_end_is_told_and_follows_one_policy(status: int, told: str, name: str) -> None:
    assert means(status) == told
    for which in NAMES:
        stopped = {other: "restart" for other in NAMES} | {which: "stop"}
        act = after(status, guest(**stopped), (), 100.0).act
        assert (act is Act.OFF) == (which == name), which


def test_what_says_nothing_of_it_is_as_in_chyves_0_2_0() -> None:
    """A reboot is followed, and after any other end the guest is off."""
    acts = {status: after(status, guest(), (), 100.0).act for status, _, _ in ENDS}
    assert {status for status, act in acts.items() if act is Act.BOOT} == {0}
    assert {status for status, act in acts.items() if act is Act.OFF} == {status for status, _, _ in ENDS if status}


LOOPS = [
    # Crashes at once: each further one waits twice as long, and the fifth is the last.
    ((0, 0, 0, 0, 0), "1 2 4 8 off"),
    # One each 100 seconds: never five in five minutes, so that it goes on, a minute apart at last.
    ((100,) * 9, "1 2 4 8 16 32 60 60 60"),
    # It ran for longer than five minutes, and that counts anew.
    ((0, 0, 400, 0, 0, 0, 0), "1 2 1 2 4 8 off"),
    # The fifth comes when the first is just too old, and then one more within the time.
    ((0, 75, 75, 75, 76, 0), "1 2 4 8 16 off"),
]


@pytest.mark.parametrize(("runs", "wanted"), LOOPS)
def test_complaint_2_a_crash_loop_is_slowed_and_given_up(runs: tuple[int, ...], wanted: str) -> None:
    """`runs` are the seconds that the guest ran before each crash, once its delay was over."""
    crashing, now, found = guest(on_crash="restart"), 1000.0, []
    crashes: tuple[float, ...] = ()
    for ran in runs:
        now += ran
        following = after(3, crashing, crashes, now)
        found.append(str(following.delay) if following.act is Act.BOOT else following.act.value)
        crashes = following.crashes
        now += following.delay
    assert " ".join(found) == wanted


def test_a_crash_is_told_with_its_number() -> None:
    crashing = guest(on_crash="restart")
    third = after(4, crashing, (100.0, 101.0), 103.0)
    assert (third.crash, third.why) == ("crashed (error), crash 3 of 5", "is booted again in 4 s (crash 3 of 5)")
    last = after(-6, crashing, (100.0, 101.0, 103.0, 107.0), 115.0)
    assert last.why == "crashed 5 times within 5 minutes (signal 6); it stays off"
    assert after(3, guest(), (), 1.0) == Next(Act.OFF, crash="crashed (triple fault)")
    kept = after(3, guest(on_crash="keep"), (), 1.0)
    assert (kept.act, kept.crash) == (Act.KEEP, "crashed (triple fault)")


TIMES = st.lists(st.floats(0, 10_000, allow_nan=False), max_size=12).map(sorted)


@given(TIMES, st.floats(0, 1000))
def test_a_guest_that_crashes_is_booted_again_within_a_minute_or_never(earlier: list[float], ran: float) -> None:
    now = (earlier[-1] if earlier else 0.0) + ran
    following = after(3, guest(on_crash="restart"), earlier, now)
    recent = [time for time in [*earlier, now] if now - time <= WINDOW]
    if following.act is Act.OFF:
        assert len(recent) >= MOST
    else:
        assert 1 <= following.delay <= LONGEST
        assert following.crashes[-1] == now and list(following.crashes) == sorted(following.crashes)
        assert len(following.crashes) <= 7  # more make no difference, and are not written down


@given(st.lists(st.floats(5000, 1e9), min_size=1, max_size=6))
def test_times_of_another_clock_count_for_nothing(earlier: list[float]) -> None:
    """Of a host that has been started anew, where what was written down should have gone."""
    assert after(3, guest(on_crash="restart"), earlier, 10.0) == after(3, guest(on_crash="restart"), (), 10.0)


def test_durations_are_measured_by_a_clock_that_nobody_sets() -> None:
    """The wall clock is only for what is shown and for files' names; time.time() is not asked at all."""
    top = Path(chyves.__file__).parent
    sources = [path for path in top.rglob("*.py") if "lab" not in path.relative_to(top).parts]
    assert len(sources) > 100
    asks = re.compile(r"\btime\.time(_ns)?\(|\bperf_counter|from time import|CLOCK_REALTIME|clock_gettime")
    assert [str(path) for path in sources if asks.search(path.read_text())] == []
