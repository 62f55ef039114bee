"""Locks on files of the store: they tell the dead from the living, as the kernel drops those of a killed process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def shared(paths: Iterable[str]) -> Iterator[None]:
    """Hold paths that are read for a long time, such as snapshots while they are sent."""
    with ExitStack() as held:
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def tried(path: str) -> Iterator[bool]:
    """Hold a path alone, where nobody else holds it; whether that is so. A path that is not there is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    try:
        yield free
    finally:
        os.close(descriptor)
