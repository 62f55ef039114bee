"""What a guest's supervisor is while bhyve runs: the same process, in which only what waits for bhyve's end is loaded.

The supervisor (chyves.guests.supervisor) becomes this one by execve(2) once its guest is up, and this one the
supervisor again when bhyve has ended: process, lock and child stay, its memory is a fraction. So nothing is imported
here that waiting does not need. SIGTERM presses the guest's button, SIGUSR1 only says that it shall stay off; between
the two programs both wait.
"""

from __future__ import annotations

import os
import signal
import sys

HEEDED = (signal.SIGTERM, signal.SIGUSR1)
UNKNOWN = "unknown"
"""Instead of a status where the kernel does not tell it: bhyve was started by another supervisor, which died."""


class Watch:
    """One wait for the end of bhyve; `given` are the words `name=value` that chyves.guests.supervisor has made."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given = given
        self.bhyve = int(given["bhyve"])
        self.ending = given["ending"] == "yes"
        self.ended = False

    def keep(self) -> None:
        """Sleep until bhyve has ended, and become the supervisor that knows what that means."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._press_button)
        signal.signal(signal.SIGUSR1, self._note_end)
        relay = None
        if "console" in self.given:
            from chyves.guests.relay import resumed

            relay = resumed(self.given)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
        status = self._wait()
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        if relay is not None:
            relay.leave()
        os.execv(sys.executable, (sys.executable, *self._words(status)))

    def _wait(self) -> str:
        """How bhyve has ended. Its number is its own until it is collected, which is after the last signal for it."""
        if self.given["child"] == "yes":
            os.waitid(os.P_PID, self.bhyve, os.WEXITED | os.WNOWAIT)
            self.ended = True
            return str(os.waitstatus_to_exitcode(os.waitpid(self.bhyve, 0)[1]))
        from chyves.host.processes import wait_for_status

        status = wait_for_status(self.bhyve)
        self.ended = True
        return UNKNOWN if status is None else str(status)

    def _words(self, status: str) -> list[str]:
        console = ["--console", self.given["console"]] if "console" in self.given else []
        stopping = ["--stopping"] if self.ending else []
        words = ["--lock", self.given["lock"], "--ended", status, *console, *stopping, "--", self.given["guest"]]
        return ["-m", "chyves.guests.supervisor", *words]

    def _press_button(self, number: int, frame: object) -> None:
        self.ending = True
        if not self.ended:
            try:
                os.kill(self.bhyve, signal.SIGTERM)
            except ProcessLookupError:
                pass

    def _note_end(self, number: int, frame: object) -> None:
        self.ending = True


if __name__ == "__main__":
    Watch(dict(word.split("=", 1) for word in sys.argv[1:])).keep()
