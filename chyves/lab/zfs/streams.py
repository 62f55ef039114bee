"""`zfs send` and `zfs receive`, which the lab does not have."""

from __future__ import annotations

from collections.abc import Sequence

from chyves.lab.zfs.refusals import Refused
from chyves.lab.zfs.state import State


def send(state: State, words: Sequence[str]) -> int:
    """Refuse."""
    raise Refused("cannot send: the lab's zfs cannot send yet; copy the files of a snapshot instead")


def receive(state: State, words: Sequence[str]) -> int:
    """Refuse."""
    raise Refused("cannot receive: the lab's zfs cannot receive yet; create the dataset and copy files into it instead")
