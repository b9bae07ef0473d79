"""Measure the quality of the shipped generators.

``python -m sklearn_flipad.zoo.measure_quality`` writes the Fréchet distance of each shipped
generator into its model card. ``--retrain`` first trains the classifier again, in whose
features the distance is taken.
"""

import argparse
import json
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from sklearn_flipad.datasets import load_fashion_mnist
from sklearn_flipad.persistence.arrays import write_atomically
from sklearn_flipad.randomness import seeded
from sklearn_flipad.sampling import sample
from sklearn_flipad.zoo.pretrained import list_pretrained, load_pretrained, pretrained_card
from sklearn_flipad.zoo.quality import (
    FashionClassifier,
    fashion_frechet_distance,
    load_fashion_classifier,
    save_fashion_classifier,
    to_network,
)

__all__ = ["train_fashion_classifier"]

_BATCH_SIZE = 128


def train_fashion_classifier(X, y, *, n_epochs=5, random_state=0):
    """Train the classifier.

    Parameters
    ----------
    X : ndarray of uint8, shape (n, 1, 32, 32)
        Images.
    y : ndarray of int, shape (n,)
        Their classes, 0 to 9.
    n_epochs : int, default=5
        Passes over the images.
    random_state : int, default=0
        Seed.

    Returns
    -------
    FashionClassifier
        In eval mode.

    Raises
    ------
    ValueError
        If there are fewer images than one batch of 128 holds, or another number of classes.
    """
    if len(X) != len(y) or len(X) < _BATCH_SIZE:
        raise ValueError(
            f"Expected at least {_BATCH_SIZE} images and one class for each, got {len(X)} images "
            f"and {len(y)} classes."
        )
    with seeded(random_state):
        classifier = FashionClassifier()
        optimizer = torch.optim.Adam(classifier.parameters())
        n_batches = len(X) // _BATCH_SIZE
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, n_epochs * n_batches)
        for epoch in range(n_epochs):
            order = torch.randperm(len(X)).numpy()[: n_batches * _BATCH_SIZE]
            batches = order.reshape(n_batches, _BATCH_SIZE)
            for batch in tqdm(batches, desc=f"epoch {epoch + 1}/{n_epochs}"):
                logits = classifier(to_network(X[batch]))
                loss = nn.functional.cross_entropy(logits, torch.from_numpy(y[batch]).long())
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
    return classifier.eval()


def _main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--retrain", action="store_true", help="train the classifier again")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    X, y = load_fashion_mnist("train", return_X_y=True)
    X_test, y_test = load_fashion_mnist("test", return_X_y=True)
    if args.retrain:
        save_fashion_classifier(train_fashion_classifier(X, y), X_test)
    with torch.no_grad():
        found = load_fashion_classifier()(to_network(X_test)).argmax(dim=1).numpy()
    print(f"accuracy on the test split {(found == y_test).mean():.4f}")
    real = fashion_frechet_distance(X[: len(X_test)])
    print(f"{'real (train split)':20} {real:8.3f}")
    for name in list_pretrained():
        samples = sample(load_pretrained(name), len(X_test), random_state=0)
        card = pretrained_card(name)
        card["frechet_distance"] = {
            "value": round(fashion_frechet_distance(samples), 3),
            "value_of_training_images": round(real, 3),
            "n_samples": len(samples),
            "features": "FashionClassifier, against the test split",
        }
        path = Path(__file__).parent / "weights" / f"{name.replace('/', '-')}.json"
        write_atomically(path, (json.dumps(card, indent=1) + "\n").encode())
        print(f"{name:20} {card['frechet_distance']['value']:8.3f}", flush=True)


if __name__ == "__main__":
    _main()
