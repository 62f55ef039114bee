"""`zfs send`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO

from chyves.lab.zfs import datasets, difference, locking, names, packing, resuming, sending
from chyves.lab.zfs.datasets import BOOKMARK, HEADS, SNAPSHOT, Dataset
from chyves.lab.zfs.difference import Position
from chyves.lab.zfs.options import Options, argument_missing
from chyves.lab.zfs.refusals import BadUsage, Refused
from chyves.lab.zfs.sending import Part
from chyves.lab.zfs.state import State
from chyves.lab.zfs.stream import Writer

_LONG = {
    "replicate": "R", "skip-missing": "s", "props": "p", "parsable": "P", "dedup": "D", "proctitle": "V",
    "verbose": "v", "dryrun": "n", "large-block": "L", "embed": "e", "compressed": "c", "raw": "w", "backup": "b",
    "holds": "h", "saved": "S",
}  # fmt: skip
_NOT_RESUMED = 255
_LETTERS = "i:I:RsDpVvnPLeht:cwbd:SX:"


def send(state: State, words: Sequence[str]) -> int:
    """zfs send."""
    # A receiver that is gone is told in words, not by a signal.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    options = Options(words, _LETTERS, argument_missing, _LONG)
    _check(options)
    if "n" not in options and os.isatty(1):
        raise Refused("Error: Stream can not be written to a terminal.\nYou must redirect standard output.")
    if "t" in options:
        try:
            return _resume(state, options)
        except Refused as why:
            print(why, file=sys.stderr)
            return _NOT_RESUMED
    name = options.operands[0]
    if "s" in options and "R" not in options:
        raise BadUsage("skip-missing flag can only be used in conjunction with replicate")
    if "R" in options or "I" in options:
        return _send_several(state, name, options)
    return _send_one(state, name, options)


def _check(options: Options) -> None:
    for letter, what in (("S", "a partly received state"), ("d", "a redacted stream")):
        if letter in options:
            raise Refused(f"cannot send: the lab's zfs does not send {what}")
    if len(options.values("i") + options.values("I")) > 1:
        raise BadUsage("")
    if "X" in options and "R" not in options:
        raise Refused("Cannot specify dataset exclusion (-X) on a non-recursive send.")
    if "D" in options:
        print("WARNING: deduplicated send is no longer supported.  A regular,", file=sys.stderr)
        print("non-deduplicated stream will be generated.\n", file=sys.stderr)
    if "t" in options and any(letter in options for letter in "iIRpbh"):
        raise BadUsage("invalid flags combined with -t")
    wanted = 0 if "t" in options else 1
    if len(options.operands) < wanted:
        raise BadUsage("missing snapshot argument")
    if len(options.operands) > wanted:
        raise BadUsage("too many arguments")


def _send_one(state: State, name: str, options: Options) -> int:
    """Everything but -R and -I: one snapshot, whole or as what differs from another; or a file system not in use."""
    target = datasets.require(state, name, (*HEADS, SNAPSHOT))
    problem = f"warning: cannot send '{name}'"
    base = _base(state, options, target, problem)
    if target.kind != SNAPSHOT:
        _refuse_head(state, target, options, problem)
    part = Part(target, base, base is not None and names.head(base.name) != names.head(target.name), None)
    header = packing.describe(state, [target], None, options) if set("pbh") & _given(options) else None
    telling = sending.Telling(options)
    telling.plan(state, [part], whole_names=True)
    return 0 if "n" in options else _write(state, header, [part], telling, problem)


def _refuse_head(state: State, target: Dataset, options: Options, problem: str) -> None:
    """Raise Refused for a file system or volume that cannot be sent as it is; it has no snapshot to tell of."""
    if set("pbh") & _given(options):
        missing = f"cannot send {target.name}@: snapshot {target.name}@ does not exist"
        raise Refused(f"{missing}\n{problem}: backup failed")
    if set("vPV") & _given(options):
        raise Refused(f"{problem}: Invalid argument")  # how big it will be can only be told of snapshots
    if "n" not in options:
        sending.refuse_in_use(state, target, problem)


def _given(options: Options) -> set[str]:
    return {letter for letter, _ in options.given}


def _base(state: State, options: Options, target: Dataset, problem: str) -> Dataset | None:
    """The snapshot or bookmark that a stream begins at; raises Refused unless it is an earlier one of its line."""
    word = options.last("i")
    if word is None:
        return None
    if "@" not in word and "#" not in word:
        print(
            "Warning: incremental source didn't specify type, assuming snapshot. "
            "Use '@' or '#' prefix to avoid ambiguity.",
            file=sys.stderr,
        )
        word = f"@{word}"
    name = names.head(target.name) + word if word[0] in "@#" else word
    if "@" in name:
        datasets.require(state, name, datasets.DATASETS)
    found = datasets.find(state, name)
    if not found and "n" in options:
        if set("vPV") & _given(options):
            raise Refused(f"{problem}: No such process")
        return None
    if not found or found.kind not in (SNAPSHOT, BOOKMARK):
        raise Refused(f"{problem}: incremental source ({name}) does not exist")
    if not _earlier(state, found, target):
        raise Refused(f"{problem}: not an earlier snapshot from the same fs")
    return found


def _earlier(state: State, base: Dataset, target: Dataset) -> bool:
    """Whether a snapshot is an older one of a dataset, or of what that was cloned from."""
    one: Dataset | None = target
    while one is not None:
        head = datasets.require(state, names.head(one.name), HEADS)
        if names.head(base.name) == head.name:
            return one.kind != SNAPSHOT or (base.txg, base.id) < (one.txg, one.id) or base.id == head.origin
        one = datasets.by_id(state, head.origin) if head.origin is not None else None
        if one is not None and one.guid == base.guid:
            return True
    return False


def _send_several(state: State, name: str, options: Options) -> int:
    """-R and -I: several snapshots in one package."""
    begin = options.last("I") or options.last("i")
    if begin is not None and "#" in begin:
        raise Refused("Error: multiple snapshots cannot be sent from a bookmark.")
    if "@" not in name:
        raise Refused("Error: Unsupported flag with filesystem or bookmark.")
    head, _, tag = name.partition("@")
    top = datasets.require(state, head, HEADS)
    first = _first(state, top, begin)
    for needed in ([f"{head}@{first}"] if first is not None else []) + [name]:
        datasets.require(state, needed, [SNAPSHOT])
    choice = packing.Choice(
        top, tag, first,
        replicate="R" in options,
        between="I" in options or ("R" in options and begin is None),
        from_origin=begin is not None and first is None,
        skip_missing="s" in options,
        excluded=frozenset(word for given in options.values("X") for word in given.split(",")),
    )  # fmt: skip
    try:
        heads = packing.heads(state, choice)
    except Refused as why:
        raise Refused(f"{why}\nwarning: cannot send '{head}': backup failed") from None
    header = packing.describe(state, heads, choice, options)
    parts, failed = packing.parts(state, heads, choice)
    telling = sending.Telling(options)
    telling.plan(state, parts, whole_names=False)
    status = 1 if failed or not parts else 0
    if "n" in options:
        return status
    if not parts:
        # What the package says of itself goes out before it shows that there is nothing to send.
        writer = Writer(sys.stdout.buffer)
        writer.begin(header)
        writer.end()
        return status
    return _write(state, header, parts, telling, f"cannot send '{head}'") or status


def _first(state: State, top: Dataset, word: str | None) -> str | None:
    """The tag after -i or -I; None where the stream begins at the beginning, which may be the origin of a clone."""
    if word is None:
        return None
    origin = datasets.by_id(state, top.origin).name if top.origin is not None else None
    if word == origin:
        return None
    head, at, tag = word.rpartition("@")
    if at and head and head != top.name:
        raise BadUsage("incremental source must be in same filesystem")
    if "@" in tag or "/" in tag or not tag:
        raise BadUsage("invalid incremental source")
    return tag


def _write(
    state: State, header: packing.Header | None, parts: Sequence[Part], telling: sending.Telling, problem: str,
    start: Position | None = None,
) -> int:  # fmt: skip
    used = [one for part in parts for one in (part.target, part.base) if one and one.kind != BOOKMARK]
    with locking.shared(sorted({datasets.data(state, one) for one in used})):
        try:
            _write_to(state, sys.stdout.buffer, header, parts, telling, start)
        except BrokenPipeError:
            # What Python would still write at its end has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise Refused(f"{problem}: Broken pipe") from None
    return 0


def _write_to(
    state: State, file: BinaryIO, header: packing.Header | None, parts: Sequence[Part], telling: sending.Telling,
    start: Position | None,
) -> None:  # fmt: skip
    writer = Writer(file)
    if header is not None:
        writer.begin(header)
        writer.end()
    for part in parts:
        with telling.progress(writer, part):
            writer.begin(sending.begin(part, start))
            new, old = sending.contents(state, part)
            difference.send(writer, new, old, start)
            writer.end()
    if header is not None:
        writer.end()


def _resume(state: State, options: Options) -> int:
    """-t: what is missing of a stream that was cut off."""
    begin, start = resuming.read_token(options.last("t") or "")
    name, guid = str(begin["name"]), int(begin["guid"])
    target = datasets.find(state, name)
    if not target:
        raise Refused(f"cannot resume send: '{name}' used in the initial send no longer exists")
    if target.guid != guid:
        raise Refused(f"cannot resume send: '{name}' is no longer the same snapshot used in the initial send")
    base = None
    if begin["from"]:
        base = next(iter(datasets.select(state, "WHERE guid = ? AND kind != 'bookmark'", (begin["from"],))), None)
        if base is None:
            raise Refused(f"cannot resume send: incremental source {begin['from']:#x} no longer exists")
    part = Part(target, base, bool(begin["clone"]), None)
    telling = sending.Telling(options)
    telling.plan(state, [part], whole_names=True)
    problem = f"warning: cannot send '{name}'"
    return 0 if "n" in options else _write(state, None, [part], telling, problem, start)
