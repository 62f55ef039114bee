"""rctl(8): keeps rules of resource limits, which a lab does not enforce."""

from __future__ import annotations

import getopt
import re
import sys

from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab

USAGE = """\
usage: rctl [-h] [-n] [filter]
       rctl -a rule
       rctl -l [-h] [-n] filter
       rctl -r filter
       rctl -u [-h] filter"""
DISABLED = "rctl: RACCT/RCTL present, but disabled; enable using kern.racct.enable=1 tunable"
RULE = re.compile(r"(process|user|loginclass|jail):[^:]*:[a-z]+:[a-z0-9]+=[0-9]+[kmgtKMGT]?(/[a-z]+)?")


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
    kept = lab.state / "rctl"
    return kept.read_text().splitlines() if kept.exists() else []


def _keep(lab: Lab, rules: list[str]) -> None:
    (lab.state / "rctl").write_text("".join(f"{rule}\n" for rule in rules))


def _add(lab: Lab, words: list[str]) -> int:
    for rule in words:
        if not RULE.fullmatch(rule):
            print(f"rctl: failed to add rule '{rule}': Invalid argument", file=sys.stderr)
            return 1
        _keep(lab, [*(old for old in _rules(lab) if old != rule), rule])
    return 0


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
