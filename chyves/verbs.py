"""The methods of chyves.interface, made of the table of commands; chyves/verbs.pyi has their types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chyves.cli.calls import OWN, Call, calls

Rows = list[dict[str, Any]]
Stream = Any


class HostVerbs:
    """The commands that are about no guest, or make one."""


class GuestsVerbs:
    """The commands that are about guests."""


def _method(call: Call) -> Callable[..., object]:
    def method(self: Any, *words: object, **options: object) -> object:
        return self.do(call, words, options)

    method.__name__, method.__doc__ = call.name, call.row.doc
    return method


for _call in calls():
    if _call.target is None:
        setattr(HostVerbs, _call.name, _method(_call))
    elif _call.name not in OWN:
        setattr(GuestsVerbs, _call.name, _method(_call))
