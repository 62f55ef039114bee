"""Running the host's programs: the only place where that is done."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from chyves import stdio
from chyves.errors import ChyvesError, ProgramFailed
from chyves.host import suspension, undo

if TYPE_CHECKING:
    from subprocess import Popen

    from sh import RunningCommand

PLACES = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
"""Where FreeBSD has its programs: a service starts with less (rc(8)), a user with anything."""

KEPT = ("HOME", "TERM", "TMUX", "TMUX_TMPDIR", "CHYVES_LAB", "CHYVES_LAB_GUEST")
PACKAGES = {"grub-bhyve": "grub2-bhyve", "swtpm": "swtpm", "tmux": "tmux"}
KILLED = -9
HUNG = "did not end when a signal had come, and was ended"


class End(NamedTuple):
    """A file that is open, in the place of a program that writes or reads; `begun` is what was read of it already."""

    descriptor: int
    name: str
    begun: bytes = b""


STDIN, STDOUT = End(0, "standard input"), End(1, "standard output")
Stage = Sequence[str] | End


class Runner:
    """Runs programs with a fixed PATH and locale, without the terminal, and tells what they said when they fail."""

    dry = False

    def __init__(self, environ: Mapping[str, str], path: str) -> None:
        self.environ = {name: environ[name] for name in KEPT if name in environ} | {"LC_ALL": "C", "PATH": path}
        self.user = {**environ, "PATH": f"{environ.get('PATH', '')}:{path}".lstrip(":")}
        """The user's own environment, for programs that the user sees and types into."""

    def ask(self, *argv: str, accept: Collection[int] = (0,), timeout: float = 60) -> str:
        """What a program answers on stdout; it changes nothing, so that a dry run asks too.

        `timeout` is in seconds. Raises ProgramFailed for a status that is not in `accept`.
        """
        status, out, error = self._ask(argv, timeout)
        if status not in accept:
            raise ProgramFailed(argv, status, error.strip() or out)
        return out

    def probe(self, *argv: str, timeout: float = 10) -> tuple[int, str]:
        """A program's status, and all that it said on both streams."""
        status, out, error = self._ask(argv, timeout)
        return status, out + error

    def do(self, *argv: str, timeout: float = 300, failing: str = "") -> str:
        """Let a program change the host; what it said on stdout.

        It has a session of its own: Ctrl-C reaches chyves alone, which lets the program end and then takes back what
        was done (chyves.host.undo). `timeout` is in seconds; `failing` are words on stderr with which it has failed
        also where its status is 0. Raises ProgramFailed.
        """
        import sh

        running = self._begun(argv, timeout)
        wait = undo.Wait(lambda: _end_group(running.process.pgid))
        try:
            with wait:
                running.wait()
        except sh.TimeoutException:
            _end_group(running.process.pgid)
            raise ProgramFailed(argv, KILLED, _too_long(timeout)) from None
        except sh.ErrorReturnCode as failure:
            if wait.ended:
                raise ProgramFailed(argv, KILLED, HUNG) from None
            said = (failure.stderr.strip() or failure.stdout).decode(errors="replace")
            raise ProgramFailed(argv, failure.exit_code, said) from None
        except BaseException:
            _end_group(running.process.pgid)
            raise
        said = running.process.stderr.decode(errors="replace")
        if failing and failing in said:
            raise ProgramFailed(argv, 0, said)
        return running.process.stdout.decode(errors="replace")

    def _begun(self, argv: Sequence[str], timeout: float) -> RunningCommand:
        """A program that has begun to change the host, in a session of its own, and can be ended while it runs."""
        import sh

        program = sh.Command(self.program(argv))
        with open(os.devnull) as nothing, _started(argv):
            return program(
                *argv[1:],
                _in=nothing,
                _env=self.environ,
                _new_session=True,
                _tty_out=False,
                _encoding="utf-8",
                _decode_errors="replace",
                _timeout=timeout,
                _return_cmd=True,
                # The handle is needed while it runs, to end it when the wait for it is broken off.
                _bg=True,
                _bg_exc=False,
            )

    def pipe(self, first: Stage, second: Stage, heed: Callable[[int], None] = lambda _: None) -> None:
        """Let two programs change the host, of which the second reads what the first writes; both end together.

        One of them can be a file instead. `heed` is told how many bytes more have passed. Raises ProgramFailed,
        ChyvesError for a file, Interrupted (chyves.host.pipeline).
        """
        from chyves.host.pipeline import Pipeline

        ends = [stage if isinstance(stage, End) else (self.program(stage), stage) for stage in (first, second)]
        with _started(next(stage for stage in (first, second) if not isinstance(stage, End))):
            pipeline = Pipeline(ends[0], ends[1], self.environ)
        pipeline.run(heed)

    def become(self, *argv: str) -> NoReturn:
        """Turn this process into a program that has the terminal, and the user's environment."""
        program = self.program(argv)
        sys.stdout.flush()
        os.execve(program, argv, self.user)

    def show(self, *argv: str) -> int:
        """Start a program of the user's screen, which goes on by itself, in the user's environment; its number."""
        from chyves.host.detached import start

        return start(self.program(argv), argv, self.user, ())

    def has(self, name: str) -> bool:
        """Whether a program is installed."""
        return self._found(name) is not None

    def detach(self, argv: Sequence[str], *, keep: Sequence[int] = ()) -> int:
        """Start a process that outlives this one and its terminal; its number.

        It is in a session of its own, in `/`, child of init, with no input and, but for the descriptors in `keep`, no
        output and nothing open. Raises ChyvesError when it cannot be started.
        """
        from chyves.host.detached import start

        return start(self.program(argv), argv, self.environ, keep)

    def _ask(self, argv: Sequence[str], timeout: float) -> tuple[int, str, str]:
        import subprocess

        with _started(argv):
            process = subprocess.Popen(
                [self.program(argv), *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=self.environ,
                start_new_session=True,
            )
        with undo.Wait(lambda: _end_group(process.pid)) as wait:
            try:
                out, error = self._wait(process, argv, timeout)
            except subprocess.TimeoutExpired:
                _stop(process)
                raise ProgramFailed(argv, KILLED, _too_long(timeout)) from None
            except BaseException:
                _stop(process)
                raise
        if wait.ended and process.returncode == KILLED:
            raise ProgramFailed(argv, KILLED, HUNG)
        return process.returncode, out, error

    def _wait(self, process: Popen[str], argv: Sequence[str], timeout: float) -> tuple[str, str]:
        """What a program says until it ends; raises ProgramFailed where it would wait for a suspended pool for ever."""
        import subprocess

        if timeout <= suspension.PATIENCE or argv[0] not in suspension.WAITING:
            return process.communicate(timeout=timeout)
        try:
            return process.communicate(timeout=suspension.PATIENCE)
        except subprocess.TimeoutExpired:
            if sentence := suspension.sentence(self.program(["zpool"]), self.environ):
                raise ProgramFailed(argv, KILLED, sentence) from None
            return process.communicate(timeout=timeout - suspension.PATIENCE)

    def program(self, argv: Sequence[str]) -> str:
        """The file of a program; raises ChyvesError where it is not installed."""
        name = argv[0]
        program = self._found(name)
        if program is None:
            known = name in PACKAGES
            advice = f"install the package {PACKAGES[name]}" if known else "it is part of FreeBSD: mend the host"
            raise ChyvesError(f"{name}: is not installed; {advice}")
        return program

    def _found(self, name: str) -> str | None:
        return find(*reversed(os.path.split(name))) if "/" in name else find(name, self.environ["PATH"])


class DryRunner(Runner):
    """Prints the commands that would change the host, each as a line for sh, and still asks."""

    dry = True

    def do(self, *argv: str, timeout: float = 300, failing: str = "") -> str:
        """Print the command."""
        show(argv)
        return ""

    def pipe(self, first: Stage, second: Stage, heed: Callable[[int], None] = lambda _: None) -> None:
        """Print both commands with a pipe between them, or the one with its file."""
        import shlex

        if isinstance(first, End):
            words, rest = second, "" if first.descriptor == STDIN.descriptor else f"< {shlex.quote(first.name)}"
        elif isinstance(second, End):
            words, rest = first, "" if second.descriptor == STDOUT.descriptor else f"> {shlex.quote(second.name)}"
        else:
            words, rest = first, f"| {shlex.join(second)}"
        assert not isinstance(words, End)
        show(words, rest)

    def detach(self, argv: Sequence[str], *, keep: Sequence[int] = ()) -> int:
        """Print the command; the number is 0."""
        show(argv, "&")
        return 0


def show(argv: Sequence[str], rest: str = "") -> None:
    """Print a command as one line that can be pasted into sh, with more of sh's own words behind it."""
    import shlex

    stdio.printed(f"{shlex.join(argv)} {rest}".rstrip() + "\n")


def find(name: str, path: str) -> str | None:
    """The file of a program in a PATH, or None. (shutil.which does this too, but is slow to import.)"""
    for place in filter(None, path.split(":")):
        program = f"{place}/{name}"
        if os.path.isfile(program) and os.access(program, os.X_OK):
            return program
    return None


@contextmanager
def _started(argv: Sequence[str]) -> Iterator[None]:
    """Tell in one sentence why a program that is there cannot be started."""
    try:
        yield
    except OSError as error:
        raise not_started(argv, str(error.strerror)) from None
    except Exception as error:
        # sh has a traceback of the child as text.
        reason = re.search(r"\[Errno \d+\] ([^:\n]+)", str(error))
        if type(error).__name__ != "ForkException" or not reason:
            raise
        raise not_started(argv, reason[1]) from None


def not_started(argv: Sequence[str], reason: str) -> ChyvesError:
    """The error for a program that is there but could not be started."""
    return ChyvesError(f"{argv[0]}: cannot be started: {reason}; mend this and try again")


def _too_long(timeout: float) -> str:
    return f"did not end within {timeout:g} seconds and was ended"


def _end_group(group: int) -> None:
    """End a program and all that it started in its session."""
    import signal

    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _stop(process: Popen[str]) -> None:
    """End a program; one that waits in the kernel for a disk cannot be ended, and is not waited for."""
    import subprocess

    _end_group(process.pid)
    try:
        process.communicate(timeout=suspension.PATIENCE)
    except subprocess.TimeoutExpired:
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
