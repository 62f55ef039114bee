"""From a guest's properties and the facts of its host to command lines: pure, values in and values out."""
