"""Benchmarks of verdicts: which methods tell which generators apart."""
