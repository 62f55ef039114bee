"""What all unit tests share: no clock over hypothesis."""

from __future__ import annotations

from hypothesis import settings

# A machine may be slow: no test fails for the time that it took.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
