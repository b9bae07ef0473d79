"""Internal: the kinds of values that files of attributors hold."""
