"""What is written down of a running guest, by this chyves, an older one and a later one."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chyves.errors import ChyvesError
from chyves.guests import running
from chyves.guests.running import FORMAT, TYPES, Running
from chyves.host.machine import Host
from chyves.host.processes import Processes
from chyves.host.run import PLACES, Runner

DATA = Path(__file__).parents[1] / "data/run"
WORDS = {"SUPERVISOR": "1201", "BHYVE": "1202", "LAB": ""}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "var/run/chyves").mkdir(parents=True)
    return Host(tmp_path, Runner({}, PLACES))


def put(host: Host, text: str) -> None:
    (host.root / "var/run/chyves/web1.json").write_text(text)


def test_what_is_written_is_read(host: Host) -> None:
    state = Running(
        supervisor=12, bhyve=13, identity="77", taps=["tap50"], crashes=[1.5, 2.0], again=3.0, crash="crashed"
    )
    running.write(host, "web1", state)
    found = running.read(host, "web1")
    assert found is not None
    assert (found, found.format) == (state, FORMAT)
    assert running.read(host, "web2") is None


@pytest.mark.parametrize(
    ("name", "format", "properties"), [("0.3.0-first.json", 1, 0), ("0.3.0.json", 1, 22), ("later.json", 9, 0)]
)
def test_other_versions_are_understood(host: Host, name: str, format: int, properties: int) -> None:
    text = (DATA / name).read_text()
    for word, value in WORDS.items():
        text = text.replace(word, value)
    put(host, text)
    found = running.read(host, "web1")
    assert found is not None
    assert (found.format, found.supervisor, found.bhyve, found.taps) == (format, 1201, 1202, ["tap50"])
    assert len(found.properties) == properties and not running.crashed(found)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '{"supervisor": "many"}', '{"taps": 5}', '{"bhyve": 1.5}', "\0"]
)
def test_what_is_none_of_ours_is_told(host: Host, text: str) -> None:
    put(host, text)
    with pytest.raises(ChyvesError, match=r"^web1: .*web1\.json cannot be read \(.*\); remove it when"):
        running.read(host, "web1")


@pytest.mark.parametrize(
    ("began", "title", "lives"),
    [
        ("Sat Nov 21 06:32:41 2026", "chyves web1 start", True),  # up to its title it is known by when it began
        ("Tue Feb 29 00:00:00 2028", "bhyve: chy-web1", True),
        ("Tue Feb 29 00:00:00 2028", "bhyve: chy-web1 (bhyve)", True),
        ("Tue Feb 29 00:00:00 2028", "bhyve: chy-web10", False),
        ("Tue Feb 29 00:00:00 2028", "/usr/sbin/sshd", False),
    ],
)
def test_a_clock_that_is_set_makes_of_no_bhyve_another_process(
    host: Host, monkeypatch: pytest.MonkeyPatch, began: str, title: str, lives: bool
) -> None:
    """FreeBSD's ps tells when a process began by the clock as it is now."""
    monkeypatch.setattr(Processes, "alive", lambda _, pid: pid == 1202)
    monkeypatch.setattr(Processes, "identity", lambda _, pid: began)
    monkeypatch.setattr(Processes, "title", lambda _, pid: title)
    state = Running(supervisor=1201, bhyve=1202, identity="Sat Nov 21 06:32:41 2026")
    assert running.bhyve_lives(host, "web1", state) is lives
    assert not running.bhyve_lives(host, "web1", Running(supervisor=1201, bhyve=1203, identity=began))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [field.name for field in fields(Running)]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), JSON))
def test_any_object_is_understood_or_told(tmp_path_factory: pytest.TempPathFactory, written: dict[str, object]) -> None:
    host = Host(tmp_path_factory.mktemp("host"), Runner({}, PLACES))
    (host.root / "var/run/chyves").mkdir(parents=True)
    put(host, json.dumps(written))
    kinds = {field.name: TYPES[str(field.type)] for field in fields(Running)}
    fits = all(isinstance(value, kinds[name]) for name, value in written.items() if name in kinds)
    try:
        found = running.read(host, "web1")
    except ChyvesError as error:
        assert not fits and re.match("web1: .* cannot be read", str(error))
    else:
        assert fits and found is not None
        assert {name: value for name, value in asdict(found).items() if name in written} == {
            name: value for name, value in written.items() if name in kinds
        }
