"""A private file tree for one process and its children, in which a lab's files are at their FreeBSD paths.

The root is the lab's own, live, so that devices, pools and mountpoints that come later are seen. The machine's
directories are mounted into it; /etc, /var, /usr/local and the sbin directories are made of both.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from chyves.errors import ChyvesError
from chyves.lab.network import namespace
from chyves.lab.place import MACHINE_DEVICES, Lab

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 0x40000, 2

OLD, NEW = Path("/old"), Path("/new")
MADE_OF_BOTH = ("etc", "var", "usr/local", "usr/local/share", "usr/local/bin", "usr/local/sbin")
OWN = ("boot", "dev", "etc", "var")
# The machine's, even when the lab has something there.
MACHINES = ("usr", "tmp", "root", "home", "proc", "sys", "run")
REAL = ".machine"

_libc = ctypes.CDLL(None, use_errno=True)


def enter(lab: Lab) -> None:
    """Move this process into the lab's file tree and network; raises ChyvesError where the machine forbids it.

    After a refusal the process is of no more use: its tree may be half made.
    """
    if lab.on_real_zfs:
        raise ChyvesError("what is mounted of real ZFS is mounted for the whole machine")
    here, lab_itself = os.getcwd(), os.stat(lab.top)
    try:
        _own_namespace(lab)
        _build(lab)
        os.chdir(NEW)
        _call("pivot_root", b".", b".")
        _call("umount2", b".", MNT_DETACH)
        os.chdir("/")
        reached = os.path.samestat(os.stat(lab.top), lab_itself)
    except OSError as error:
        raise ChyvesError(f"this machine allows no private file tree ({error.strerror})") from error
    if not reached:
        raise ChyvesError(f"{lab.top} is where the lab's host has a directory of its own; make the lab elsewhere")
    if os.path.isdir(here):
        os.chdir(here)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _own_namespace(lab: Lab) -> None:
    if namespace.wanted(lab):
        namespace.ensure(lab)
        namespace.join(lab)
    uid, gid = os.geteuid(), os.getegid()
    try:
        _call("unshare", CLONE_NEWNS)
    except PermissionError:
        _call("unshare", CLONE_NEWNS | CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def _mount_memory(place: Path) -> None:
    _call("mount", b"lab", bytes(place), b"tmpfs", 0, b"mode=755")


def _bind(source: Path, target: Path) -> None:
    """Show a directory or file, with all that is mounted below it, also somewhere else."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(exist_ok=True)
        target.touch()
    _call("mount", bytes(source), bytes(target), None, MS_BIND | MS_REC, None)


def _build(lab: Lab) -> None:
    # On a root of our own first: the tree must not be made below a directory that is shown in it.
    _mount_memory(Path("/tmp"))
    Path("/tmp/old").mkdir()
    Path("/tmp/new").mkdir()
    _call("pivot_root", b"/tmp", b"/tmp/old")
    os.chdir("/")
    _call("mount", bytes(OLD / lab.root.relative_to("/")), bytes(NEW), None, MS_BIND, None)
    for name in sorted(os.listdir(OLD)):
        if name not in (*OWN, "lost+found"):
            _show(OLD / name, NEW / name)
    _show_devices()
    for name in MADE_OF_BOTH:
        if (OLD / name).is_dir() and not (OLD / name).is_symlink():
            _mix(lab, name)
    for name in ("sbin", "usr/sbin"):
        if not (OLD / name).is_symlink():
            _mix_programs(lab, name)


def _show_devices() -> None:
    """Put the machine's own devices beside those of the lab."""
    for name in MACHINE_DEVICES:
        if name != "ptmx" and os.path.lexists(OLD / "dev" / name):
            _show(OLD / "dev" / name, NEW / "dev" / name)
    # The machine's ptmx makes terminals only where its pts is mounted beside it; the one in pts is often root's alone.
    _bind(OLD / "dev", NEW / "dev" / REAL)
    (NEW / "dev/ptmx").unlink(missing_ok=True)
    (NEW / "dev/ptmx").symlink_to("pts/ptmx" if _opens(OLD / "dev/pts/ptmx") else f"{REAL}/ptmx")


def _opens(device: Path) -> bool:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _show(source: Path, target: Path) -> None:
    """Put a top directory, a link or a device of the machine into the tree, unless the lab has its own."""
    if source.is_symlink():
        if not os.path.lexists(target):
            target.symlink_to(os.readlink(source))
    elif source.is_dir() and target.is_dir() and any(target.iterdir()) and source.name not in MACHINES:
        return
    elif source.is_dir() or source.parent.name == "dev" or source.parent.name == "net":
        _bind(source, target)


def _mix(lab: Lab, name: str) -> None:
    """Make a directory of what the machine has there and, before it, what the lab has."""
    own = lab.root / name
    names = os.listdir(OLD / own.relative_to("/")) if (OLD / own.relative_to("/")).is_dir() else []
    links = {entry: str(own / entry) for entry in names}
    _made_of(name, links)


def _mix_programs(lab: Lab, name: str) -> None:
    """Programs that are called by FreeBSD's path (`/sbin/zfs`) are the lab's."""
    _made_of(name, {program: str(lab.bin / program) for program in os.listdir(OLD / lab.bin.relative_to("/"))})


def _made_of(name: str, own: dict[str, str]) -> None:
    target, machine = NEW / name, OLD / name
    _mount_memory(target)
    _bind(machine, target / REAL)
    directories = {below.rpartition("/")[2] for below in MADE_OF_BOTH if below.rpartition("/")[0] == name}
    for entry in {*os.listdir(machine), *own}:
        if entry in directories and (machine / entry).is_dir():
            (target / entry).mkdir()
        elif entry in own:
            (target / entry).symlink_to(own[entry])
        elif (machine / entry).is_symlink():
            (target / entry).symlink_to(os.readlink(machine / entry))
        else:
            (target / entry).symlink_to(f"/{name}/{REAL}/{entry}")
