"""Recipes of the shipped generators.

``python -m sklearn_flipad.zoo dcgan --seed 0`` trains ``fashion/dcgan-0`` from
Fashion-MNIST, showing its progress, and writes the files that are part of the
package: the weights (safetensors, half precision), the model card (JSON) and a few
samples (a grid as PNG, or rows as CSV). ``kl-wgan`` trains ``redwine/kl-wgan-0``. A
training that was interrupted continues from its checkpoint.
"""

from datetime import UTC, datetime
from pathlib import Path

import torch

from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.zoo import architectures, objectives, stylegan2, table_networks
from sklearn_flipad.zoo.batch_norm import recalibrate_batch_norm
from sklearn_flipad.zoo.initialization import initialize_weights
from sklearn_flipad.zoo.pretrained import load_generator, save_generator
from sklearn_flipad.zoo.training import train_gan

__all__ = ["RECIPES", "train_recipe"]

_DCGAN = ("DCGANGenerator", {"latent_dim": 64, "channels": (128, 64, 32), "out_channels": 1})
_LSGAN = (
    "LSGANGenerator",
    {"latent_dim": 64, "channels": (64, 64, 32, 16), "out_channels": 1, "image_size": 32},
)
_CONV = {"channels": (32, 64, 128), "in_channels": 1}

#: The code of Song and Ermon updates the critic five times and the generator once for each of
#: six batches in 500 epochs, by RMSprop: 3,000 updates of the generator, twice as many as here,
#: where the quality of the cards was reached earlier. Adam without momentum is RMSprop whose
#: average starts without bias.
_KL_WGAN_TRAINING = {
    "n_epochs": 1500,
    "n_critic": 5,
    "batch_size": 256,
    "learning_rate": 2e-4,
    "betas": (0.0, 0.99),
}

#: The paper's four models scaled to 32x32 gray images. Where the schedule differs from
#: Appendix G.2, it is because the training is about a hundred times shorter: the
#: generator is updated in every step, that of WGAN-GP in every second one, not in every
#: fifth. EBGAN's margin is in mean squared error: above the energies that occur, which
#: are below 0.2, it would never bind and leave the gray levels free. ``kl-wgan`` is the paper's
#: (Appendix G.6), for the 11 columns of Redwine.
RECIPES = {
    "dcgan": {
        "generator": _DCGAN,
        "discriminator": ("ConvDiscriminator", _CONV),
        "objective": ("CrossEntropyObjective", {"real_label": 0.9, "fake_label": 0.1}),
        "training": {"n_epochs": 12},
    },
    "wgan-gp": {
        "generator": _DCGAN,
        "discriminator": ("ConvDiscriminator", {**_CONV, "norm": "layer"}),
        "objective": ("WassersteinGPObjective", {"penalty": 10.0}),
        "training": {"n_epochs": 8, "n_critic": 2, "betas": (0.0, 0.9)},
    },
    "lsgan": {
        "generator": _LSGAN,
        "discriminator": (
            "LSGANDiscriminator",
            {"channels": (16, 32, 64, 128), "in_channels": 1, "image_size": 32},
        ),
        "objective": ("LeastSquaresObjective", {}),
        "training": {"n_epochs": 12},
    },
    "ebgan": {
        "generator": _DCGAN,
        "discriminator": ("EBGANDiscriminator", _CONV),
        "objective": ("EnergyObjective", {"margin": 0.1, "pull_away": 0.1}),
        "training": {"n_epochs": 6},
    },
    "stylegan2": {
        "generator": (
            "StyleGAN2Generator",
            {
                "latent_dim": 64,
                "style_dim": 64,
                "channels": (64, 32, 16, 16),
                "out_channels": 1,
                "n_mapping": 2,
                "output": "tanh",
            },
        ),
        "discriminator": (
            "StyleGAN2Discriminator",
            {"channels": (16, 32, 64, 64), "in_channels": 1},
        ),
        "objective": ("NonSaturatingObjective", {"penalty": 1.0}),
        "training": {"n_epochs": 1, "batch_size": 32, "learning_rate": 2e-3, "betas": (0.0, 0.99)},
    },
    "kl-wgan": {
        "generator": ("KLWGANGenerator", {"n_columns": 11}),
        "discriminator": ("KLWGANCritic", {"n_columns": 11}),
        "objective": ("KLWassersteinObjective", {}),
        "training": _KL_WGAN_TRAINING,
    },
}


#: What the recipes are trained on, and what the cards say of it.
_DATA = {
    "fashion": "Fashion-MNIST train split, {n} images, padded to 32x32, contrast 0.75",
    "redwine": "Redwine, {n} rows, standardized columns",
}
#: Recipes whose networks draw their weights when they are made, as in their authors' code.
_DRAWN_BY_CLASS = {"kl-wgan": table_networks, "stylegan2": stylegan2}
#: Losses that a card has at most.
_MAX_LOSSES = 60


def data_of(recipe):
    """Name of the data that a recipe is for: ``"fashion"`` or ``"redwine"``."""
    return "redwine" if recipe == "kl-wgan" else "fashion"


def _build(module, spec):
    name, params = spec
    return getattr(module, name)(**params)


def _networks(recipe, seed):
    """The networks of a recipe with the weights that the training starts from."""
    spec, seeds = RECIPES[recipe], (2 * seed, 2 * seed + 1)
    for role, part_seed in zip(("generator", "discriminator"), seeds, strict=True):
        if recipe in _DRAWN_BY_CLASS:
            with seeded(part_seed):
                yield _build(_DRAWN_BY_CLASS[recipe], spec[role])
        else:
            yield initialize_weights(_build(architectures, spec[role]), part_seed)


def train_recipe(
    recipe, X, *, seed=0, out_dir=".", work_dir=".", sample_dir=None, verbose=1, callback=None
):
    """Train a generator of the zoo and write its weights and model card.

    Parameters
    ----------
    recipe : str
        A key of `RECIPES`.
    X : ndarray, shape (n, 1, 32, 32) or (n, 11)
        Training images of uint8; for ``"kl-wgan"``, the standardized rows of Redwine.
    seed : int, default=0
        Seed of the weights and of the training.
    out_dir : path-like, default="."
        Where ``fashion-<recipe>-<seed>.safetensors``, ``.json`` and ``.png`` go; for
        ``"kl-wgan"``, ``redwine-kl-wgan-<seed>`` with ``.csv`` in place of ``.png``.
    work_dir : path-like, default="."
        Where the checkpoint is kept.
    sample_dir : path-like, default=None
        Where a grid of samples goes after every epoch; for images.
    verbose : int, default=1
        Whether to show progress bars.
    callback : callable, default=None
        See :func:`~sklearn_flipad.zoo.train_gan`.

    Returns
    -------
    torch.nn.Module
        The generator as it was saved, that is, rounded to half precision.

    Raises
    ------
    ValueError
        If there is no such recipe, or the checkpoint in `work_dir` is that of another training.
    """
    if recipe not in RECIPES:
        raise ValueError(f"Unknown recipe {recipe!r}; there are {', '.join(RECIPES)}.")
    spec = RECIPES[recipe]
    data = data_of(recipe)
    stem = Path(out_dir) / f"{data}-{recipe}-{seed}"
    # Before the training: a folder that cannot be made would cost it.
    stem.parent.mkdir(parents=True, exist_ok=True)
    generator, discriminator = _networks(recipe, seed)
    history = train_gan(
        generator,
        discriminator,
        X,
        objective=_build(objectives, spec["objective"]),
        random_state=seed,
        checkpoint=Path(work_dir) / f"{data}-{recipe}-{seed}.ckpt",
        sample_dir=sample_dir,
        verbose=verbose,
        callback=callback,
        **spec["training"],
    )
    recalibrate_batch_norm(generator, random_state=seed)
    card = {
        "name": f"{data}/{recipe}-{seed}",
        **{key: spec[key] for key in ("generator", "discriminator", "objective", "training")},
        "seed": seed,
        "data": _DATA[data].format(n=len(X)),
        "command": f"python -m sklearn_flipad.zoo {recipe} --seed {seed}",
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "history": history[:: -(-len(history) // _MAX_LOSSES)],
    }
    save_generator(generator, card, stem)
    return load_generator(stem)
