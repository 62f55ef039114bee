"""Sequences that hypothesis draws, carried out on two machines."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.zfs.differential.author import Author
from tests.zfs.differential.compare import Comparison
from tests.zfs.differential.lab_side import LabSide
from tests.zfs.differential.steps import Step
from tests.zfs.differential.words import BEGINNINGS


class Sequences(RuleBasedStateMachine):
    """A sequence: `opened` makes a new pool on both sides, `ended` is told how it came out.

    What differs is made small by leaving steps out, which is quicker than what hypothesis does to a state machine:
    so there is one rule, whose words come from numbers that are really random (and the same in each run).
    """

    opened: ClassVar[Callable[[], Comparison]]
    ended: ClassVar[Callable[[Comparison], None]]

    @initialize(random=st.randoms(use_true_random=True))
    def begin(self, random: Random) -> None:
        self.author = Author(random)
        self.comparison = type(self).opened()
        for step in self.author.pick(BEGINNINGS):
            self._do(step)

    @rule()
    def act(self) -> None:
        if not self.comparison.apart:
            self._do(self.author.next())

    def _do(self, step: Step) -> None:
        self.comparison.step(step)
        lab = self.comparison.lab
        assert isinstance(lab, LabSide)
        self.author.look([(name, kind) for name, _, kind in lab.rows()])

    def teardown(self) -> None:
        self.comparison.end()
        type(self).ended(self.comparison)
