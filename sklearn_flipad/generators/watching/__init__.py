"""Internal: the linear layers of a running generator, and what follows the last of them."""
