"""stat(1): tells of files in FreeBSD's formats."""

from __future__ import annotations

import getopt
import grp
import os
import pwd
import re
import stat
import sys
import time
from collections.abc import Callable

from chyves.lab import nmdm
from chyves.lab.place import Lab

DEFAULT = '%d %i %Sp %l %Su %Sg %r %z "%Sa" "%Sm" "%Sc" %k %b 0 %N'
FIELD = re.compile(r"%([-+0 #]*\d*)([SHMLDOUXF]?)([dipluraz mcbkfNTYgB%nt])")
USAGE = "usage: stat [-FLnq] [-f format | -l | -r | -s | -x] [-t timefmt] [file|handle ...]"

Status = os.stat_result
NUMBERS: dict[str, Callable[[Status], int]] = {
    "d": lambda it: it.st_dev,
    "i": lambda it: it.st_ino,
    "p": lambda it: it.st_mode,
    "l": lambda it: it.st_nlink,
    "u": lambda it: it.st_uid,
    "g": lambda it: it.st_gid,
    "r": lambda it: it.st_rdev,
    "z": lambda it: it.st_size,
    "a": lambda it: int(it.st_atime),
    "m": lambda it: int(it.st_mtime),
    "c": lambda it: int(it.st_ctime),
    "B": lambda it: int(it.st_ctime),
    "b": lambda it: it.st_blocks,
    "k": lambda it: it.st_blksize,
    "f": lambda _: 0,
}
KINDS = {stat.S_IFDIR: "Directory", stat.S_IFLNK: "Symbolic Link", stat.S_IFCHR: "Character Device",
         stat.S_IFBLK: "Block Device", stat.S_IFIFO: "Fifo File", stat.S_IFSOCK: "Socket"}  # fmt: skip


def main(lab: Lab, argv: list[str]) -> int:
    """Run stat(1): -f the format, -L through links, -n no newline, -q no complaint of files that are not there."""
    try:
        options, files = getopt.getopt(argv, "f:FlLnqrst:x")
    except getopt.GetoptError as error:
        print(f"stat: illegal option -- {error.opt}\n{USAGE}", file=sys.stderr)
        return 1
    asked = dict(options)
    status = 0
    for name in files or ["(stdin)"]:
        try:
            found = _look(lab, name, "-L" in asked)
        except OSError as error:
            status = 1
            if "-q" not in asked:
                print(f"stat: {name}: stat: {error.strerror}", file=sys.stderr)
            continue
        line = _filled(asked.get("-f", DEFAULT), found, name, asked.get("-t", "%b %e %T %Y"))
        print(line, end="" if "-n" in asked else "\n")
    return status


def _filled(form: str, found: Status, name: str, times: str) -> str:
    return FIELD.sub(lambda field: _value(field, found, name, times), form)


def _look(lab: Lab, name: str, through: bool) -> Status:
    if name == "(stdin)":
        return os.fstat(0)
    if nmdm.end_named(name) and lab.inside(name).parent == lab.root / "dev":
        os.close(nmdm.open_end(lab, name))  # looking at a name makes the pair (nmdm(4))
    return os.stat(lab.inside(name), follow_symlinks=through)


def _value(field: re.Match[str], found: Status, name: str, times: str) -> str:
    flags, form, what = field.groups()
    plain = {"%": "%", "n": "\n", "t": "\t", "N": name, "T": "", "Y": ""}
    if what == "N" and form != "S":
        return name
    if what == "T":
        return KINDS.get(stat.S_IFMT(found.st_mode), "Regular File")
    if what in plain:
        return plain[what]
    number = NUMBERS[what](found)
    if form == "S":
        return _words(what, number, times)
    if what == "p":
        number = number & 0o7777 if form == "L" else number
        return f"{number:o}"
    return f"{number:x}" if form == "X" else f"{number:o}" if form == "O" else f"%{flags}d" % number


def _words(what: str, number: int, times: str) -> str:
    if what == "p":
        return stat.filemode(number)
    try:
        if what == "u":
            return pwd.getpwuid(number).pw_name
        if what == "g":
            return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
    return time.strftime(times, time.localtime(number)) if what in "amcB" else str(number)
