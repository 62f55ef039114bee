"""How chyves itself is brought up to date: it tells, compares when it is asked, and goes nowhere by itself."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import chyves
from chyves.cli.tables import plain
from chyves.errors import ChyvesError, UsageError
from chyves.host.machine import Host
from chyves.host.run import Runner
from chyves.resources import upgrade
from tests.file_servers import Served, WebFiles, serving


def host(place: Path, **programs: str) -> Host:
    """A host that has these programs, each a script for sh."""
    (place / "bin").mkdir()
    for name, script in programs.items():
        program = place / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return Host(place, Runner({}, str(place / "bin")))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chyves that is no checkout."""
    file = tmp_path / "lib" / "chyves" / "__init__.py"
    monkeypatch.setattr(chyves, "__file__", str(file))
    return file


@pytest.mark.usefixtures("installed")
def test_a_package_is_brought_up_to_date_by_pkg(tmp_path: Path) -> None:
    script = f'[ "$1" = -N ] && exit 0; [ "$*" = "which -q {chyves.__file__}" ] && echo py311-chyves-0.3.0_1'
    told = plain(upgrade.upgrade(host(tmp_path, pkg=script)))
    assert "this is the package py311-chyves-0.3.0_1; bring it up to date with: pkg upgrade py311-chyves\n" in told


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("script", ["exit 1", '[ "$1" = -N ] && exit 0; exit 1', None])
def test_what_is_no_package_was_put_there_by_hand(tmp_path: Path, script: str | None) -> None:
    told = plain(upgrade.upgrade(host(tmp_path, **({"pkg": script} if script else {}))))
    assert "this was put here by hand; bring it up to date in a checkout with: git pull && make install\n" in told


def test_a_checkout_is_brought_up_to_date_by_git(tmp_path: Path, installed: Path) -> None:
    (installed.parents[1] / ".git").mkdir(parents=True)
    top = installed.parents[1]
    assert f"git -C {top} pull && make -C {top} install\n" in plain(upgrade.upgrade(host(tmp_path)))


def test_fault_13_no_address_is_asked_but_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 13: 0.2.0 fetched from the web, installed as root, and sent a unique id."""
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *words, **_: asked.append(words))
    monkeypatch.setattr(socket.socket, "connect", lambda *words: asked.append(words))
    here = host(tmp_path)
    upgrade.upgrade(here)
    for branch in ("master", "dev"):
        with pytest.raises(UsageError, match="chyves fetches and installs nothing of itself"):
            upgrade.upgrade(here, (branch,))
    with pytest.raises(UsageError, match="chyves asks the web for nothing by itself"):
        upgrade.check(here)
    assert asked == []


def test_fault_13_what_is_asked_learns_nothing_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    server = WebFiles()
    server.files["/VERSION"] = Served(b"99.0\n")
    with serving(server):
        told = plain(upgrade.check(host(tmp_path), (server.url("/VERSION"),)))
    (headers,) = server.files["/VERSION"].asked
    assert "99.0 is newer" in told
    assert set(headers) <= {"Host", "User-Agent", "Accept-Encoding", "Connection"}
    assert headers["User-Agent"] == f"chyves/{chyves.__version__}"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.3.0\n", "0.3.0"),
        ("v1.2\n", "1.2"),
        ("chyves 0.4\n", "0.4"),
        ('__version__ = "0.4.1"\n', "0.4.1"),
        ('{\n  "version": "0.4.1",\n}\n', "0.4.1"),
        ("# words\nDISTVERSION=\t0.5.0\n", "0.5.0"),
        ("PORTVERSION: 0.5.0 and more\n", None),
        ("12\n", None),
        ("", None),
    ],
)
def test_version_of_a_text(text: str, version: str | None) -> None:
    assert upgrade.version_in(text) == version


def test_versions_are_compared_by_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chyves, "__version__", "0.10.0")
    assert upgrade.compared("0.9.9") == "0.9.9 is older"
    assert upgrade.compared("0.10") == "this is the newest"
    assert upgrade.compared("0.11") == "0.11 is newer"


def test_a_server_that_has_it_not_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    server = WebFiles()
    with serving(server), pytest.raises(ChyvesError, match=r"cannot be read: Not Found; name another"):
        upgrade.check(host(tmp_path), (server.url("/VERSION"),))
