"""Loaders of real data, each local and offline by default."""

from sklearn_flipad.datasets.audio import load_audio, quantize_audio
from sklearn_flipad.datasets.fashion import load_fashion_mnist, load_fashion_sample
from sklearn_flipad.datasets.images import load_celeba, load_images, load_lsun_bedroom
from sklearn_flipad.datasets.tables import load_table
from sklearn_flipad.datasets.wine import load_redwine

__all__ = [
    "load_audio",
    "load_celeba",
    "load_fashion_mnist",
    "load_fashion_sample",
    "load_images",
    "load_lsun_bedroom",
    "load_redwine",
    "load_table",
    "quantize_audio",
]
