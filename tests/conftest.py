"""What every test begins with, and the option that writes golden files and dialogues anew.

pytest tests/unit/test_launch.py --rewrite-golden
pytest tests/lab/test_dialogues.py --rewrite-golden
"""

from __future__ import annotations

import os
import signal

import pytest

# A run in the background (nohup, `&` in a script) has these ignored, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Where the machine has this set, each of the thousands of programs that are started here would compile chyves anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ONCE_MORE = pytest.mark.flaky(reruns=1)
"""Where guests boot and many processes meet, a machine that others use too can be too slow once. What failed is tried
once more, and told: the summary lists each RERUN with its traceback, so that one that wavers is seen, and mended."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what chyves gives now into tests/golden and tests/lab/dialogues; then look at the difference",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests on real ZFS come first: they wait for virtual machines, and would else be what all wait for at the end.

    They stay together, so that one process of xdist has them, and boots each machine once.
    """
    rooms = {item: item.path.relative_to(item.config.rootpath).parts[1] for item in items}
    items.sort(key=lambda item: rooms[item] != "zfs")
    for item in items:
        if rooms[item] != "unit":
            item.add_marker(ONCE_MORE)
