"""Bridges that filter VLANs: what makes one of a bridge, and who must not be on it. Pure.

A member of such a bridge hears the VLANs that it was given, and nothing else (bridge(4) of FreeBSD 15.0). So a card
that has none is refused there, and a bridge does not begin to filter while others are on it that have none: they would
lose their network without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chyves.errors import ChyvesError
from chyves.network.steps import GROUP, Existing, Step
from chyves.vlans import Vlans


def steps(
    who: str, bridge: str, uplink: str | None, existing: Mapping[str, Existing], cards: Mapping[str, Vlans]
) -> list[Step]:
    """The step that makes a bridge filter where one of its `cards` has VLANs; raises ChyvesError, which names `who`.

    The uplink then carries all VLANs, with their tags. A bridge of chyves that nobody else is on filters no more.
    """
    known = existing.get(bridge)
    asking = next((tap for tap, vlans in cards.items() if vlans), None)
    trunk = (uplink,) if known is not None and uplink is not None and uplink in known.members else ()
    if known is not None and known.filters:
        ours = GROUP in known.groups and not {*known.members} - {*trunk, *cards}
        if cards and asking is None and ours and not any(_is_served(tap, bridge, existing) for tap in cards):
            return [Step(("unfilter", bridge, *trunk), ("filter", bridge, *trunk))]
        _refuse_deaf(who, bridge, cards, existing, None)
        return []
    if asking is None:
        return []
    what = f"{who}: {_property(asking, cards[asking])}"
    if any(there.filters is None for there in existing.values() if "bridge" in there.groups):
        raise ChyvesError(
            f"{what}: bridges of this host filter no VLANs, which those of FreeBSD 15.0 do; unset it, and attach "
            "the bridge to a vlan(4) instead"
        )
    _refuse_deaf(who, bridge, cards, existing, asking)
    if known is None:
        return [Step(("filter", bridge))]
    _refuse_unheard(what, bridge, uplink, known, cards)
    return [Step(("filter", bridge, *trunk), ("unfilter", bridge, *trunk))]


def filters(bridge: str, existing: Mapping[str, Existing], planned: Iterable[Step]) -> bool:
    """Whether a bridge filters once the steps for it are done."""
    told = [step.act[0] == "filter" for step in planned if step.act[0] in ("filter", "unfilter")]
    return told[-1] if told else bridge in existing and bool(existing[bridge].filters)


def _property(tap: str, vlans: Vlans) -> str:
    return f"{tap}_vlan" if vlans.untagged else f"{tap}_vlans"


def _refuse_deaf(
    who: str, bridge: str, cards: Mapping[str, Vlans], existing: Mapping[str, Existing], asking: str | None
) -> None:
    """Refuse a card without VLANs on a bridge that filters, or will for the card that is `asking`."""
    for tap, vlans in cards.items():
        if not vlans and not _is_served(tap, bridge, existing):
            why = f"{asking} has some, so that {bridge}" if asking else bridge
            raise ChyvesError(
                f"{who}: {tap}: has no VLANs, and {why} filters them: it would hear nothing; "
                f"set {tap}_vlan, or put it on another bridge: chyves network BRIDGE join {tap}"
            )


def _is_served(tap: str, bridge: str, existing: Mapping[str, Existing]) -> bool:
    """Whether a card without VLANs of its own gets some on a bridge: by its default, or as somebody else's tap."""
    known = existing.get(bridge)
    if known is None:
        return False
    mine = tap not in existing or GROUP in existing[tap].groups
    return bool(known.default_vlan and tap not in known.members) or bool(known.vlans.get(tap) and not mine)


def _refuse_unheard(what: str, bridge: str, uplink: str | None, known: Existing, cards: Mapping[str, Vlans]) -> None:
    """Refuse to have a bridge filter on which others live that have no VLANs: its members, and the host itself."""
    others = [it for it in known.members if it != uplink and it not in cards and not known.vlans.get(it)]
    if others:
        raise ChyvesError(
            f"{what}: {bridge} filters no VLANs yet, and {', '.join(others)} on it would hear nothing any more; "
            "give all of them VLANs while their guests are off, or take a bridge of its own: "
            "chyves network BRIDGE join TAP"
        )
    if known.addresses:
        raise ChyvesError(
            f"{what}: {bridge} filters no VLANs yet, and this host would not be reached any more at "
            f"{', '.join(known.addresses)}, its address there; take another bridge, or see to that and have it "
            f"filter: ifconfig {bridge} vlanfilter"
        )


def on_no_bridge(who: str, tap: str, vlans: Vlans) -> str:
    """Why a card cannot have VLANs that is on no bridge."""
    return (
        f"{who}: {_property(tap, vlans)}: {tap} is on no bridge that could filter; "
        f"put it on one: chyves network BRIDGE join {tap}"
    )


def refuse_administrators(who: str, tap: str, vlans: Vlans, existing: Mapping[str, Existing]) -> None:
    """Refuse VLANs that a tap does not have, where the administrator makes the network, and say how to make them."""
    if not vlans:
        return
    on = next((bridge for bridge, there in existing.items() if tap in there.members), None)
    now = existing[on].vlans.get(tap, Vlans()) if on else Vlans()
    if on is None or not existing[on].filters or now != vlans:
        words = f"addm {tap} {vlans}" if on is None else " ".join(_again(tap, vlans))
        raise ChyvesError(
            f"{who}: {_property(tap, vlans)}: {tap} is to be {vlans}, and is {now if now else 'in no VLAN'}; "
            f"network_design_mode is system, so do it: ifconfig {on or 'BRIDGE'} vlanfilter {words}"
        )


def _again(tap: str, vlans: Vlans) -> Iterator[str]:
    """ifconfig's words for a tap that is a member already."""
    yield f"ifuntagged {tap} {vlans.untagged}" if vlans.untagged else f"-ifuntagged {tap}"
    yield f"iftagged {tap} {vlans.tagged or 'none'}"
