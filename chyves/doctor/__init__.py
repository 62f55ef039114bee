"""What does not fit on this host: looked at without changing anything, explained, and repaired where that is safe."""
