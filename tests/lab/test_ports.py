"""virtio-console in the lab's bhyve: sockets that it makes, one client at a time, and nc(1), which talks to them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chyves.lab.place import Lab
from tests.lab.conftest import run_program

AGENT = "org.qemu.guest_agent.0"


@pytest.fixture
def ports(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a guest without a machine has its two ports while the test runs; both are left at its end."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    assert run_program(lab, "kldload", "vmm").returncode == 0
    place = lab.top / "ports"
    place.mkdir()
    words = f"-s 31,lpc -s 3,virtio-console,plain={place}/plain,{AGENT}={place}/agent -l bootrom,{rom(lab)} web1"
    with subprocess.Popen([lab.bin / "bhyve", *words.split()], stderr=subprocess.PIPE, text=True) as bhyve:
        while not (place / "agent").exists() and bhyve.poll() is None:
            pass
        yield place
        bhyve.terminate()
        assert bhyve.wait(30) == 1
    assert sorted(path.name for path in place.iterdir()) == ["agent", "plain"]
    again = run_program(lab, "bhyve", *words.split())
    assert again.returncode == 4
    assert "cannot create port plain: Address already in use" in again.stderr


def rom(lab: Lab) -> Path:
    path = lab.top / "boot.fd"
    path.write_bytes(bytes(1 << 16))
    return path


def client(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(str(path))
    return made


def test_a_port_has_one_client_at_a_time(ports: Path) -> None:
    with client(ports / "plain") as first:
        first.sendall(b"one\n")
        assert first.recv(100) == b"one\n"
        with client(ports / "plain") as second:
            assert second.recv(100) == b""
        first.sendall(b"two\n")
        assert first.recv(100) == b"two\n"
    with client(ports / "plain") as third:
        third.sendall(b"three\n")
        assert third.recv(100) == b"three\n"


def test_netcat_has_the_agent_answer(ports: Path, lab: Lab) -> None:
    said = subprocess.run(
        [lab.bin / "nc", "-w", "1", "-U", ports / "agent"],
        input='{"execute": "guest-fsfreeze-freeze"}\n{"execute": "guest-get-time"}\nnonsense\n',
        capture_output=True,
        text=True,
        check=True,
    )
    counted, refused, wrong = map(json.loads, said.stdout.splitlines())
    assert counted == {"return": 2}
    assert refused["error"]["desc"] == "Command guest-get-time has been disabled: the command is not allowed"
    assert wrong["error"]["desc"] == "Invalid JSON syntax"


@pytest.mark.parametrize("words", [("-U", "/no/such"), ("-U",), ("-z",), ("-w", "soon", "-U", "x")])
def test_netcat_refuses(lab: Lab, words: tuple[str, ...]) -> None:
    assert run_program(lab, "nc", *words).returncode == 1


def test_a_port_needs_a_path(lab: Lab) -> None:
    done = run_program(lab, "bhyve", "-s", "3,virtio-console,plain", "web1")
    assert (done.returncode, done.stderr) == (4, "vtcon: port plain requires a path\n")
