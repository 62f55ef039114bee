"""The datasets of chyves on ZFS pools."""
