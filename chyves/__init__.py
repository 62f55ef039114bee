"""chyves manages bhyve guests on ZFS."""

__version__ = "0.3.0"
