"""Internal: the linear layers of a running generator, and its output stage."""
