"""The two ways in which FreeBSD's programs read their options: getopt(3) and, with long names, getopt_long(3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

ARGUMENT, OPTIONAL = ":", "::"


class BadOption(Exception):
    """An option that is unknown, or lacks its argument; the text is what getopt prints, without the program's name."""


class Options:
    """Iterates over (name, value) of the options in order; `rest` holds the operands afterwards.

    `letters` is a getopt string (`a:` takes an argument, `a::` may have one attached). `long` maps a long name to
    "", ":" or "::"; unique prefixes of long names are accepted. Without `permute` options end at the first operand.
    Raises BadOption when it comes to one, so options before it have had their effect.
    """

    def __init__(
        self, argv: list[str], letters: str, long: Mapping[str, str] | None = None, *, permute: bool = False
    ) -> None:
        self._left = list(argv)
        self._letters = _letters(letters)
        self._long = long or {}
        self._permute = permute
        self.rest: list[str] = []

    def __iter__(self) -> Iterator[tuple[str, str]]:
        while self._left:
            word = self._left.pop(0)
            if word == "--":
                break
            if word.startswith("--") and self._long:
                yield self._long_option(word[2:])
            elif word.startswith("-") and word != "-":
                yield from self._bundle(word[1:])
            elif self._permute:
                self.rest.append(word)
            else:
                self._left.insert(0, word)
                break
        self.rest += self._left

    def _bundle(self, word: str) -> Iterator[tuple[str, str]]:
        while word:
            letter, word = word[0], word[1:]
            kind = self._letters.get(letter)
            if kind is None:
                raise BadOption(f"illegal option -- {letter}")
            if kind == "":
                yield letter, ""
                continue
            if not word and kind == ARGUMENT:
                word = self._next(f"option requires an argument -- {letter}")
            yield letter, word
            return

    def _long_option(self, word: str) -> tuple[str, str]:
        given, equals, value = word.partition("=")
        found = [given] if given in self._long else [name for name in self._long if name.startswith(given)]
        if len(found) != 1:
            raise BadOption(f"{'ambiguous option' if found else 'unrecognized option'} -- {given}")
        kind = self._long[found[0]]
        if equals and not kind:
            raise BadOption(f"option doesn't take an argument -- {found[0]}")
        if not equals and kind == ARGUMENT:
            value = self._next(f"option requires an argument -- {found[0]}")
        return found[0], value

    def _next(self, complaint: str) -> str:
        if not self._left:
            raise BadOption(complaint)
        return self._left.pop(0)


def _letters(text: str) -> dict[str, str]:
    """`ab:c::` as {"a": "", "b": ":", "c": "::"}."""
    kinds: dict[str, str] = {}
    last = ""
    for character in text:
        if character == ":":
            kinds[last] += ":"
        else:
            kinds[character] = ""
            last = character
    return kinds
