"""Bridges and taps: what must exist, and the steps that make it so."""
