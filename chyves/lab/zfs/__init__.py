"""The lab's ZFS: file systems are directories, volumes sparse files, and state is in SQLite."""
