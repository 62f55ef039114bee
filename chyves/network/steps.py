"""What plans of the network are made of: interfaces as the host has them, and the steps that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chyves.vlans import Vlans

GROUP = "chyves"
"""The group of the interfaces that chyves makes, by which it knows them again: it destroys no other."""


class Existing(Protocol):
    """What the plan looks at in an interface of the host."""

    @property
    def mtu(self) -> int: ...
    @property
    def members(self) -> tuple[str, ...]: ...
    @property
    def opened_by(self) -> int | None: ...
    @property
    def description(self) -> str: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def addresses(self) -> tuple[str, ...]: ...
    @property
    def filters(self) -> bool | None: ...
    @property
    def default_vlan(self) -> int: ...
    @property
    def vlans(self) -> Mapping[str, Vlans]: ...


@dataclass(frozen=True)
class Step:
    """One change: `act` is a verb of the interfaces and its words, `back` what takes it back; either may be empty."""

    act: tuple[str, ...]
    back: tuple[str, ...] = ()
