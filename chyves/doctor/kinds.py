"""Every kind of finding, once: what it means, and how it is repaired or why not. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class How(enum.Enum):
    """Who repairs a finding of a kind."""

    SETTLED = "What any command that changes something puts right before all else, and doctor repair too"
    REPAIRED = "What doctor repair puts right"
    TOLD = "What is left to the administrator, who is told how: it is a choice, or something could be lost"


@dataclass(frozen=True)
class Kind:
    """A row of the table: `means` is what is so, `remedy` what repairs it, or why it is left to the administrator."""

    name: str
    means: str
    how: How
    remedy: str


_ROWS = (
    # Changes that were broken off.
    Kind("half-made", "A guest, disk or copy was not made to its end.", How.SETTLED, "It is taken back."),
    Kind("half-deleted", "A guest or disk was not deleted to its end.", How.SETTLED, "That is finished."),
    Kind("half-moved", "A guest was not moved to another pool to its end.", How.SETTLED, "That is finished."),
    Kind("half-installed", "The datasets of a pool were not made to their end.", How.REPAIRED, "They are taken back."),
    Kind("half-uninstalled", "A pool was not uninstalled to its end.", How.SETTLED, "That is finished."),
    Kind("half-imported", "An image was not imported to its end.", How.REPAIRED, "It is taken back."),
    Kind("half-dropped", "An image was not deleted to its end.", How.REPAIRED, "That is finished."),
    Kind("half-renamed", "A guest or image was not renamed to its end.", How.SETTLED, "Finished, or taken back."),
    Kind("half-changed", "A change of several things was not done to its end.", How.SETTLED, "Finished or taken back."),
    Kind("half-written", "A new file was never put in its place.", How.SETTLED, "It is removed."),
    Kind("bad-note", "What a broken off change noted cannot be read.", How.TOLD, "Nobody knows what it was about."),
    # Datasets.
    Kind("no-guest", "A dataset among the guests is no guest.", How.TOLD, "It may hold something."),
    Kind("bad-name", "A name is none that chyves can use.", How.TOLD, "The name is the administrator's to choose."),
    Kind("two-pools", "Two pools have a guest of one name.", How.TOLD, "Either may be the one that is wanted."),
    Kind("not-mounted", "A file system is not mounted.", How.REPAIRED, "It is mounted."),
    Kind("no-mountpoint", "A file system has no place to be mounted at.", How.TOLD, "Somebody has set it so."),
    Kind("lost-parent", "A clone hangs on a guest that is no more.", How.TOLD, "What it hangs on may be wanted."),
    Kind("spare-snapshot", "A snapshot is left that a clone needed.", How.REPAIRED, "It is destroyed."),
    Kind("open-template", "A template's datasets can be changed.", How.SETTLED, "They are closed."),
    Kind("closed-guest", "A guest's datasets cannot be changed.", How.TOLD, "Somebody has set them so."),
    Kind("stray-volume", "A volume of a guest is none of its disks.", How.TOLD, "A disk is never destroyed."),
    Kind("unplaced-disk", "A disk has no place on the guest's bus.", How.REPAIRED, "It gets one, which it keeps."),
    Kind("missing-disk", "Properties name a disk that is not there.", How.REPAIRED, "It is taken out of them."),
    Kind("words-of-disk", "A text is about a disk that is not there.", How.TOLD, "Texts are the administrator's."),
    # Properties.
    Kind("unreadable", "A file of properties cannot be read.", How.TOLD, "Only its owner knows what was in it."),
    Kind("unknown", "A property is not known.", How.TOLD, "It may be somebody's own, or a mistyped one."),
    Kind("invalid", "A property has a value that it cannot have.", How.TOLD, "The value is a choice."),
    Kind("newer", "A newer chyves has written it.", How.TOLD, "This one does not know what it means."),
    Kind("no-primary", "It is not clear which pool is the primary one.", How.TOLD, "The pool is a choice."),
    Kind("two-primaries", "A pool says still that it is the primary one.", How.SETTLED, "It becomes secondary."),
    Kind("missing-firmware", "The firmware that is named is not there.", How.TOLD, "It has to be imported."),
    Kind("missing-snapshot", "The snapshot to go back to is not there.", How.TOLD, "The snapshot is a choice."),
    Kind("missing-guest", "A guest comes after one that is not there.", How.TOLD, "The order is a choice."),
    # What no two guests may share.
    Kind("shared-uuid", "Two guests have one uuid.", How.TOLD, "Which of them changes is a choice."),
    Kind("shared-mac", "Two network cards have one address.", How.TOLD, "Which of them changes is a choice."),
    Kind("shared-tap", "Two guests have one interface.", How.TOLD, "Which of them loses it is a choice."),
    Kind("shared-serial", "Two guests have one serial line.", How.TOLD, "Which of them changes is a choice."),
    Kind("shared-port", "Two guests have one VNC port.", How.TOLD, "Which of them changes is a choice."),
    # Network.
    Kind("two-bridges", "Two bridges have one interface.", How.REPAIRED, "It stays where it counts now, on the first."),
    Kind("nobodys-tap", "A bridge's list has a tap of nobody.", How.TOLD, "It may be kept for a guest to come."),
    Kind("no-bridge", "A guest's tap is on no bridge.", How.TOLD, "The bridge is a choice."),
    Kind("shared-uplink", "Two bridges have one uplink.", How.TOLD, "Which of them loses it is a choice."),
    Kind("missing-uplink", "A bridge's uplink is not there.", How.TOLD, "The card is a choice."),
    Kind("spare-tap", "A tap is left of a guest that does not run.", How.REPAIRED, "It is destroyed."),
    Kind("taken-tap", "A process has a tap of a guest that does not run.", How.TOLD, "Ending it is a choice."),
    Kind("spare-bridge", "An empty bridge is left that nothing names.", How.REPAIRED, "It is destroyed."),
    Kind("stray-tap", "A tap is not on the bridge that it belongs to.", How.REPAIRED, "It is put there."),
    Kind("other-vlans", "A tap is not in the VLANs that its guest was started with.", How.REPAIRED, "It is put there."),
    # What runs.
    Kind("dead-vmm", "The kernel has a VMM and no bhyve runs it.", How.REPAIRED, "It is destroyed."),
    Kind("dead-supervisor", "A guest's supervisor has died.", How.SETTLED, "A new one, or all it held is freed."),
    Kind("lone-bhyve", "A bhyve of chyves runs and nothing looks after it.", How.TOLD, "Ending it is a choice."),
    Kind("lost-guest", "What runs is a guest that is no more.", How.TOLD, "Ending it is a choice."),
    Kind("bad-record", "What is written down of a running guest cannot be read.", How.REPAIRED, "It is removed."),
    Kind("spare-files", "Files are left of a guest that does not run.", How.REPAIRED, "They are removed."),
    Kind("dead-session", "A console is locked by a session that is gone.", How.REPAIRED, "The lock is removed."),
    # Files, and what could not be looked at.
    Kind("loose-file", "Others may write what is for its owner alone.", How.REPAIRED, "They may no longer."),
    Kind("open-secret", "Others may read a secret.", How.REPAIRED, "They may no longer."),
    Kind("wrong-owner", "A file belongs to somebody else.", How.REPAIRED, "It is given back to its owner."),
    Kind("unseen", "A part of the host cannot be looked at.", How.TOLD, "What is wrong with it is not for chyves."),
)
KINDS = {kind.name: kind for kind in _ROWS}


@dataclass(frozen=True)
class Finding:
    """Something that does not fit.

    `owner` is whose it is: a guest, a pool, `global`, `defaults`, `host`; `thing` what of that: a dataset, an
    interface, a file; `what` says what is so and `remedy` what repair does or what the administrator can. `locks` are
    those whose holder may just be making it so; `repair` says whether chyves can repair this one.
    """

    kind: Kind
    owner: str
    thing: str
    what: str
    remedy: str
    locks: tuple[str, ...] = ()
    repair: bool = True

    @property
    def repairable(self) -> bool:
        return self.repair and self.kind.how is not How.TOLD

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known again by, when it is looked for once more."""
        return self.kind.name, self.owner, self.thing


def found(
    kind: str, owner: str, thing: str, what: str, remedy: str, locks: tuple[str, ...] = (), repair: bool = True
) -> Finding:
    """A finding of a kind by its name."""
    return Finding(KINDS[kind], owner, thing, what, remedy, locks, repair)
