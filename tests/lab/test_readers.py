"""Readers never wait for writers, and see what was before or what is after: nothing half done, no guest missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from chyves.lab.place import Lab
from tests.host_commands import break_lab, chyves, done, environment, start, zfs

WRITERS = ("a rename c", "c clone d -cu", "d disk add 64M", "b,c snapshot @x", "d delete", "e create 64M")
STOPPING = """\
import os, signal, sys
put, left = os.rename, [int(sys.argv.pop(1))]
def stop(*names):
    left[0] -= 1
    left[0] or os.kill(os.getpid(), signal.SIGSTOP)
    put(*names)
os.rename = stop
from chyves.__main__ import main
sys.exit(main())
"""
LOOKS = ("list", "b get cpu", "all get all --json")

Seen = tuple[str, ...]


def seen(lab: Lab) -> Seen:
    """What readers are told, none of whom fails, warns or waits (the programs that they run end by themselves)."""
    results = [chyves(lab, *line.split()) for line in LOOKS]
    assert [(result.returncode, result.stderr) for result in results] == [(0, "")] * len(LOOKS)
    return tuple(result.stdout for result in results)


def stops(writer: subprocess.Popen[str]) -> bool:
    """Whether a writer stands still now; else it has come to its end, and well."""
    _, status = os.waitpid(writer.pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return True
    writer.returncode = os.waitstatus_to_exitcode(status)
    _, error = writer.communicate()
    assert writer.returncode == 0, error
    return False


def still(lab: Lab, line: str) -> Iterator[None]:
    """Each moment at which a writer has just changed the host, or is about to, and stands still with its locks."""
    break_lab(lab, 1, "SIGSTOP", "parent")
    fault = lab.state / "fault"
    writer, nth = start(lab, *line.split()), 1
    while stops(writer):
        yield
        nth += 1
        fault.write_text(fault.read_text().replace(f"{nth - 1} ", f"{nth} ", 1))
        os.kill(writer.pid, signal.SIGCONT)


def test_readers_answer_while_a_writer_stands_still_at_any_change_of_the_host(lab: Lab) -> None:
    done(lab, "dataset", "zroot", "install")
    done(lab, "a,b", "create", "64M")
    before, moments = seen(lab), 0
    for line in WRITERS:
        told = []
        for _ in still(lab, line):
            told.append(seen(lab))
        after = seen(lab)
        for each in told:
            assert all(look in (old, new) for look, old, new in zip(each, before, after, strict=True)), line
        before, moments = after, moments + len(told)
    assert moments > 15


def test_readers_answer_while_files_are_put_in_their_places(lab: Lab) -> None:
    """Of several guests each has all of its old properties, or all of its new ones."""
    done(lab, "dataset", "zroot", "install")
    done(lab, "a,b,c", "create", "64M")
    for nth in range(1, 7):
        writer = start_stopping(lab, nth, "a,b,c", "set", f"cpu={nth + 1}", f"notes={nth + 1}")
        stopped = stops(writer)
        guests = json.loads(chyves(lab, "all", "get", "all", "--json").stdout)["properties"]
        for name in ("a", "b", "c"):
            own = {row["property"]: row["value"] for row in guests if row["owner"] == name}
            assert (own["cpu"], own["notes"]) in ((str(nth + 1),) * 2, (str(nth),) * 2 if nth > 1 else ("1", None))
        if not stopped:
            assert nth > 4
            return
        os.kill(writer.pid, signal.SIGCONT)
        assert not stops(writer)
    pytest.fail("the writer stands still at every change")


def test_a_guest_that_is_renamed_between_two_looks_of_a_reader_is_listed_by_its_new_name(lab: Lab) -> None:
    """The datasets are listed first, and the files are read after that."""
    done(lab, "dataset", "zroot", "install")
    done(lab, "a,b", "create", "64M")
    reader = start_stopped_after_listing(lab, "list", "cpu", "-H")
    zfs(lab, "rename", "zroot/chyves/guests/a", "zroot/chyves/guests/c")
    os.kill(reader.pid, signal.SIGCONT)
    out, error = reader.communicate(timeout=60)
    assert (reader.returncode, out, error) == (0, "b\t1\nc\t1\n", "")


def start_stopped_after_listing(lab: Lab, *words: str) -> subprocess.Popen[str]:
    """A reader that stands still once zfs has told it the datasets."""
    zfs_of_lab = lab.bin / "zfs"
    program = zfs_of_lab.with_name("zfs-itself")
    zfs_of_lab.rename(program)
    zfs_of_lab.write_text(
        f'#!/bin/sh\n{program} "$@"\nstatus=$?\n'
        f'case "$*" in *volsize*) mv {program} {zfs_of_lab}; kill -STOP $PPID;; esac\nexit $status\n'
    )
    zfs_of_lab.chmod(0o755)
    reader = start(lab, *words)
    assert stops(reader)
    return reader


def start_stopping(lab: Lab, nth: int, *words: str) -> subprocess.Popen[str]:
    """A writer that stands still when it is about to put its nth file in its place."""
    return subprocess.Popen(
        [sys.executable, "-c", STOPPING, str(nth), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(lab),
    )
