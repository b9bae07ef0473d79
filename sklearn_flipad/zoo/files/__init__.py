"""Internal: weights, model cards and samples of generators in files."""
