"""The few kinds of error, each with the exit status that it means."""

from __future__ import annotations

from collections.abc import Sequence


class ChyvesError(Exception):
    """Something failed; its text is one sentence: name, reason, what to do."""

    status = 1


class UsageError(ChyvesError):
    """The words typed are not a command."""

    status = 2


class Busy(ChyvesError):
    """Another program holds what is needed."""

    status = 75


class Vanished(ChyvesError):
    """What was to be read has gone since it was seen: another command was at work, and a second look helps."""


class NeedsRoot(ChyvesError):
    """The command changes the host and was not started by root."""

    status = 77


class Denied(ChyvesError):
    """A file is there that this user may not read."""


class Interrupted(ChyvesError):
    """A signal came; what was done so far has been taken back."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number
        self.status = 128 + number


class ProgramFailed(ChyvesError):
    """A program of the host failed; carries its words."""

    def __init__(self, argv: Sequence[str], code: int, said: str) -> None:
        self.argv, self.code, self.said = tuple(argv), code, said.strip()
        super().__init__(f"{' '.join(argv)}: {self.said or f'ended with status {code}'}")


class SeveralFailed(ChyvesError):
    """Some guests of several failed; each was told when it happened, and `errors` are theirs."""

    def __init__(self, text: str, errors: Sequence[ChyvesError] = ()) -> None:
        super().__init__(text)
        self.errors = tuple(errors)
