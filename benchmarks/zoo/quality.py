"""Fréchet distance of a generator's samples to the real images.

The features are those of a small trained classifier of Fashion-MNIST, stored with the mean and
covariance of the test split's features, so that a distance can be measured without the data.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.storage.arrays import load_arrays, save_arrays

__all__ = [
    "FashionClassifier",
    "fashion_frechet_distance",
    "frechet_distance",
    "frechet_entry",
    "load_fashion_classifier",
    "save_fashion_classifier",
    "to_network",
]

_FORMAT = "sklearn_flipad.FashionClassifier"


class FashionClassifier(nn.Module):
    """A small convolutional classifier of 32x32 gray images into Fashion-MNIST's classes.

    ``features`` maps images (n, 1, 32, 32) in [-1, 1] to 64 non-negative features, ``head`` those
    to 10 logits.
    """

    def __init__(self):
        super().__init__()
        layers, width = [], 1
        for n_channels in (16, 32, 64):
            layers += [
                nn.Conv2d(width, n_channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(n_channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            width = n_channels
        layers += [nn.Flatten(), nn.Linear(64 * 4 * 4, 64), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.features(x))


def load_fashion_classifier():
    """The trained classifier, in eval mode, on the CPU, without gradients."""
    return _load()[0]


def frechet_distance(mean, covariance, other_mean, other_covariance):
    """Squared Fréchet (2-Wasserstein) distance of two normal distributions.

    Dowson and Landau, Journal of Multivariate Analysis 1982; Heusel et al., NeurIPS 2017.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    middle = np.linalg.eigvalsh(root @ other_covariance @ root)
    shift = np.square(np.subtract(mean, other_mean)).sum()
    traces = np.trace(covariance) + np.trace(other_covariance)
    return float(shift + traces - 2 * np.sqrt(middle.clip(min=0)).sum())


def fashion_frechet_distance(X):
    """Squared Fréchet distance of uint8 images (n, 1, 32, 32) to Fashion-MNIST's test split.

    The images have the contrast of :func:`~sklearn_flipad.datasets.load_fashion_mnist`. As with
    FID, values of unequal numbers of images do not compare: fewer images come out further away.
    """
    X = np.asarray(X)
    if X.dtype != np.uint8 or X.shape[1:] != (1, 32, 32) or len(X) < 2:
        raise ValueError(
            "Expected at least 2 images of shape (1, 32, 32) and type uint8, got an array of "
            f"shape {X.shape} and type {X.dtype}."
        )
    classifier, mean, covariance = _load()
    return frechet_distance(*_statistics(classifier, X), mean, covariance)


def frechet_entry(X, of_training):
    """Entry of a model card: the distance of images, beside that of training images."""
    return {
        "value": round(fashion_frechet_distance(X), 3),
        "value_of_training_images": round(of_training, 3),
        "n_samples": len(X),
        "features": "FashionClassifier, against the test split",
    }


def save_fashion_classifier(classifier, X):
    """Store a trained classifier with the statistics of the features of real images."""
    state = classifier.state_dict().items()
    arrays = {name: value.numpy() for name, value in state if value.is_floating_point()}
    arrays["mean"], arrays["covariance"] = _statistics(classifier, X)
    description = {"format": _FORMAT, "data": "Fashion-MNIST, padded to 32x32, contrast 0.75"}
    save_arrays(_path(), arrays, description)


def _path():
    return Path(__file__).parent / "weights" / "fashion-classifier.safetensors"


def _load():
    arrays, _ = load_arrays(_path(), _FORMAT)
    mean, covariance = arrays.pop("mean"), arrays.pop("covariance")
    classifier = FashionClassifier()
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    classifier.load_state_dict({**classifier.state_dict(), **weights})
    return classifier.eval().requires_grad_(False), mean, covariance


def to_network(X):
    """Images of uint8 as the classifier takes them, float32 in [-1, 1]."""
    return from_gray_levels(torch.from_numpy(X), (-1.0, 1.0)).float()


def _statistics(classifier, X):
    with evaluating(classifier):
        batches = [
            classifier.features(to_network(X[rows])).double().numpy()
            for rows in gen_batches(len(X), 500)
        ]
    features = np.concatenate(batches)
    return features.mean(axis=0), np.cov(features, rowvar=False)
