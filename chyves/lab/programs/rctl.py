"""rctl(8): keeps rules of resource limits, which a lab does not enforce."""

from __future__ import annotations

import getopt
import re
import sys

from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab
from chyves.lab.processes import processes

USAGE = """\
usage: rctl [-h] [-n] [filter]
       rctl -a rule
       rctl -l [-h] [-n] filter
       rctl -r filter
       rctl -u [-h] filter"""
DISABLED = "rctl: RACCT/RCTL present, but disabled; enable using kern.racct.enable=1 tunable"
RULE = re.compile(r"(process|user|loginclass|jail):([^:]*):([a-z]+):([a-z0-9]+)=[0-9]+[kmgtKMGT]?(/[a-z]+)?")
RATES = frozenset(("readbps", "writebps", "readiops", "writeiops"))
NOT_DENIED = RATES | {"cputime", "wallclock"}
RESOURCES = NOT_DENIED | set(
    "datasize stacksize coredumpsize memoryuse memorylocked maxproc openfiles vmemoryuse pseudoterminals swapuse nthr "
    "msgqqueued msgqsize nmsgq nsem nsemop nshm shmsize pcpu".split()
)
SIGNALS = re.compile(r"sig[a-z0-9]+|log|devctl")


def main(lab: Lab, argv: list[str]) -> int:
    """Run rctl(8): -a adds, -r removes, nothing or a filter lists; refused unless kern.racct.enable is 1."""
    try:
        options, words = getopt.getopt(argv, "ahlnru")
    except getopt.GetoptError as error:
        print(f"rctl: illegal option -- {error.opt}\n{USAGE}", file=sys.stderr)
        return 1
    with Kernel(lab) as kernel:
        if kernel.sysctl("kern.racct.enable") != "1":
            print(DISABLED, file=sys.stderr)
            return 1
    asked = {option for option, _ in options}
    if asked & {"-a", "-r", "-u", "-l"} and not words:
        print(USAGE, file=sys.stderr)
        return 1
    return _add(lab, words) if "-a" in asked else _remove(lab, words) if "-r" in asked else _list(lab, words)


def _rules(lab: Lab) -> list[str]:
    """The rules that there are now: one for a process ends with that."""
    kept = lab.state / "rctl"
    rules = kept.read_text().splitlines() if kept.exists() else []
    alive = {str(process.pid) for process in processes(lab)} if rules else set()
    return [rule for rule in rules if not rule.startswith("process:") or rule.split(":")[1] in alive]


def _keep(lab: Lab, rules: list[str]) -> None:
    (lab.state / "rctl").write_text("".join(f"{rule}\n" for rule in rules))


def _add(lab: Lab, words: list[str]) -> int:
    for rule in words:
        if problem := _problem(lab, rule):
            print(f"rctl: failed to add rule '{rule}': {problem}", file=sys.stderr)
            return 1
        same = rule.partition("=")[0]
        _keep(lab, [*(old for old in _rules(lab) if old.partition("=")[0] != same), rule])
    return 0


def _problem(lab: Lab, rule: str) -> str:
    """What the kernel says of a rule that it does not take (kern_rctl.c, rctl_rule_add): text of an errno."""
    found = RULE.fullmatch(rule)
    if not found or found[3] not in RESOURCES:
        return "Invalid argument"
    subject, whose, resource, action = found.group(1, 2, 3, 4)
    if subject == "process" and not any(str(process.pid) == whose for process in processes(lab)):
        return "No such process"
    if action == "deny":
        return "Operation not supported" if resource in NOT_DENIED else ""
    if action == "throttle":
        return "" if resource in RATES else "Operation not supported"
    return "" if SIGNALS.fullmatch(action) else "Invalid argument"


def _remove(lab: Lab, words: list[str]) -> int:
    for word in words:
        left = [rule for rule in _rules(lab) if not rule.startswith(word)]
        if left == _rules(lab):
            print(f"rctl: failed to remove rule '{word}': No such process", file=sys.stderr)
            return 1
        _keep(lab, left)
    return 0


def _list(lab: Lab, words: list[str]) -> int:
    for rule in _rules(lab):
        if not words or any(rule.startswith(word) for word in words):
            print(rule)
    return 0
