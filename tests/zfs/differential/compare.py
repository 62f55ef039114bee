"""The same sequence on two machines, and the first step at which they do not agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.zfs.differential.kinds import kinds
from tests.zfs.differential.steps import Pipe, Rise, Run, Said, Side, Step

SIZE = 1 << 30
# What Linux makes of a mountpoint that a rollback of the file system above it has taken away: nothing to compare with.
# Neither is its refusal to change the mount of what was renamed with -u, and is mounted at its old place.
_ODD = re.compile(r"failed to create mountpoint: File exists|cannot mount '.*': Invalid argument")
# What every machine has its own of: sizes as its blocks make them, times, numbers that are drawn, what a platform adds.
_OWN = {
    *("used", "available", "referenced", "compressratio", "refcompressratio", "written", "logicalused"),
    *("usedbysnapshots", "usedbydataset", "usedbychildren", "usedbyrefreservation", "logicalreferenced"),
    *("creation", "createtxg", "guid", "objsetid", "snapshots_changed", "version", "receive_resume_token"),
    *("jailed", "zoned", "acltype", "aclmode", "mlslabel", "context", "fscontext", "defcontext", "rootcontext"),
    *("relatime", "vscan", "nbmand", "devices", "xattr", "dnodesize", "volmode", "encryption", "keyformat"),
}
_NUMBER = re.compile(r"(?<![\w.@#/-])\d+(?:\.\d+)?[KMGTPE]?B?(?![\w.@#/-])")
# A listing's heading and the test's own pool: the machine may have others.
_OURS = re.compile(r"[A-Z]{4}|(^|\s)tank($|[\s/@#])")
_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w+ +\d+ +\d+:\d+ \d{4}")


class Difference(NamedTuple):
    """A step, or (None) the picture after a sequence, with what the lab and the real zfs had to say."""

    step: Step | None
    lab: str
    real: str

    def __str__(self) -> str:
        return f"{self.step or 'what is there'}\n--- the lab's:\n{self.lab}\n--- the real one:\n{self.real}"

    def key(self) -> str:
        """What is the same for sequences that show the same fault."""
        if self.step is not None:
            return _shape(self.step, self.lab, self.real)
        return " ".join(sorted({line.split(": ")[0].split(" ")[1] for line in self.lab.splitlines()}))


def _shape(step: Step, lab: str, real: str) -> str:
    words = step.words if isinstance(step, Run) else (type(step).__name__,)
    heads = [word for word in words if word[:1] == "-" or word in words[:2]]
    return " ".join([*heads, "|", re.sub(r"tank[\w/@#.%,-]*", "X", f"{lab} / {real}")])


def told(step: Step, said: Sequence[Said], prefix: str) -> str:
    """What has to be the same of the answers to a step."""
    answers = []
    for status, out, err in said:
        shown = out.replace(prefix, "") if not isinstance(step, Run) or step.shown else ""
        if isinstance(step, Run) and step.measured:
            shown = _NUMBER.sub("#", _DATE.sub("DATE", shown))
        shown = re.sub(r" +", " ", shown)  # columns are as wide as the names of directories
        if isinstance(step, Run) and step.words[1:2] == ("list",):
            shown = "\n".join(line.rstrip(" ") for line in shown.splitlines() if _OURS.search(line))
        if isinstance(step, Run) and (step.words[1:2] == ("destroy",) or "all" in step.words):
            shown = "\n".join(sorted(set(shown.splitlines())))  # in an order, and some twice, as no manual says
        if isinstance(step, Pipe):
            shown = "\n".join(line for line in shown.splitlines() if not line.startswith("received "))
        answers.append(f"{status} {kinds(status, err, prefix)} {shown}".rstrip())
    return "\n".join(answers)


def picture(side: Side) -> dict[str, str]:
    """All that is on a machine: every property of every dataset, and the contents."""
    status, out, err = side.run(["zfs", "get", "-Hp", "-r", "-o", "name,property,value,received,source", "all", "tank"])
    if status:
        return {"get": err}
    found: dict[str, str] = {}
    for line in out.replace(side.prefix, "").splitlines():
        name, prop, *rest = line.split("\t")
        if prop not in _OWN:
            found[f"{name} {prop}"] = " ".join(rest)
    for name, inside in side.contents().items():
        found[f"{name} holds"] = str(sorted(inside.items()) if isinstance(inside, dict) else inside)
    return found


def differ(here: dict[str, str], there: dict[str, str]) -> Difference | None:
    """Where two pictures are not the same."""
    wrong = [key for key in {**here, **there} if _unlike(key, here, there)]
    names = {key.split(" ")[0] for key in here} ^ {key.split(" ")[0] for key in there}
    if names:
        wrong = [key for key in wrong if key.split(" ")[0] in names and key.endswith(" type")]
    return Difference(None, _lines(wrong, here), _lines(wrong, there)) if wrong else None


def _unlike(key: str, here: dict[str, str], there: dict[str, str]) -> bool:
    """Whether a line of two pictures says something else; a volume's device may be late, and mount options stay."""
    mine, other = here.get(key), there.get(key)
    if key.endswith(" clones") and mine and other:
        return sorted(mine.split(" ")[0].split(",")) != sorted(other.split(" ")[0].split(","))
    late = key.endswith(" holds") and (mine is None or other is None)
    return mine != other and not late and "temporary" not in f"{mine} {other}"


def _lines(wrong: Sequence[str], known: dict[str, str]) -> str:
    return "\n".join(f"{key}: {known.get(key, 'is not there')}" for key in wrong)


class Comparison:
    """Two machines that go through the same steps, until they differ in what has become of them."""

    def __init__(self, lab: Side, real: Side) -> None:
        self.lab, self.real = lab, real
        self.done: list[Step] = []
        self.differences: list[tuple[Difference, list[Step]]] = []
        self.apart = False
        lab.reset(SIZE)
        real.reset(SIZE)

    def step(self, step: Step) -> None:
        """Do a step on both, unless they are no longer the same."""
        if self.apart:
            return
        self.done.append(step)
        lab_said = step.do(self.lab)
        lab = told(step, lab_said, self.lab.prefix)
        real_said = step.do(self.real, patient="busy" not in lab)
        real = told(step, real_said, self.real.prefix)
        if any(_ODD.search(said[2]) for said in real_said):
            self.apart = True
        elif lab != real:
            self._differ(Difference(step, lab, real))
            self.apart = [not said[0] for said in lab_said] != [not said[0] for said in real_said]

    def end(self) -> None:
        """Compare all that is there."""
        if self.apart:
            return
        Rise().do(self.lab)
        Rise().do(self.real)
        difference = differ(picture(self.lab), picture(self.real))
        if difference:
            self._differ(difference)

    def _differ(self, difference: Difference) -> None:
        self.differences.append((difference, list(self.done)))


def replay(steps: Sequence[Step], lab: Side, real: Side) -> list[Difference]:
    """The differences in a sequence."""
    comparison = Comparison(lab, real)
    for step in steps:
        comparison.step(step)
    comparison.end()
    return [difference for difference, _ in comparison.differences]


def minimized(steps: Sequence[Step], shows: Callable[[Sequence[Step]], bool], tries: int) -> list[Step]:
    """As few of the steps as still show what they showed: parts of half the length are left out, then of a quarter.

    No more than `tries` sequences are tried for that.
    """
    kept, length = list(steps), max(1, len(steps) // 2)
    while length:
        at = len(kept) - length
        while at >= 0 and tries:
            tries -= 1
            fewer = kept[:at] + kept[at + length :]
            if shows(fewer):
                kept = fewer
            at -= length
        length //= 2
    return kept
