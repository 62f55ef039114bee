"""id(1): in a lab, whoever works there is root."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.place import Lab

GROUPS = {0: "wheel", 5: "operator"}
USAGE = """\
usage: id [user]
       id -G [-n] [user]
       id -g [-nr] [user]
       id -u [-nr] [user]"""


def main(_: Lab, argv: list[str]) -> int:
    """Run id(1): -u, -g, -G as numbers, or with -n as names; the lab has no other users than root."""
    try:
        options, users = getopt.getopt(argv, "AacdGghMnPpru")
    except getopt.GetoptError as error:
        print(f"id: illegal option -- {error.opt}\n{USAGE}", file=sys.stderr)
        return 1
    if users not in ([], ["root"], ["0"]):
        print(f"id: {users[0]}: no such user", file=sys.stderr)
        return 1
    asked = {option for option, _ in options}
    by_name = "-n" in asked
    if "-u" in asked:
        print("root" if by_name else "0")
    elif "-g" in asked:
        print("wheel" if by_name else "0")
    elif "-G" in asked:
        print(*(GROUPS.values() if by_name else GROUPS))
    else:
        print("uid=0(root) gid=0(wheel) groups=" + ",".join(f"{number}({name})" for number, name in GROUPS.items()))
    return 0
