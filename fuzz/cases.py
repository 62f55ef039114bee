"""What every target of the fuzzer is made from: bytes, read as text in which one byte can be a whole word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

ODD = (
    "\udcff \N{LATIN SMALL LETTER E WITH ACUTE} \N{ARABIC-INDIC DIGIT THREE} \N{LATIN SMALL LETTER LONG S} "
    "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE} \N{SUPERSCRIPT TWO} \N{DESKTOP COMPUTER} ../ .. /dev/null $(touch\tx) "
    "`x` ${IFS} ; -- - @ :// %2e%2e [::1] 0x10 1e9 -1 nan inf 1K 0 00 007"
).split(" ")
"""Words that have broken programs of this kind: digits and blanks that only Unicode has, half characters, shell."""

ODD_BLANKS = ("\N{LINE SEPARATOR}", "\x85", "\x1c", "\N{NO-BREAK SPACE}", "\N{ZERO WIDTH SPACE}", "\r\n", "\r", "\t")
LONG = ("9" * 25, "a" * 300, "a." * 200, "[" * 2000)


@dataclass(frozen=True)
class Target:
    """One thing to try: `check` gets a case and must raise nothing; `words` are what bytes from 0x80 stand for."""

    name: str
    check: Callable[[bytes], None]


def spoken(case: bytes, words: Sequence[str]) -> str:
    """A case as text: bytes below 0x80 are themselves, one from 0x80 chooses a word together with the byte behind it.

    So a mutation of one byte exchanges a whole word, and still every text of ASCII can come.
    """
    every = (*words, *ODD, *ODD_BLANKS, *LONG)
    parts: list[str] = []
    at = 0
    while at < len(case):
        byte = case[at]
        if byte < 0x80:
            parts.append(chr(byte))
        else:
            behind = case[at + 1] if at + 1 < len(case) else 0
            parts.append(every[((byte & 0x7F) << 8 | behind) % len(every)])
            at += 1
        at += 1
    return "".join(parts)
