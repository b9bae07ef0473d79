"""Loaders of real data, each local and offline by default."""

from sklearn_flipad.datasets._fashion import load_fashion_mnist, load_fashion_sample

__all__ = ["load_fashion_mnist", "load_fashion_sample"]
