"""What all unit tests share: the option that writes golden files anew, and no clock over hypothesis.

pytest tests/unit/test_launch.py --rewrite-golden
"""

from __future__ import annotations

import pytest
from hypothesis import settings

# A machine may be slow: no test fails for the time that it took.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write what chyves gives now into tests/golden")
