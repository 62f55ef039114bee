"""The option with which golden files are written anew: pytest tests/unit/test_launch.py --rewrite-golden."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write what chyves gives now into tests/golden")
