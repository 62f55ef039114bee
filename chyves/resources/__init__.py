"""ISO images and firmware: brought, shown, deleted."""
