"""Running programs: real ones, in a host that is a directory."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chyves.errors import ChyvesError, Interrupted, ProgramFailed
from chyves.host.machine import Host
from chyves.host.run import PLACES, STDIN, STDOUT, End, Stage
from chyves.host.undo import Undo

Make = Callable[[str, str], None]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory that is a host."""
    for name in ("bin", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "lab.json").write_text("{}")
    return tmp_path


@pytest.fixture
def host(top: Path) -> Host:
    return Host.open(
        {"CHYVES_LAB": str(top), "HOME": "/home/x", "TERM": "xterm", "LANG": "de_DE.UTF-8", "EDITOR": "vi"}
    )


@pytest.fixture
def make(top: Path) -> Make:
    """Makes a program of the host from lines for sh."""

    def program(name: str, lines: str) -> None:
        (top / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n")
        (top / "bin" / name).chmod(0o755)

    return program


@pytest.fixture(params=["ask", "do"])
def run(request: pytest.FixtureRequest, host: Host) -> Callable[..., str]:
    """Both ways of running a program, which must agree."""
    method: Callable[..., str] = getattr(host.run, request.param)
    return method


def test_arguments_reach_the_program_as_they_are(run: Callable[..., str], make: Make) -> None:
    make("words", 'for word; do printf "<%s>" "$word"; done')
    assert run("words", "a b", "*", "", "--x=$HOME", "-", "é\n") == "<a b><*><><--x=$HOME><-><é\n>"


def test_the_environment_is_fixed(run: Callable[..., str], make: Make, top: Path) -> None:
    make("env", "/usr/bin/env")
    lines = dict(line.split("=", 1) for line in run("env").splitlines())
    for set_by_sh in ("PWD", "OLDPWD", "SHLVL", "_"):
        lines.pop(set_by_sh, None)
    path = f"{top}/bin:{PLACES}"
    assert lines == {"LC_ALL": "C", "PATH": path, "HOME": "/home/x", "TERM": "xterm", "CHYVES_LAB": str(top)}


def test_there_is_no_input_and_no_terminal(run: Callable[..., str], make: Make) -> None:
    make("look", 'cat; test -t 1 || echo "no tty out"; (: </dev/tty) 2>&- || echo "no tty"')
    assert run("look") == "no tty out\nno tty\n"


def test_a_failure_tells_status_and_words(run: Callable[..., str], make: Make) -> None:
    make("refuse", "echo out; echo 'the reason' >&2; exit 3")
    with pytest.raises(ProgramFailed, match=r"^refuse now: the reason$") as caught:
        run("refuse", "now")
    assert (caught.value.argv, caught.value.code, caught.value.said) == (("refuse", "now"), 3, "the reason")


def test_words_on_stdout_are_the_reason_where_stderr_is_empty(run: Callable[..., str], make: Make) -> None:
    make("bhyvectl", "echo 'VM:web1 is not created.'; exit 1")
    with pytest.raises(ProgramFailed, match=r"VM:web1 is not created\.$"):
        run("bhyvectl")


def test_a_silent_failure_tells_its_status(run: Callable[..., str], make: Make) -> None:
    make("silent", "exit 9")
    with pytest.raises(ProgramFailed, match=r"^silent: ended with status 9$"):
        run("silent")


def test_a_program_ended_by_a_signal_failed(run: Callable[..., str], make: Make) -> None:
    make("dies", "kill -9 $$")
    with pytest.raises(ProgramFailed) as caught:
        run("dies")
    assert caught.value.code == -9


def test_bytes_that_are_no_text_are_replaced(run: Callable[..., str], make: Make) -> None:
    make("bytes", r"printf 'a\377b'")
    assert run("bytes") == "a�b"
    make("bytes", r"printf 'a\377b' >&2; exit 1")
    with pytest.raises(ProgramFailed, match="a�b"):
        run("bytes")


def test_much_output_is_not_lost(run: Callable[..., str], make: Make) -> None:
    make("much", "i=0; while [ $i -lt 3000 ]; do echo $i; echo $i >&2; i=$((i+1)); done; head -c 3000000 /dev/zero")
    said = run("much")
    assert len(said) == 3000000 + sum(len(f"{number}\n") for number in range(3000))


def test_what_takes_too_long_is_ended_with_all_it_started(run: Callable[..., str], make: Make, top: Path) -> None:
    make("hang", f"sleep 1000 & echo $! > {top}/child; wait")
    with pytest.raises(ProgramFailed, match=r"did not end within 0\.5 seconds and was ended$"):
        run("hang", timeout=0.5)
    child = int((top / "child").read_text())
    assert Host.open({"CHYVES_LAB": str(top)}).processes.wait_for_end(child, 60)


def test_a_broken_off_wait_ends_the_program(run: Callable[..., str], make: Make, top: Path) -> None:
    # The pause lets the start of the program end: the wait for it is what is broken off.
    make("hang", f"echo $$ > {top}/pid; sleep 1; kill -INT {os.getpid()}; exec sleep 1000")
    with pytest.raises(KeyboardInterrupt):
        run("hang")
    assert Host.open({"CHYVES_LAB": str(top)}).processes.wait_for_end(int((top / "pid").read_text()), 60)


@pytest.mark.parametrize(
    ("name", "advice"), [("grub-bhyve", "install the package grub2-bhyve"), ("bhyveload-x", "it is part of FreeBSD")]
)
def test_a_missing_program_is_told(run: Callable[..., str], name: str, advice: str) -> None:
    with pytest.raises(ChyvesError, match=f"^{name}: is not installed; {advice}"):
        run(name)


def test_a_file_that_is_no_program_is_told(run: Callable[..., str], top: Path) -> None:
    (top / "bin" / "odd").write_bytes(b"\x7fELF nothing")
    (top / "bin" / "odd").chmod(0o755)
    with pytest.raises(ChyvesError, match=r"^odd: cannot be started: Exec format error; "):
        run("odd")


def test_a_question_may_accept_other_statuses(host: Host, make: Make) -> None:
    make("none", "echo nothing; exit 1")
    assert host.run.ask("none", accept=(0, 1)) == "nothing\n"


def test_a_probe_tells_the_status_and_both_streams(host: Host, make: Make) -> None:
    make("bhyve", "echo usage >&2; echo more; exit 5")
    assert host.run.probe("bhyve", "-h") == (5, "more\nusage\n")


def test_become_is_the_program_with_the_terminal(make: Make, top: Path) -> None:
    make("cu", 'read line; echo "$line $1"; exit 4')
    code = "import os; from chyves.host.machine import Host; Host.open(os.environ).run.become('cu', 'there')"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CHYVES_LAB": str(top)},
        input="hello\n",
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (4, "hello there\n")


def test_a_detached_process_is_alone(host: Host, make: Make, top: Path) -> None:
    """Its own session, in /, child of another, no descriptor but those kept, default signals."""
    make("look", f'exec {sys.executable} -c "$1" {top}')
    code = (
        "import json, os, signal, sys\n"
        "fds = [fd for fd in range(64) if os.path.exists(f'/dev/fd/{fd}') and fd != 0]\n"
        "ends = [signal.getsignal(n).name for n in (signal.SIGHUP, signal.SIGTERM)]\n"
        "facts = [os.getpid(), os.getsid(0), os.getcwd(), os.getppid(), ends, os.environ['LC_ALL']]\n"
        "facts += [sys.stdin.read(), os.path.realpath('/dev/fd/0'), os.path.realpath('/dev/fd/2')]\n"
        "open(sys.argv[1] + '/facts.new', 'w').write(json.dumps(facts + [fds]))\n"
        "os.rename(sys.argv[1] + '/facts.new', sys.argv[1] + '/facts')\n"
        "os.read(KEEP, 1)\n"
    )
    reader, writer = os.pipe()
    stray = os.dup(writer)
    os.set_inheritable(stray, True)
    try:
        pid = host.run.detach(["look", code.replace("KEEP", str(reader))], keep=[reader])
    finally:
        os.close(stray)
    import json

    while not (top / "facts").exists():
        assert host.processes.alive(pid)
        time.sleep(0.01)
    found, session, place, parent, ends, locale, words, zero, two, descriptors = json.loads((top / "facts").read_text())
    assert found == pid
    assert session not in (os.getsid(0), 0)
    assert place == "/"
    assert parent != os.getpid()
    assert ends == ["SIG_DFL", "SIG_DFL"]
    assert (locale, words, zero, two) == ("C", "", "/dev/null", "/dev/null")
    assert set(descriptors) == {1, 2, reader}
    os.close(writer)
    os.close(reader)
    assert host.processes.wait_for_end(pid, 60)
    assert not host.processes.alive(pid)


def test_a_detached_process_can_keep_the_output(host: Host, make: Make) -> None:
    make("talk", "echo out; echo err >&2")
    code = "import os; from chyves.host.machine import Host; Host.open(os.environ).run.detach(['talk'], keep=[1])"
    ran = subprocess.run([sys.executable, "-c", code], env={**os.environ, **host.run.environ}, capture_output=True)
    assert (ran.stdout, ran.stderr) == (b"out\n", b"")


def test_a_detached_process_that_cannot_be_started_is_told(host: Host, top: Path) -> None:
    (top / "bin" / "odd").write_bytes(b"\x7fELF nothing")
    (top / "bin" / "odd").chmod(0o755)
    with pytest.raises(ChyvesError, match=r"^odd: cannot be started: Exec format error; "):
        host.run.detach(["odd"])
    with pytest.raises(ChyvesError, match=r"^nothing: is not installed"):
        host.run.detach(["nothing"])


def test_a_dry_run_prints_changes_and_still_asks(top: Path, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make("touch-it", f"touch {top}/changed; echo asked")
    dry = Host.open({"CHYVES_LAB": str(top)}, dry=True)
    assert dry.run.do("touch-it", "a b", "it's") == ""
    assert dry.run.detach(["touch-it"]) == 0
    assert not (top / "changed").exists()
    first, second = capsys.readouterr().out.splitlines()
    assert shlex.split(first) == ["touch-it", "a b", "it's"]
    assert second == "touch-it &"
    assert dry.run.ask("touch-it") == "asked\n"


def test_processes_are_told_apart_and_waited_for(host: Host, top: Path) -> None:
    pid = host.run.detach(["sleep", "1000"])
    processes = host.processes
    assert processes.alive(pid)
    assert processes.title(pid) == "sleep 1000"
    assert processes.identity(pid) == processes.identity(pid) is not None
    assert processes.identity(pid) != processes.identity(1)
    assert not processes.wait_for_end(pid, 0.05)
    assert processes.signal(pid, signal.SIGTERM)
    assert processes.wait_for_end(pid, None)
    assert not processes.alive(pid)


def test_a_child_that_ended_and_was_not_collected_is_not_alive(host: Host) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
    assert host.processes.wait_for_end(child.pid, 60)
    assert not host.processes.alive(child.pid)
    child.wait()


def test_a_process_that_is_not_there(host: Host) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", "exit 0"])
    child.wait()
    processes = host.processes
    assert processes.title(child.pid) is None
    assert processes.identity(child.pid) is None
    assert not processes.signal(child.pid, signal.SIGTERM)
    assert processes.wait_for_end(child.pid, None)


@pytest.mark.parametrize("pid", [1, 0, -1, -5])
def test_no_signal_reaches_a_group_or_init(host: Host, pid: int) -> None:
    with pytest.raises(ValueError, match="is not one process"):
        host.processes.signal(pid, 0)


def test_what_one_program_writes_another_reads(host: Host, make: Make, tmp_path: Path) -> None:
    make("writer", 'head -c 5000000 /dev/zero | tr "\\0" x; printf end')
    make("reader", f"cat > {tmp_path}/read")
    passed: list[int] = []
    host.run.pipe(("writer",), ("reader",), passed.append)
    assert (tmp_path / "read").read_bytes() == b"x" * 5_000_000 + b"end"
    assert sum(passed) == 5_000_003 and len(passed) > 1


@pytest.mark.parametrize(
    ("first", "second", "words", "note"),
    [
        ("echo no >&2; exit 3", "cat > /dev/null", "writer: no", []),
        ("echo no >&2; exit 3", "cat > /dev/null; echo cut off >&2; exit 1", "writer: no", ["cut off"]),
        ("echo some", "echo full >&2; exit 1", "reader: full", []),
        ("echo no: Broken pipe >&2; exit 1", "echo full >&2; exit 1", "reader: full", ["no: Broken pipe"]),
        ("kill -PIPE $$", "echo full >&2; exit 1", "reader: full", []),
        ("exit 3", "cat > /dev/null", "writer: ended with status 3", []),
    ],
)  # fmt: skip
def test_of_two_programs_the_words_of_the_one_that_failed_are_told(
    host: Host, make: Make, first: str, second: str, words: str, note: list[str]
) -> None:
    make("writer", first)
    make("reader", second)
    with pytest.raises(ProgramFailed) as failed:
        host.run.pipe(("writer",), ("reader",))
    assert str(failed.value) == words
    assert getattr(failed.value, "__notes__", []) == note


def test_a_writer_whose_reader_has_ended_ends_too(host: Host, make: Make) -> None:
    make("writer", "exec yes")
    make("reader", "head -c 10 > /dev/null; echo enough >&2; exit 1")
    with pytest.raises(ProgramFailed, match="enough"):
        host.run.pipe(("writer",), ("reader",))


@pytest.mark.parametrize(
    "lines", [("exec yes", "exec sleep 1000"), ("exec sleep 1000", "exec cat"), ("yes", "cat > /dev/null")]
)
def test_a_signal_ends_both_programs_whichever_hangs(
    host: Host, make: Make, tmp_path: Path, lines: tuple[str, str]
) -> None:
    for name, line in zip(("writer", "reader"), lines, strict=True):
        make(name, f"echo $$ > {tmp_path}/{name}; {line}")
    back: list[str] = []

    def interrupt() -> None:
        while not all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in ("writer", "reader")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Interrupted, match="stopped by SIGTERM; what was done has been taken back"), Undo() as undo:
        undo.do(lambda: None, lambda: back.append("taken back"), "take back")
        undo.do(lambda: host.run.pipe(("writer",), ("reader",)))
    assert back == ["taken back"]
    for name in ("writer", "reader"):
        assert not host.processes.alive(int((tmp_path / name).read_text()))


def test_programs_with_a_pipe_between_them_end_with_this_one(host: Host, make: Make, top: Path) -> None:
    make("writer", f"echo $$ > {top}/writer; exec yes")
    make("reader", f"echo $$ > {top}/reader; cat > /dev/null; echo cut off > {top}/told")
    script = "from chyves.host.machine import Host; import sys;"
    script += "Host.open({'CHYVES_LAB': sys.argv[1]}).run.pipe(('writer',), ('reader',))"
    with subprocess.Popen([sys.executable, "-c", script, str(top)]) as chyves:
        while not all((top / name).exists() and (top / name).read_text() for name in ("writer", "reader")):
            time.sleep(0.01)
        chyves.kill()
    for name in ("writer", "reader"):
        assert host.processes.wait_for_end(int((top / name).read_text()), 10)
    assert (top / "told").read_text() == "cut off\n"


def test_a_file_stands_in_the_place_of_one_program(host: Host, make: Make, tmp_path: Path) -> None:
    """What was read of it before is passed on first; a pipe is as it was afterwards."""
    make("writer", "head -c 3000000 /dev/zero")
    make("reader", f"cat > {tmp_path}/read")
    passed: list[int] = []
    with (tmp_path / "file").open("w+b") as file:
        host.run.pipe(("writer",), End(file.fileno(), "file"), passed.append)
        assert (tmp_path / "file").read_bytes() == bytes(3_000_000) and sum(passed) == 3_000_000
        file.seek(1_000_000)
        host.run.pipe(End(file.fileno(), "file", b"begun"), ("reader",))
    assert (tmp_path / "read").read_bytes() == b"begun" + bytes(2_000_000)
    reading, writing = os.pipe()
    make("writer", "printf some")
    host.run.pipe(("writer",), End(writing, "a pipe"))
    assert os.read(reading, 10) == b"some" and os.get_blocking(writing)
    os.close(reading)
    with pytest.raises(ChyvesError, match=r"a pipe: cannot be written: Broken pipe; see to that and try again"):
        host.run.pipe(("writer",), End(writing, "a pipe"))
    os.close(writing)


def test_a_file_that_cannot_take_it_ends_the_program(host: Host, make: Make, tmp_path: Path) -> None:
    make("writer", f"echo $$ > {tmp_path}/writer; exec yes")
    with open("/dev/full", "wb") as full, pytest.raises(ChyvesError, match="full: cannot be written: No space left"):
        host.run.pipe(("writer",), End(full.fileno(), "full"))
    assert not host.processes.alive(int((tmp_path / "writer").read_text()))
    make("reader", "cat > /dev/null; echo cut off >&2; exit 1")
    with (tmp_path / "out").open("wb") as out, pytest.raises(ChyvesError, match="out: cannot be read: Bad file"):
        host.run.pipe(End(out.fileno(), "out"), ("reader",))
    with open(os.devnull, "rb") as nothing, pytest.raises(ProgramFailed, match="reader: cut off"):
        host.run.pipe(End(nothing.fileno(), "nothing"), ("reader",))


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        (("zfs", "send", "a"), End(3, "a file"), "zfs send a > 'a file'"),
        (End(3, "file"), ("zfs", "receive", "a"), "zfs receive a < file"),
        (("zfs", "send", "a"), STDOUT, "zfs send a"),
        (STDIN, ("zfs", "receive", "a"), "zfs receive a"),
    ],
)
def test_a_dry_run_prints_where_a_file_stands(
    top: Path, capsys: pytest.CaptureFixture[str], first: Stage, second: Stage, line: str
) -> None:
    Host.open({"CHYVES_LAB": str(top)}, dry=True).run.pipe(first, second)
    assert capsys.readouterr().out == f"{line}\n"


def test_a_dry_run_prints_a_pipe_as_one_line(top: Path, capsys: pytest.CaptureFixture[str], make: Make) -> None:
    Host.open({"CHYVES_LAB": str(top)}, dry=True).run.pipe(("zfs", "send", "a b@c"), ("zfs", "receive", "d"))
    assert capsys.readouterr().out == "zfs send 'a b@c' | zfs receive d\n"


def test_words_with_which_a_program_has_failed_count_more_than_its_status(host: Host, make: Make) -> None:
    """`zfs rename` of OpenZFS 2.3 ends well where it cannot mount what it renamed, and says so."""
    make("zfs", "echo done; echo \"cannot mount '/a': no room\" >&2")
    assert host.run.do("zfs", "rename") == "done\n"
    with pytest.raises(ProgramFailed, match=r"^zfs rename: cannot mount '/a': no room$"):
        host.run.do("zfs", "rename", failing="cannot mount")
    assert host.run.do("zfs", "rename", failing="cannot unmount") == "done\n"
