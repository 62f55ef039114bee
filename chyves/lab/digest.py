"""md5(1) and its sisters: checksums in FreeBSD's grammar."""

from __future__ import annotations

import getopt
import sys

from chyves.lab.place import Lab

DIFFERS = 2


def run(lab: Lab, program: str, argv: list[str]) -> int:
    """Print checksums of files, of a string (-s) or of stdin; -q only the sum, -r reversed, -c compared with one."""
    import hashlib

    try:
        options, files = getopt.getopt(argv, "c:pqrs:tx")
    except getopt.GetoptError as error:
        print(f"{program}: illegal option -- {error.opt}", file=sys.stderr)
        print(f"usage: {program} [-pqrtx] [-c string] [-s string] [file ...]", file=sys.stderr)
        return 1
    asked = dict(options)
    strings = [value for option, value in options if option == "-s"]
    status = 0
    for text in strings:
        status |= _tell(program, f'"{text}"', hashlib.new(program, text.encode()).hexdigest(), asked)
    for name in files:
        try:
            with lab.inside(name).open("rb") as file:
                status |= _tell(program, name, hashlib.file_digest(file, program).hexdigest(), asked)
        except OSError as error:
            print(f"{program}: {name}: {error.strerror}", file=sys.stderr)
            status = 1
    if not strings and not files:
        with open(0, "rb", closefd=False) as stdin:
            status |= _tell(program, None, hashlib.file_digest(stdin, program).hexdigest(), asked)
    return status


def _tell(program: str, name: str | None, digest: str, asked: dict[str, str]) -> int:
    if name is None or "-q" in asked:
        line = digest
    elif "-r" in asked:
        line = f"{digest} {name}"
    else:
        line = f"{program.upper()} ({name}) = {digest}"
    differs = "-c" in asked and asked["-c"].lower() != digest
    print(f"{line} [ Failed ]" if differs else line)
    return DIFFERS if differs else 0
