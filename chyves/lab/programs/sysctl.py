"""sysctl(8): shows and sets what the lab's kernel says of itself."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.kernel import Kernel
from chyves.lab.place import Lab
from chyves.lab.sysctls import Sysctl
from chyves.lab.zfs.counters import counted

USAGE = """\
usage: sysctl [-bdehiNnoqTtWx] [ -B <bufsize> ] [-f filename] name[=value] ...
       sysctl [-bdehNnoqTtWx] [ -B <bufsize> ] -a"""


def main(lab: Lab, argv: list[str]) -> int:
    """Run sysctl(8): names are shown, `name=value` is set, -a shows all; the status is 1 when one is unknown."""
    try:
        options, words = getopt.getopt(argv, "AabdehiNnoqTtWXxB:f:")
    except getopt.GetoptError as error:
        print(f"sysctl: illegal option -- {error.opt}", file=sys.stderr)
        options, words = [], []
    asked = {option for option, _ in options}
    if not words and not asked & {"-a", "-A", "-X"}:
        print(USAGE, file=sys.stderr)
        return 1
    with Kernel(lab) as kernel:
        shown = Shown(kernel, asked)
        if asked & {"-a", "-A", "-X"} or any(word.startswith("kstat.zfs") for word in words):
            shown.rows.update({name: Sysctl(value, "ulong", module="zfs") for name, value in counted(lab)})
        if asked & {"-a", "-A", "-X"}:
            return shown.tree("")
        return max([shown.word(word) for word in words])


class Shown:
    """One call of sysctl: the kernel and the options that say how much is printed."""

    def __init__(self, kernel: Kernel, asked: set[str]) -> None:
        self.kernel, self.asked = kernel, asked
        self.rows = kernel.sysctls()

    def tree(self, top: str) -> int:
        """Show every sysctl below a node."""
        for name, row in self.rows.items():
            if name.startswith(top):
                print(self.line(name, row.value))
        return 0

    def line(self, name: str, value: str) -> str:
        if "-n" in self.asked:
            return value
        return name if "-N" in self.asked else f"{name}{'=' if '-e' in self.asked else ': '}{value}"

    def word(self, word: str) -> int:
        """Show or set the sysctl that a word names."""
        name, equals, value = word.partition("=")
        row = self.rows.get(name)
        if row is None and not equals and any(known.startswith(f"{name}.") for known in self.rows):
            return self.tree(f"{name}.")
        if row is None:
            return self.unknown(name)
        if equals:
            return self.set(name, row, value)
        print(self.line(name, row.value))
        return 0

    def unknown(self, name: str) -> int:
        if "-i" in self.asked:
            return 0
        if "-q" not in self.asked:
            print(f"sysctl: unknown oid '{name}'", file=sys.stderr)
        return 1

    def set(self, name: str, row: Sysctl, value: str) -> int:
        if not row.writable:
            print(
                f"sysctl: oid '{name}' is {'a read only tunable' if row.writable is None else 'read only'}",
                file=sys.stderr,
            )
            if row.writable is None:
                print("sysctl: Tunable values are set in /boot/loader.conf", file=sys.stderr)
            return 1
        if row.kind != "string" and not _is_number(value):
            print(f"sysctl: invalid integer '{value}'", file=sys.stderr)
            return 1
        self.kernel.set_sysctl(name, value)
        self.rows[name] = row._replace(value=value)
        print(f"{self.line(name, row.value)} -> {value}")
        return 0


def _is_number(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return False
    return True
