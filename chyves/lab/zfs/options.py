"""Options as FreeBSD's getopt(3) reads them: the first operand ends them, nothing is permuted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chyves.lab.zfs.refusals import BadUsage, Refused


def argument_missing(letter: str) -> str:
    """What some commands say of an option that lacks its value; to the others it is an invalid option."""
    return f"missing argument for '{letter}' option"


def _invalid(letter: str) -> str:
    return f"invalid option '{letter}'"


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


class Options:
    """The options of one command line.

    `letters` is getopt's string without the leading colon: a letter followed by `:` takes a value. Raises BadUsage
    for an unknown letter, and with the text of `unargued` for a letter that lacks its value. `long` are the options
    with two dashes; a command that has some is read by getopt_long(3), which lets options follow operands.
    """

    def __init__(
        self,
        words: Sequence[str],
        letters: str,
        unargued: Callable[[str], str] = _invalid,
        long: Mapping[str, str] | None = None,
    ) -> None:
        self.given: list[tuple[str, str]] = []
        self.operands: list[str] = []
        self._letters, self._unargued = letters, unargued
        rest = list(words)
        while rest and (long or _is_option(rest[0])):
            word = rest.pop(0)
            if word == "--":
                break
            if not _is_option(word):
                self.operands.append(word)
            elif word.startswith("--") and long:
                self._long(word, long)
            else:
                self._cluster(word[1:], rest)
        self.operands += rest

    def only(self, kind: str) -> str:
        """The one operand that a command takes; raises BadUsage for none, which names its kind, and for more."""
        if not self.operands:
            raise BadUsage(f"missing {kind} argument")
        if len(self.operands) > 1:
            raise BadUsage("too many arguments")
        return self.operands[0]

    def _long(self, word: str, long: Mapping[str, str]) -> None:
        if word[2:] not in long:
            raise BadUsage(f"invalid option '{word}'")
        self.given.append((long[word[2:]], ""))

    def _cluster(self, cluster: str, rest: list[str]) -> None:
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            at = self._letters.find(letter)
            if at < 0 or letter == ":":
                raise BadUsage(_invalid(letter))
            if self._letters[at + 1 : at + 2] != ":":
                self.given.append((letter, ""))
                continue
            if not cluster and not rest:
                raise BadUsage(self._unargued(letter))
            self.given.append((letter, cluster or rest.pop(0)))
            return

    def __contains__(self, letter: str) -> bool:
        return any(one == letter for one, _ in self.given)

    def values(self, letter: str) -> list[str]:
        """Every value given for a letter, in order."""
        return [value for one, value in self.given if one == letter]

    def last(self, letter: str) -> str | None:
        """The value that counts when a letter may be given once."""
        values = self.values(letter)
        return values[-1] if values else None


def assignments(words: Sequence[str]) -> dict[str, str]:
    """`property=value` words as a mapping; raises Refused for one without `=` and for one given twice."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused("missing '=' for property=value argument")
        if name in found:
            raise Refused(f"property '{name}' specified multiple times")
        found[name] = value
    return found
