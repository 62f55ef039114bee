"""Guests of other managers: what their configuration says, and how they become guests of chyves."""
