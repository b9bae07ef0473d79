"""Measure the quality of the shipped generators.

``python -m benchmarks.zoo.measure_quality`` writes into each model card the Fréchet distance of the
generator's images, or the distances of its table. ``--only redwine`` measures the generators of one
data set. ``--retrain`` first trains the classifier again, in whose features the Fréchet distance is
taken.
"""

import argparse
import json
from importlib.resources import files

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from benchmarks.zoo.quality import (
    FashionClassifier,
    fashion_frechet_distance,
    frechet_entry,
    load_fashion_classifier,
    save_fashion_classifier,
    to_network,
)
from benchmarks.zoo.table_quality import table_distances
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.datasets import load_fashion_mnist, load_redwine
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.tabular import TablePreparer
from sklearn_flipad.zoo import list_pretrained, load_pretrained, pretrained_card

__all__ = ["train_fashion_classifier"]

_BATCH_SIZE = 128


def train_fashion_classifier(X, y, *, n_epochs=5, random_state=0):
    """Train the classifier on uint8 images (n, 1, 32, 32) and their classes, 0 to 9."""
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


def _write(name, entry, values):
    """Add an entry to the model card of a shipped generator."""
    path = files("sklearn_flipad.zoo") / "weights" / f"{name.replace('/', '-')}.json"
    card = pretrained_card(name) | {entry: values}
    write_atomically(path, (json.dumps(card, indent=1) + "\n").encode())
    print(f"{name:20} {values}", flush=True)


def _measure_images(retrain):
    X, y = load_fashion_mnist("train", return_X_y=True)
    X_test, y_test = load_fashion_mnist("test", return_X_y=True)
    if retrain:
        save_fashion_classifier(train_fashion_classifier(X, y), X_test)
    with torch.no_grad():
        found = load_fashion_classifier()(to_network(X_test)).argmax(dim=1).numpy()
    print(f"accuracy on the test split {(found == y_test).mean():.4f}")
    real = fashion_frechet_distance(X[: len(X_test)])
    for name in list_pretrained("fashion"):
        samples = sample(load_pretrained(name), len(X_test), random_state=0)
        _write(name, "frechet_distance", frechet_entry(samples, real))


def _measure_tables():
    real = TablePreparer(decimals=None).fit_transform(load_redwine())
    order = np.random.default_rng(0).permutation(len(real))
    half = len(real) // 2
    halves = table_distances(real[order[:half]], real[order[half:]])
    halves = {f"{name}_of_halves": value for name, value in halves.items()}
    for name in list_pretrained("redwine"):
        rows = sample(load_pretrained(name), len(real), dtype="float32", random_state=0)
        values = {k: round(v, 4) for k, v in (table_distances(rows, real) | halves).items()}
        _write(name, "table_distances", values | {"n_samples": len(rows)})


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["fashion", "redwine"], help="one data set of the two")
    parser.add_argument("--retrain", action="store_true", help="train the classifier again")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.only != "redwine":
        _measure_images(args.retrain)
    if args.only != "fashion":
        _measure_tables()


if __name__ == "__main__":
    main()
