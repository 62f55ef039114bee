"""What brings datasets of chyves 0.2.0 up, a step a version; nothing else knows it.

A step adds what is missing and leaves what is there, so that what a user changed stays. chyves 0.3.0 has no version of
its own: what it added has a default in the table of properties, and 0.2.0 passes over names that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PLAIN_BARGS, WIRED_BARGS = "-A -H -P", "-A -H -P -S"
WIRING_SINCE = 1003000
"""kern.osreldate from which 0.2.0 had guests wire their memory, which devices of the host need."""
NO_SNAPSHOT = {"revert_to_snapshot": "", "revert_to_snapshot_method": "off"}


@dataclass(frozen=True)
class Step:
    """The way to a version: properties of guests, or of defaults, that it adds; and of the host (`settings`).

    `wired` replaces bargs that are as they were made; `snapdir` shows the snapshots of a guest's properties.
    """

    version: str
    added: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    wired: bool = False
    snapdir: bool = False


DATASET_STEPS = (
    Step("0002", added={"bhyve_net_type": "virtio-net"}),
    Step("0003", added=NO_SNAPSHOT, wired=True),
    Step("0004", settings={"eject_iso_on_n_reboot": "1"}),
    Step("0005", added={"bhyveload_flags": "", "bhyve_disk_type": "ahci-hd"}),
)
GUEST_STEPS = (
    Step("0101", added={"bhyve_net_type": "virtio-net"}),
    Step("0102", added=NO_SNAPSHOT, wired=True),
    Step("0200", snapdir=True),
    Step("0201"),
    Step("0202", added={"bhyveload_flags": ""}),
    Step("0300", added={"bhyve_disk_type": "ahci-hd"}),
)

OLD_BLOCK_SIZE, BLOCK_SIZE = "512", "16K"
"""disk_volblocksize as 0.2.0 made it, with which every volume is slow and large, and as it is to be."""


def after(version: str, steps: Sequence[Step]) -> list[Step]:
    """The steps that lead from a version to ours."""
    return [step for step in steps if step.version > version]


def additions(text: Mapping[str, str], steps: Sequence[Step], release: int) -> dict[str, str]:
    """What steps change in the properties of a guest or of the defaults; `release` is kern.osreldate."""
    found = {name: value for step in steps for name, value in step.added.items() if name not in text}
    if text.get("bargs") == PLAIN_BARGS and release >= WIRING_SINCE and any(step.wired for step in steps):
        found["bargs"] = WIRED_BARGS
    return found


def settings(text: Mapping[str, str], steps: Sequence[Step]) -> dict[str, str]:
    """What steps change in the properties of the host."""
    return {name: value for step in steps for name, value in step.settings.items() if name not in text}
