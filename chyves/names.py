"""What guests, datasets, interfaces and resources may be called, and why.

Names reach ZFS datasets, device nodes, process titles and comma-separated bhyve arguments, none of which can escape
a character: so every name is checked here before it goes anywhere.
"""

from __future__ import annotations

import re

from chyves.errors import ChyvesError

GUEST_LENGTH = 27
"""Characters of a guest's name, so that `chy-NAME` fits every FreeBSD release's /dev/vmm (0.2.0's limit, kept)."""

POOL_LENGTH = 128
"""Characters of a pool's name, so that the longest dataset of chyves on it stays below the 256 of ZFS (zfs(8))."""

NEVER_GUESTS = frozenset(
    "all clone console create dataset defaults delete destroy disk firmware get global guests info iso list network "
    "primary reclaim rename reorder reset set snapshot start stop .config .defaults".split()
)
"""Words that no guest can be called, also none that 0.2.0 made."""

RESERVED = NEVER_GUESTS | frozenset(
    "adopt check debug dev diff doctor events explain help import lab log metrics top upgrade version wait .new .old "
    "completion".split()
)
"""Words of the grammar and of the datasets, which no guest may have as its name; a test holds it to the commands."""

KEPT_ENDINGS = (".json", ".lock", ".unfinished")
"""What files in /var/run/chyves end in, where each guest that runs has a directory of its own name beside them."""

_GUEST = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_OLD_GUEST = r"[A-Za-z0-9_.-]+"
_RESOURCE = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_POOL = r"[A-Za-z][A-Za-z0-9_.:-]*"
_INTERFACE = r"[a-z][a-z0-9_]*[0-9](\.[0-9]{1,4})?"
_SWITCH = r"vale[0-9A-Za-z]{1,9}(:([A-Za-z]|[0-9]{1,4}))?"
_SNAPSHOT = r"[A-Za-z0-9_.:-]{1,200}"
_PCI_DEVICE = r"(0|[1-9][0-9]{0,2})/(0|[1-9][0-9]?)/([0-7])"
_NUMBERED = r"([a-z]+)(0|[1-9][0-9]{0,4})"
PROCESS = "chyves-clone-process-"
"""What the names of snapshots begin with that only something made from them needs."""
HIGHEST_INTERFACE = 32768
CARDS = ("tap", "slirp", "netgraph")
"""Kinds of a guest's interfaces that are numbered, and have properties of their own; VALE switches have names."""
HIGHEST_DISK = 999
HIGHEST_PORT = 15


class BadName(ChyvesError):
    """A name cannot be what it is asked to be."""

    def __init__(self, kind: str, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{shown(name)}: is no name for {kind}: {reason}")


def shown(text: str) -> str:
    """Text of a user for one line of a message: quoted where it is odd, cut where it is long."""
    if len(text) > 40:
        text = text[:37] + "..."
    return text if text.isprintable() and text.isascii() and text and " " not in text else ascii(text)


def new_guest(name: str) -> str:
    """The name of a guest to be made; raises BadName."""
    guest(name)
    if not re.fullmatch(_GUEST, name):
        raise BadName("a new guest", name, "it begins with a dot or a dash; begin with a letter or a digit")
    if name in RESERVED or (re.fullmatch(_NUMBERED, name) and bridge_number(name) is not None):
        raise BadName("a guest", name, "it is a word of the commands; choose another")
    if name.endswith(KEPT_ENDINGS):
        raise BadName("a guest", name, "it ends like files that chyves has of guests which run; choose another ending")
    return name


def guest(name: str) -> str:
    """The name of a guest that may exist, also one that 0.2.0 allowed; raises BadName."""
    if not re.fullmatch(_OLD_GUEST, name):
        raise BadName("a guest", name, "use letters, digits, dots, dashes and underscores")
    if len(name) > GUEST_LENGTH:
        raise BadName("a guest", name, f"it is longer than {GUEST_LENGTH} characters; shorten it")
    if name in (".", ".."):
        raise BadName("a guest", name, "it means a directory; choose another")
    return name


def group(name: str) -> str:
    """The name of a group of guests, which is written `:name` on the command line; raises BadName."""
    if not re.fullmatch(_GUEST, name) or len(name) > GUEST_LENGTH:
        raise BadName("a group", name, f"use up to {GUEST_LENGTH} letters, digits, dots, dashes and underscores")
    if name == "all":
        raise BadName("a group", name, "the word all means every guest already; choose another")
    return name


def lines(text: str) -> str:
    """A number of lines to show; raises ChyvesError."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise ChyvesError(f"{shown(text)}: is no number of lines; give a whole number from 1 to 9999999")
    return text


def seconds(text: str) -> str:
    """How long something may take; raises ChyvesError."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise ChyvesError(f"{shown(text)}: is no number of seconds; give a whole number from 1 to 9999999")
    return text


def guest_or_snapshot(name: str) -> str:
    """A guest, or one as it was: `guest@snapshot`; raises BadName."""
    of, at, tag = name.partition("@")
    guest(of)
    if at:
        snapshot(f"@{tag}")
    return name


def vm(guest_name: str) -> str:
    """What bhyve, /dev/vmm and ps call a guest."""
    return f"chy-{guest_name}"


def resource(name: str) -> str:
    """The name of an ISO image or a firmware: a file, and a dataset; raises BadName."""
    if not re.fullmatch(_RESOURCE, name):
        raise BadName("a resource", name, "use letters, digits, dots, dashes, plus signs and underscores")
    if len(name) > 100:
        raise BadName("a resource", name, "it is longer than 100 characters; shorten it")
    return name


def pool(name: str) -> str:
    """The name of a ZFS pool; raises BadName."""
    if not re.fullmatch(_POOL, name):
        raise BadName(
            "a pool", name, "it begins with a letter and has letters, digits, dots, dashes, colons and underscores"
        )
    if len(name) > POOL_LENGTH:
        raise BadName("a pool", name, f"it is longer than {POOL_LENGTH} characters; use another pool")
    return name


def numbered(name: str, family: str, highest: int = HIGHEST_INTERFACE) -> int | None:
    """The number of `tap5` in the family `tap`, or None where it is something else (`tap05`, `tap99999`)."""
    match = re.fullmatch(_NUMBERED, name)
    if not match or match[1] != family or int(match[2]) > highest:
        return None
    return int(match[2])


def bridge_number(name: str) -> int | None:
    """The number of `bridge{n}`, or None."""
    return numbered(name, "bridge")


def bridge(name: str) -> str:
    """The name of a bridge; raises BadName."""
    if bridge_number(name) is None:
        raise BadName("a bridge", name, f"write bridge and a number up to {HIGHEST_INTERFACE}, such as bridge0")
    return name


def tap(name: str) -> str:
    """The name of a tap; raises BadName."""
    if numbered(name, "tap") is None:
        raise BadName("a tap", name, f"write tap and a number up to {HIGHEST_INTERFACE}, such as tap50")
    return name


def guest_interface(name: str) -> str:
    """A tap, slirp, a hook of netgraph or a port of a VALE switch, that a guest can have; raises BadName."""
    if not is_card(name) and not re.fullmatch(_SWITCH, name):
        right = f"write {', '.join(CARDS[:-1])} or {CARDS[-1]} and a number, or vale, a switch and perhaps :port"
        raise BadName("a guest's interface", name, right)
    return name


def is_switch(name: str) -> bool:
    """Whether an interface is a VALE switch, or a port of one."""
    return re.fullmatch(_SWITCH, name) is not None


def is_card(name: str) -> bool:
    """Whether an interface is of a kind that is numbered."""
    return any(numbered(name, family) is not None for family in CARDS)


def uplink(name: str) -> str:
    """An interface of the host that a bridge can be attached to (a card or a vlan); raises BadName."""
    family = re.match(r"[a-z]*", name)
    if (
        not re.fullmatch(_INTERFACE, name)
        or len(name) > 15
        or (family and family[0] in ("tap", "bridge", "vale", "lo"))
    ):
        raise BadName("an uplink", name, "write a network card or a vlan of this host, such as em0 or vlan10")
    return name


def pci_device(name: str) -> str:
    """Bus, slot and function of a device of the host, such as 2/0/0; raises BadName."""
    numbers = re.fullmatch(_PCI_DEVICE, name)
    if not numbers or int(numbers[1]) > 255 or int(numbers[2]) > 31:
        raise BadName("a device of the host", name, "write bus/slot/function, such as 2/0/0; see: chyves list pci")
    return name


def is_uplink(name: str) -> bool:
    """Whether a bridge can be attached to an interface of this name."""
    try:
        return uplink(name) == name
    except BadName:
        return False


def disk_number(name: str) -> int | None:
    """The number of `disk{n}`, or None."""
    return numbered(name, "disk", HIGHEST_DISK)


def any_disk(name: str) -> str:
    """The name of a guest's disk, or the path of a raw image from the guest's directory; raises BadName."""
    parts = name.split("/")
    if parts[0] == "img" and len(parts) > 1 and name.isprintable() and not {"", ".", ".."} & set(parts):
        return name
    if disk_number(name) is None:
        raise BadName("a disk", name, "write disk and a number, such as disk0, or a raw image, such as img/data.raw")
    return name


def disk(name: str) -> str:
    """The name of a guest's disk; raises BadName."""
    if disk_number(name) is None:
        raise BadName("a disk", name, "write disk and a number, such as disk0")
    return name


def snapshot(name: str) -> str:
    """The name of a guest's snapshot, with its `@`; raises BadName."""
    if not name.startswith("@") or not re.fullmatch(_SNAPSHOT, name[1:]):
        raise BadName("a snapshot", name, "write @ and letters, digits, dots, dashes, colons and underscores")
    return name


def known_snapshot(name: str) -> str:
    """The name of a snapshot that there is, also written without its `@`; raises BadName."""
    return snapshot(name if name.startswith("@") else f"@{name}")


def snapshots(text: str) -> str:
    """The name of a snapshot, or a range of them, `@name%name`, of which both ends may be left out; raises BadName."""
    text = text if text.startswith("@") else f"@{text}"
    first, percent, last = text.partition("%")
    for end in (first, f"@{last.removeprefix('@')}") if percent else (text,):
        if end != "@" or not percent:
            snapshot(end)
    return first + percent + last.removeprefix("@")
