"""The host: the only code that touches the machine."""
