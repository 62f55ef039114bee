"""Serial consoles that several people want, tmux around them, and viewers of screens; the guests are hollow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from chyves.lab.place import Lab
from tests.host_commands import chyves, done, environment, refused
from tests.lab.test_guests_life import wait_for

PATIENCE = 60


@pytest.fixture
def house(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lab]:
    """A lab with two guests, of which web1 runs, and a tmux of its own."""
    monkeypatch.setenv("CHYVES_LAB_GUEST", "hollow")
    monkeypatch.setenv("TMUX_TMPDIR", str(lab.top))
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TMUX", raising=False)
    done(lab, "dataset", lab.pool, "install")
    done(lab, "web1,web2,web.1", "create", "1G")
    done(lab, "web1", "start")
    yield lab
    subprocess.run(["tmux", "kill-server"], stderr=subprocess.DEVNULL)
    chyves(lab, "all", "stop", "force")


Terminals = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def on_terminal(house: Lab) -> Iterator[Terminals]:
    """Runs programs on terminals of their own: `on_terminal("tmux", "attach")`; what is left at the end is ended."""
    shown: list[pexpect.spawn[str]] = []

    def run(program: str, *words: str) -> pexpect.spawn[str]:
        own = {"encoding": "utf-8", "codec_errors": "replace", "timeout": PATIENCE, "dimensions": (40, 160)}
        shown.append(pexpect.spawn(program, list(words), env=environment(house), **own))
        return shown[-1]

    yield run
    for terminal in shown:
        terminal.close(force=True)


@pytest.fixture
def typed(on_terminal: Terminals) -> Terminals:
    """chyves on a terminal: `typed("web1", "console")`."""
    return lambda *words: on_terminal(sys.executable, "-m", "chyves", *words)


def test_complaint_21_port_busy_says_who_has_it_and_how_to_take_it_over(house: Lab, typed: Terminals) -> None:
    first = typed("web1", "console")
    first.expect_exact("Connected")
    asked = ["ps", "-o", "user=,tty=", "-p", str(first.pid)]
    user, terminal = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    assert refused(house, "web1", "console", status=75) == (
        f"web1: its console is in use by {user} on {terminal} (process {first.pid}); "
        "wait for that, or end it with: chyves web1 console reset"
    )
    assert f"web1: the console of {user} on {terminal}" in chyves(house, "web1", "console", "reset").stderr
    first.expect(pexpect.EOF)
    second = typed("web1", "console")
    second.expect_exact("Connected")
    second.send("\r~.")
    second.expect(pexpect.EOF)
    assert '"running": null' not in done(house, "info", "-s", "--json").partition("web1")[2].partition("web2")[0]


def test_reset_ends_only_who_has_this_very_line(house: Lab, typed: Terminals) -> None:
    done(house, "web2", "start")
    other = typed("web2", "console")
    other.expect_exact("Connected")
    bystander = subprocess.Popen(["sleep", "600"])
    lock = house.root / "var/spool/lock/LCK..nmdm50B"
    try:
        lock.write_text(f"{bystander.pid:10d}\n")
        told = refused(house, "web1", "console", "reset")
        assert told.startswith(f"web1: {lock} names process {bystander.pid} (sleep 600), which was not started for")
        lock.write_text(f"{other.pid:10d}\n")
        assert f"names process {other.pid} (cu -l " in refused(house, "web1", "console", "reset")
        assert bystander.poll() is None
        assert other.isalive()
    finally:
        bystander.kill()
        bystander.wait()
        lock.unlink()


def test_reset_ends_a_session_that_does_not_react(house: Lab, typed: Terminals) -> None:
    session = typed("web1", "console")
    session.expect_exact("Connected")
    os.kill(session.pid, signal.SIGSTOP)
    done(house, "web1", "console", "reset")
    session.expect(pexpect.EOF)
    session.close()
    assert session.signalstatus == signal.SIGKILL
    assert not (house.root / "var/spool/lock/LCK..nmdm50B").exists()


def test_reset_helps_while_a_start_hangs(house: Lab, typed: Terminals) -> None:
    """It waits for no lock."""
    session = typed("web1", "console")
    session.expect_exact("Connected")
    hold = "import sys; from chyves.host.machine import Host; import os\n"
    hold += "with Host.open(os.environ).locks.hold('all', 'guest.web1'): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(house)
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        done(house, "web1", "console", "reset")
        session.expect(pexpect.EOF)
        holder.communicate()


def windows() -> list[str]:
    """The windows of the session, each with its panes' number."""
    form = "#{window_name}/#{window_panes}"
    told = subprocess.run(["tmux", "list-windows", "-t", "=chyves", "-F", form], capture_output=True, text=True)
    return sorted(told.stdout.split())


def pane(target: str) -> str:
    """What a pane shows."""
    return subprocess.run(["tmux", "capture-pane", "-p", "-t", target], capture_output=True, text=True).stdout


def test_tmux_has_a_window_a_guest_with_a_shell_and_the_console(house: Lab, typed: Terminals) -> None:
    shown = typed("web1,web.1", "console", "tmux")
    wait_for(lambda: windows() == ["web.1/2", "web1/2"])
    wait_for(lambda: "Connected" in pane("=chyves:.{right}"))
    wait_for(lambda: "chyves web1 log -f" in pane("=chyves:.{left}"))
    clients = ["tmux", "list-clients", "-F", "#{session_name} #{window_name}"]
    wait_for(lambda: subprocess.run(clients, capture_output=True, text=True).stdout == "chyves web1\n")
    subprocess.run(["tmux", "detach-client", "-s", "=chyves"], check=True)
    shown.expect_exact("[detached (from session chyves)]")
    typed("web2,web1", "console", "tmux")
    wait_for(lambda: windows() == ["web.1/2", "web1/2", "web2/2"])
    wait_for(lambda: subprocess.run(clients, capture_output=True, text=True).stdout == "chyves web2\n")
    wait_for(lambda: "does not run" in pane("=chyves:.{right}"))
    wait_for(lambda: "chyves web2 start" in pane("=chyves:.{left}"))


def test_within_tmux_its_client_is_switched(house: Lab, on_terminal: Terminals) -> None:
    on_terminal("tmux", "new-session", "-s", "mine", "sh")
    clients = ["tmux", "list-clients", "-F", "#{session_name} #{window_name}"]
    wait_for(lambda: b"mine" in subprocess.run(clients, capture_output=True).stdout)
    line = f"{sys.executable} -m chyves web1 console tmux"
    subprocess.run(["tmux", "send-keys", "-t", "=mine:", line, "Enter"], check=True)
    wait_for(lambda: subprocess.run(clients, capture_output=True, text=True).stdout == "chyves web1\n")


def test_a_session_whose_name_only_begins_so_is_left_alone(house: Lab) -> None:
    subprocess.run(["tmux", "new-session", "-d", "-s", "chyves-notes", "sh"], env=environment(house), check=True)
    done(house, "web1", "console", "tmux")
    names = subprocess.run(["tmux", "list-sessions", "-F", "#{session_name}"], capture_output=True, text=True).stdout
    assert sorted(names.split()) == ["chyves", "chyves-notes"]


def put(lab: Lab, name: str, text: str) -> None:
    """A program in the lab's PATH."""
    (lab.bin / name).write_text(f"#!/bin/sh\n{text}\n")
    (lab.bin / name).chmod(0o755)


def screened(lab: Lab, *properties: str) -> None:
    """web1 runs with a screen."""
    done(lab, "web1", "stop")
    firmware = lab.top / "tiny.fd"
    firmware.write_bytes(bytes(2 << 20))
    done(lab, "firmware", "import", str(firmware))
    done(lab, "global", "set", "uefi_vnc_port_start_offset=59720")
    done(lab, "web1", "set", "loader=uefi", "uefi_firmware=tiny.fd", "uefi_console_output=vnc", *properties)
    done(lab, "web1", "start")


def test_a_viewer_that_is_missing_is_replaced_by_one_that_is_there(house: Lab) -> None:
    screened(house, "uefi_vnc_client=custom", "uefi_vnc_client_custom_cmd=no-such-viewer {ip}")
    put(house, "vncviewer", f'echo "$@" >{house.top}/shown')
    told = chyves(house, "web1", "console", "vnc")
    assert told.returncode == 0
    assert "web1: uefi_vnc_client: no-such-viewer is not installed; vncviewer is taken instead" in told.stderr
    wait_for((house.top / "shown").exists)
    wait_for(lambda: (house.top / "shown").read_text() == "127.0.0.1::59720\n")


def test_freerdp_is_called_as_0_2_0_called_it_with_the_screen_of_the_user(
    house: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    screened(house, "uefi_vnc_client=freerdp", "uefi_vnc_ip=0.0.0.0")
    put(house, "xfreerdp", f'echo "$@" $DISPLAY >{house.top}/shown')
    done(house, "web1", "console", "vnc")
    wait_for((house.top / "shown").exists)
    wait_for(lambda: (house.top / "shown").read_text() == "/v:127.0.0.1 /port:59720 /size:800x600 :7\n")
