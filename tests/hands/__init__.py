"""Many hands: processes that change one house at once, and what must be true of it afterwards."""
