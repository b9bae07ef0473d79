"""Internal: files found, read and decoded, one after the other."""
