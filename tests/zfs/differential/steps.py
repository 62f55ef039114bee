"""What a sequence is made of: command lines, and what programs do to the datasets meanwhile."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import NamedTuple, Protocol

Said = tuple[int, str, str]
WHOLE = 1.0


class Side(Protocol):
    """A machine whose zfs is compared: the lab, or one with real OpenZFS."""

    prefix: str

    def reset(self, size: int) -> None: ...
    def run(self, words: list[str]) -> Said: ...
    def patient(self, words: list[str]) -> Said: ...
    def pipe(self, send: list[str], receive: list[str], part: float) -> list[Said]: ...
    def resume(self, dataset: str, receive: list[str]) -> list[Said]: ...
    def write(self, dataset: str, name: str, seed: int, size: int) -> str: ...
    def sit(self, dataset: str) -> str: ...
    def rise(self) -> None: ...
    def contents(self) -> dict[str, dict[str, str] | str]: ...


class Run(NamedTuple):
    """A command line; `shown` when what it prints has to be the same, apart from numbers where those are `measured`."""

    words: tuple[str, ...]
    shown: bool = False
    measured: bool = False

    def __str__(self) -> str:
        return shlex.join(self.words)

    def do(self, side: Side, patient: bool = False) -> list[Said]:
        return [(side.patient if patient else side.run)(list(self.words))]


class Pipe(NamedTuple):
    """What one command sends and another receives; of the stream the beginning alone when `part` is below 1."""

    send: tuple[str, ...]
    receive: tuple[str, ...]
    part: float = WHOLE

    def __str__(self) -> str:
        cut = "" if self.part == WHOLE else f"head -c {self.part:.0%} | "
        return f"{shlex.join(self.send)} | {cut}{shlex.join(self.receive)}"

    def do(self, side: Side, patient: bool = False) -> list[Said]:
        return side.pipe(list(self.send), list(self.receive), self.part)


class Resume(NamedTuple):
    """The rest of a stream that was cut off, by the token of what has received its beginning."""

    dataset: str
    receive: tuple[str, ...]

    def __str__(self) -> str:
        token = f"$(zfs get -H -o value receive_resume_token {shlex.quote(self.dataset)})"
        return f"zfs send -t {token} | {shlex.join(self.receive)}"

    def do(self, side: Side, patient: bool = False) -> list[Said]:
        return side.resume(self.dataset, list(self.receive))


class Write(NamedTuple):
    """Bytes for a file of a file system that is mounted, or for the beginning of a volume."""

    dataset: str
    name: str
    seed: int
    size: int

    def __str__(self) -> str:
        return f"# write {self.size} bytes (seed {self.seed}) to {self.name} in {self.dataset}"

    def do(self, side: Side, patient: bool = False) -> list[Said]:
        return [(0, side.write(*self), "")]


class Sit(NamedTuple):
    """A process that works in a file system, or has a volume open."""

    dataset: str

    def __str__(self) -> str:
        return f"# a process works in {self.dataset} from now on"

    def do(self, side: Side, patient: bool = False) -> list[Said]:
        return [(0, side.sit(self.dataset), "")]


class Rise(NamedTuple):
    """The end of all such processes."""

    def __str__(self) -> str:
        return "# those processes end"

    def do(self, side: Side, patient: bool = False) -> list[Said]:
        side.rise()
        return []


Step = Run | Pipe | Resume | Write | Sit | Rise
_KINDS: dict[str, Callable[..., Step]] = {kind.__name__: kind for kind in (Run, Pipe, Resume, Write, Sit, Rise)}


def loaded(line: str) -> Step:
    """A step of a line of JSON: its kind, then its fields."""
    kind, *fields = json.loads(line)
    step: Step = _KINDS[kind](*(tuple(one) if isinstance(one, list) else one for one in fields))
    return step
