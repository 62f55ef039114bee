"""Trying a target with many cases, and what came of it; also by itself, as the child process of `make fuzz`.

`python -m fuzz.trials ENGINE TARGET CASES SEED` prints the outcome as JSON. The engines: `coverage` is atheris, which
changes cases that reached new code; `hypothesis` has cases from nowhere.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

LONGEST = 160
"""Bytes of a case, each of which may be a word."""

SECONDS = 10
"""What one case may take; a longer one is a finding."""


@dataclass
class Trial:
    """What came of a target: how many cases, and for each place where one failed the shortest, as a sentence."""

    cases: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    _shortest: dict[str, int] = field(default_factory=dict)

    def case(self, check: Callable[[bytes], None], case: bytes) -> None:
        """Try one case; what it raises is kept, whatever that is."""
        self.cases += 1
        try:
            check(case)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
            if len(case) < self._shortest.get(where, LONGEST + 1):
                self._shortest[where] = len(case)
                self.failed[where] = f"{error}: {case!r}"


def by_hypothesis(check: Callable[[bytes], None], cases: int, seed: int) -> Trial:
    """Try a target with cases that hypothesis makes."""
    import hypothesis
    from hypothesis import strategies as some

    trial = Trial()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate,),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(some.binary(max_size=LONGEST))
    def one(case: bytes) -> None:
        trial.case(check, case)

    one()
    return trial


def _by_coverage(name: str, cases: int, seed: int) -> None:
    """Try a target with cases that atheris makes; prints the outcome and ends the process, which libFuzzer would."""
    import atheris

    with atheris.instrument_imports(include=["chyves", "fuzz"]):
        from fuzz.targets import TARGETS
    check = next(target.check for target in TARGETS if target.name == name)
    trial = Trial()

    def one(case: bytes) -> None:
        trial.case(check, case)
        if trial.cases >= cases:
            _print(trial)
            os._exit(0)

    limits = [f"-seed={seed}", f"-max_len={LONGEST}", f"-timeout={SECONDS}"]
    atheris.Setup(["fuzz", *limits, "-verbosity=0", f"-artifact_prefix={tempfile.gettempdir()}/"], one)
    atheris.Fuzz()


def _print(trial: Trial) -> None:
    kept = asdict(trial)
    print(json.dumps({name: kept[name] for name in ("cases", "failed")}), flush=True)


def main(words: Sequence[str]) -> int:
    """Try one target with one engine."""
    engine, name, cases, seed = words
    if engine == "coverage":
        _by_coverage(name, int(cases), int(seed))
    from fuzz.targets import TARGETS

    check = next(target.check for target in TARGETS if target.name == name)
    _print(by_hypothesis(check, int(cases), int(seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
