"""The commands of zfs(8) and zpool(8): where each is, and how its usage reads."""

from __future__ import annotations

import errno
import importlib
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chyves.lab.place import Lab
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.state import State


class Command(NamedTuple):
    """A command: the module and function that do it, its usage lines, whether the usage lists the properties.

    One that only `reads` sees all of the state at one moment, whatever others change meanwhile.
    """

    module: str
    function: str
    usage: tuple[str, ...]
    properties: bool = False
    reads: bool = False


_ALIASES = {"umount": "unmount", "recv": "receive", "snap": "snapshot"}

_ZFS = {
    "version": Command("version", "of_zfs", ("version",)),
    "create": Command(
        "create",
        "create",
        (
            "create [-Pnpuv] [-o property=value] ... <filesystem>",
            "create [-Pnpsv] [-b blocksize] [-o property=value] ... -V <size> <volume>",
        ),
    ),
    "destroy": Command(
        "destroy",
        "destroy",
        (
            "destroy [-fnpRrv] <filesystem|volume>",
            "destroy [-dnpRrv] <filesystem|volume>@<snap>[%<snap>][,...]",
            "destroy <filesystem|volume>#<bookmark>",
        ),
    ),
    "snapshot": Command(
        "snapshots", "snapshot", ("snapshot [-r] [-o property=value] ... <filesystem|volume>@<snap> ...",)
    ),
    "rollback": Command("snapshots", "rollback", ("rollback [-rRf] <snapshot>",)),
    "clone": Command("clones", "clone", ("clone [-p] [-o property=value] ... <snapshot> <filesystem|volume>",)),
    "promote": Command("clones", "promote", ("promote <clone-filesystem>",)),
    "rename": Command(
        "rename",
        "rename",
        (
            "rename [-f] <filesystem|volume|snapshot> <filesystem|volume|snapshot>",
            "rename -p [-f] <filesystem|volume> <filesystem|volume>",
            "rename -u [-f] <filesystem> <filesystem>",
            "rename -r <snapshot> <snapshot>",
        ),
    ),
    "bookmark": Command("snapshots", "bookmark", ("bookmark <snapshot|bookmark> <newbookmark>",)),
    "list": Command(
        "listing",
        "list_",
        (
            "list [-Hp] [-r|-d max] [-o property[,...]] [-s property]...",
            "    [-S property]... [-t type[,...]] [filesystem|volume|snapshot] ...",
        ),
        properties=True,
        reads=True,
    ),
    "set": Command("setting", "set_", ("set [-u] <property=value> ... <filesystem|volume|snapshot> ...",), True),
    "get": Command(
        "getting",
        "get",
        (
            'get [-rHp] [-d max] [-o "all" | field[,...]]',
            "    [-t type[,...]] [-s source[,...]]",
            '    <"all" | property[,...]> [filesystem|volume|snapshot|bookmark] ...',
        ),
        properties=True,
        reads=True,
    ),
    "inherit": Command("setting", "inherit", ("inherit [-rS] <property> <filesystem|volume|snapshot> ...",), True),
    "mount": Command("mounting", "mount", ("mount", "mount [-flvO] [-o opts] <-a | filesystem>")),
    "unmount": Command("mounting", "unmount", ("unmount [-fu] <-a | filesystem|mountpoint>",)),
    "hold": Command("holds", "hold", ("hold [-r] <tag> <snapshot> ...",)),
    "holds": Command("holds", "holds", ("holds [-rHp] <snapshot> ...",), reads=True),
    "release": Command("holds", "release", ("release [-r] <tag> <snapshot> ...",)),
    "send": Command(
        "send",
        "send",
        (
            "send [-DLPbcehnpsVvw] [-i|-I snapshot]",
            "    [-R [-X dataset[,dataset]...]]     <snapshot>",
            "send [-DnVvPLecw] [-i snapshot|bookmark] <filesystem|volume|snapshot>",
            "send [-nVvPe] -t <receive_resume_token>",
        ),
    ),
    "receive": Command(
        "receive",
        "receive",
        (
            "receive [-vMnsFhu]",
            "    [-o <property>=<value>] ... [-x <property>] ...",
            "    <filesystem|volume|snapshot>",
            "receive [-vMnsFhu] [-o <property>=<value>] ... [-x <property>] ...",
            "    [-d | -e] <filesystem>",
            "receive -A <filesystem|volume>",
        ),
    ),
}
_ZPOOL = {
    "version": Command("version", "of_zpool", ("version",)),
    "create": Command(
        "pools",
        "create",
        (
            "create [-fnd] [-o property=value] ...",
            "    [-O file-system-property=value] ...",
            "    [-m mountpoint] [-R root] <pool> <vdev> ...",
        ),
    ),
    "destroy": Command("pools", "destroy", ("destroy [-f] <pool>",)),
    "list": Command(
        "pool_listing",
        "list_",
        ("list [-gHLpPv] [-o property[,...]] [-T d|u] [pool] ...", "    [interval [count]]"),
        reads=True,
    ),
    "status": Command("pool_status", "status", ("status [-DegiLpPstvx] [-T d|u] [pool] ...",), reads=True),
    "get": Command(
        "pool_listing", "get", ('get [-Hp] [-o "all" | field[,...]] <"all" | property[,...]> <pool> ...',), reads=True
    ),
    "set": Command("pools", "set_", ("set <property=value> <pool>",)),
    "export": Command("pools", "export", ("export [-af] <pool> ...",)),
    "import": Command("pools", "import_", ("import [-d dir] [-f] [-N] [-R root] [-a | <pool | id> [newpool]]",)),
}
_TABLES: Mapping[str, Mapping[str, Command]] = {"zfs": _ZFS, "zpool": _ZPOOL}


def run(lab: Lab, program: str, words: Sequence[str]) -> int:
    """Run a command line of zfs or zpool; the status of the real program."""
    table = _TABLES[program]
    if not words:
        return _usage(program, None, "missing command")
    name, rest = _ALIASES.get(words[0], words[0]), list(words[1:])
    if name in ("-?", "--help", "help"):
        return _help(program, rest)
    if name in ("-V", "--version"):
        name = "version"
    if program == "zfs" and name not in table and "=" in name:
        name, rest = "set", list(words)
    if name not in table or (name == "version" and lab.release == "11.0"):
        return _usage(program, None, f"unrecognized command '{words[0]}'")
    try:
        return _do(lab, table[name], rest)
    except BadUsage as why:
        return _usage(program, table[name], str(why), lab.release)
    except Refused as why:
        print(why, file=sys.stderr)
    except OSError as error:
        out_of_space = error.errno in (errno.ENOSPC, errno.EDQUOT)
        print(f"cannot {name}: {'out of space' if out_of_space else error}", file=sys.stderr)
    except sqlite3.Error as error:
        print(f"cannot {name}: the lab's state cannot be used: {error}", file=sys.stderr)
    return 1


def _do(lab: Lab, command: Command, words: Sequence[str]) -> int:
    act: Callable[[State, Sequence[str]], int] = getattr(
        importlib.import_module(f"chyves.lab.zfs.{command.module}"), command.function
    )
    state = State(lab)
    try:
        if command.reads:
            state.db.execute("BEGIN")
        return act(state, words)
    finally:
        state.close()


def _help(program: str, topics: Sequence[str]) -> int:
    table = _TABLES[program]
    shown = [table[topic] for topic in topics[:1] if topic in table] or list(table.values())
    print(f"usage: {program} command args ...\nwhere 'command' is one of the following:\n")
    for command in shown:
        print("\n".join(f"\t{line}" for line in command.usage))
    return 0


def _usage(program: str, command: Command | None, text: str, release: str = "14.3") -> int:
    """Tell on standard error what is wrong and how the command goes; the status for usage."""
    lines = [text] if text else []
    if command:
        lines += ["usage:", *(f"\t{line}" for line in command.usage)]
    else:
        lines += [f"usage: {program} command args ...", "where 'command' is one of the following:", ""]
        lines += [f"\t{line}" for one in _TABLES[program].values() for line in one.usage]
    if command and command.properties:
        lines += _properties(release)
    print("\n".join(lines), file=sys.stderr)
    return 2


def _properties(release: str) -> list[str]:
    from chyves.lab.zfs import properties

    lines = ["", "The following properties are supported:", ""]
    lines += [f"\t{'PROPERTY':<14} {'EDIT'}  {'INHERIT'}   {'VALUES'}", ""]
    for row in properties.table(release).values():
        if row.visible:
            edit, inherit = "NO" if row.readonly else "YES", "YES" if row.inheritable else "NO"
            lines.append(f"\t{row.name:<15} {edit:>3}  {inherit:>7}   {row.values or '-'}")
    lines += ["", "Sizes are specified in bytes with standard units such as K, M, G, etc."]
    return [*lines, "", "User-defined properties can be specified by using a name containing a colon (:)."]
