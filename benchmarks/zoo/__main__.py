"""Train a generator of the zoo: ``python -m benchmarks.zoo dcgan --seed 0``.

An interrupted training continues from its checkpoint.
"""

import argparse

import torch

from benchmarks.zoo.recipes import RECIPES, data_of, train_recipe
from sklearn_flipad.datasets import load_fashion_mnist, load_redwine
from sklearn_flipad.tabular import TablePreparer


def main(argv=None):
    """Train the generator that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="zoo", help="folder of the weights and the card")
    parser.add_argument("--work", default="zoo", help="folder of the checkpoint")
    parser.add_argument("--samples", help="for images: folder of grids of samples")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    train_recipe(
        args.recipe,
        load_training_data(data_of(args.recipe)),
        seed=args.seed,
        out_dir=args.out,
        work_dir=args.work,
        sample_dir=args.samples,
    )


def load_training_data(data):
    """Images or standardized rows of a data set, by its name."""
    if data == "redwine":
        return TablePreparer(decimals=None).fit_transform(load_redwine())
    return load_fashion_mnist()


if __name__ == "__main__":
    main()
