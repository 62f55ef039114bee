"""What the tests that boot guests share: the small real system that demo/system/build makes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "demo" / "system" / "build"
PROMPT = "tiny# "


@dataclass(frozen=True)
class System:
    """The pictures of the small system; see demo/system/build. They are shared: a guest gets a copy of the disk."""

    directory: Path

    @property
    def agent(self) -> Path:
        """The guest agent, to be loaded behind the initrd."""
        return self.directory / "agent"

    @property
    def iso(self) -> Path:
        return self.directory / "tiny.iso"

    @property
    def disk(self) -> Path:
        return self.directory / "tiny.img"


@pytest.fixture(scope="session")
def system() -> System:
    """The small system, built once on a machine (some seconds, and a download of 27 MB) and then kept."""
    if shutil.which("apt-get") is None:
        pytest.skip("the system that guests boot is built from Debian packages, and here is no apt-get")
    return _built()


@pytest.fixture(scope="session")
def generic_system() -> System:
    """The same with the kernel that has drivers for more: 9p, e1000, sound (a download of 70 MB, once)."""
    if shutil.which("apt-get") is None:
        pytest.skip("the system that guests boot is built from Debian packages, and here is no apt-get")
    return _built("generic")


def _built(*words: str) -> System:
    built = subprocess.run(
        [str(BUILD), *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=True
    )
    return System(Path(built.stdout.strip()))
