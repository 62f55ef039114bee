"""bhyvectl(8): look at, stop and destroy a virtual machine (reference, section 1.10)."""

from __future__ import annotations

import sys

from chyves.lab import vmm
from chyves.lab.bhyve.getopt import BadOption, Options
from chyves.lab.place import Lab

LONG = {
    "vm": ":",
    "cpu": ":",
    "create": "",
    "destroy": "",
    "get-stats": "",
    "inject-nmi": "",
    "force-reset": "",
    "force-poweroff": "",
}

NOT_ON_ARM64 = ("inject-nmi",)

# What the kernel does, in this order whatever the order of the words is.
WORDS = (("inject-nmi", "nmi"), ("force-reset", "reset"), ("force-poweroff", "poweroff"))


def main(lab: Lab, argv: list[str]) -> int:
    """Do the actions asked for; 1 for a wrong line or a machine that is not there, 255 when the kernel refuses."""
    known = {option: kind for option, kind in LONG.items() if option not in NOT_ON_ARM64 or not lab.is_arm64}
    options = Options(argv, "", known, permute=True)
    try:
        given = dict(options)
    except BadOption as error:
        print(f"bhyvectl: {error}", file=sys.stderr)
        return _usage(known)
    if "vm" not in given:
        return _usage(known)
    name = given["vm"]
    if "create" in given:
        try:
            vmm.create(lab, name)
        except OSError as error:
            print(f"errno = {error.errno}")
            return 255
    if not vmm.exists(lab, name):
        print(f"VM:{name} is not created.")
        return 1
    return _act(lab, name, given)


def _act(lab: Lab, name: str, given: dict[str, str]) -> int:
    if "get-stats" in given:
        _stats(lab, name, int(given.get("cpu") or 0))
    for action, word in WORDS:
        if action in given:
            vmm.tell(lab, name, word)
    if "destroy" in given:
        vmm.destroy(lab, name)
    return 0


def _stats(lab: Lab, name: str, cpu: int) -> None:
    """Counters of a virtual CPU; only the two sizes, in bytes, are true here."""
    memory = vmm.machine(lab, name).memory or 0
    print(f"vcpu{cpu} stats:")
    counters = ("vcpu migration across host cpus", "vm exits due to external interrupt", "vcpu total runtime")
    for label, value in (*((counter, 0) for counter in counters), ("Resident memory", memory), ("Wired memory", 0)):
        print(f"{label:<40}\t{value}")


def _usage(known: dict[str, str]) -> int:
    print("Usage: bhyvectl --vm=<vmname>", file=sys.stderr)
    for option, kind in known.items():
        if option != "vm":
            print(f"       [--{option}{'=<value>' if kind else ''}]", file=sys.stderr)
    return 1
