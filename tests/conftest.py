"""What every test begins with."""

from __future__ import annotations

import signal

# A run in the background (nohup, `&` in a script) has these ignored, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
