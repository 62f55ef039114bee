"""Ports of the host that lead to a guest, on a host of the release that has slirp: whose they are, and when."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done, refused


def test_a_forwarded_port_is_of_one_guest_and_of_nobody_else(
    new_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a guest itself listens on while it runs does not keep it from being ready."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    lab = new_lab("15.0")
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web1,web2", "create", "64M")
    done(lab, "network", "web1,web2", "add", "slirp")
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        here = f"127.0.0.1:{somebody.getsockname()[1]}"
        done(lab, "web1", "set", f"slirp0_forward=tcp:{here}-22")
        said = refused(lab, "web1", "start")
        assert f"web1: slirp0_forward: {here} cannot be had (Address already in use); choose another" in said
        assert "slirp0_forward: tcp:" in refused(lab, "web2", "set", f"slirp0_forward=tcp:{here}-23")
    done(lab, "web1", "start")
    with socket.create_server(("127.0.0.1", int(here.partition(":")[2]))):  # as QEMU has it, where there is one
        assert "YES" in done(lab, "check", "web1")
        done(lab, "web1", "set", "share0=src=/nowhere")
        assert chyves(lab, "check", "web1").returncode == 1
    done(lab, "web1", "stop", "force")
