"""ISO images and firmware: imported, shown, deleted."""
