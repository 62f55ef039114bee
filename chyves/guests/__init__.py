"""The life of guests: one module an event."""
