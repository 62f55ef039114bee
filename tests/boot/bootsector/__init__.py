"""A guest of 512 bytes, for tests that need a guest which boots in a tenth of a second."""
