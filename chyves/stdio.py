"""The standard streams of this process: held where they are closed, printed to, and given up where that fails."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from chyves.errors import ChyvesError

IN, OUT, ERR = 0, 1, 2


def hold() -> None:
    """Have something in the place of each stream that is closed, as the next file that is opened would else be it.

    Standard output cannot be written then, and input not read; what is told on stderr goes nowhere, and not to stdout,
    where Python would print it.
    """
    for descriptor, mode in ((IN, os.O_WRONLY), (OUT, os.O_RDONLY), (ERR, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stdout is None:
        sys.stdout = os.fdopen(OUT, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def printed(text: str) -> None:
    """Print to standard output, at once; raises ChyvesError where it cannot be written, BrokenPipeError."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up(sys.stdout)
        raise ChyvesError(f"standard output: {error.strerror}; what was told is not all there") from None


def told(text: str) -> None:
    """Print a line to standard error; what cannot be told, on a full disk, keeps nothing from being done."""
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        give_up(sys.stderr)


def give_up(stream: TextIO) -> None:
    """Keep the interpreter from trying once more, at its end, to write what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
