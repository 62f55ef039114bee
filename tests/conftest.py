"""What the tests of all kinds share: the option that writes golden files and dialogues anew.

pytest tests/unit/test_launch.py --rewrite-golden
pytest tests/lab/test_dialogues.py --rewrite-golden
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what chyves gives now into tests/golden and tests/lab/dialogues; then look at the difference",
    )
