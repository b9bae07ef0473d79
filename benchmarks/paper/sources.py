"""Generators and real images: the shipped ones, or the paper's, trained on CelebA and LSUN."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path

import numpy as np

from benchmarks.attributors import final_layer
from benchmarks.zoo.batch_norm import recalibrate_batch_norm
from benchmarks.zoo.discriminators import ConvDiscriminator, EBGANDiscriminator, LSGANDiscriminator
from benchmarks.zoo.generator_files import save_generator
from benchmarks.zoo.initialization import initialize_weights
from benchmarks.zoo.objectives import (
    CrossEntropyObjective,
    EnergyObjective,
    LeastSquaresObjective,
    WassersteinGPObjective,
)
from benchmarks.zoo.training import train_gan
from sklearn_flipad.datasets import load_celeba, load_fashion_sample, load_lsun_bedroom
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import DCGANGenerator, LSGANGenerator, load_pretrained
from sklearn_flipad.zoo.files.cards import load_generator

__all__ = ["ARCHITECTURES", "Samples", "architecture", "others", "owners", "samples_of", "seed_of"]

ARCHITECTURES = ("dcgan", "wgan-gp", "lsgan", "ebgan")
_LOADERS = {"celeba": load_celeba, "lsun": load_lsun_bedroom}
#: Images of a data set that are read, the first ones by name: CelebA has 202,599. How many
#: bedrooms the paper took is not said.
_N_IMAGES = 200_000
#: Appendix G.2: generator, discriminator, objective, epochs on CelebA and LSUN, and settings.
_RECIPES = {
    "dcgan": (
        DCGANGenerator,
        ConvDiscriminator,
        CrossEntropyObjective(real_label=0.9, fake_label=0.1),
        {"celeba": 50, "lsun": 10},
        {},
    ),
    "wgan-gp": (
        DCGANGenerator,
        lambda: ConvDiscriminator(norm="layer"),
        WassersteinGPObjective(penalty=10.0),
        {"celeba": 200, "lsun": 10},
        {"n_critic": 5, "betas": (0.0, 0.9)},
    ),
    "lsgan": (
        LSGANGenerator,
        LSGANDiscriminator,
        LeastSquaresObjective(),
        {"celeba": 100, "lsun": 10},
        {"n_critic": 5},
    ),
    "ebgan": (
        DCGANGenerator,
        EBGANDiscriminator,
        EnergyObjective(pull_away=0.1),
        {"celeba": 100, "lsun": 5},
        {"n_critic": 5},
    ),
}


def architecture(name):
    """``"dcgan"`` of ``"fashion/dcgan-0"``."""
    return name.partition("/")[2].rpartition("-")[0]


def seed_of(name):
    """``"0"`` of ``"fashion/dcgan-0"``."""
    return name.rpartition("-")[2]


def owners(scale):
    """Names of the generators that are owners, those of the first seed first."""
    return [
        f"{data}/{kind}-{seed}"
        for seed in scale.owner_seeds
        for data in scale.data_sets
        for kind in ARCHITECTURES
    ]


def others(owner, scale):
    """Other architectures of the owner's seed, and other seeds of its architecture."""
    data, kind, seed = owner.partition("/")[0], architecture(owner), seed_of(owner)
    kinds = [f"{data}/{other}-{seed}" for other in ARCHITECTURES if other != kind]
    return kinds, [f"{data}/{kind}-{other}" for other in scale.seeds if str(other) != seed]


@lru_cache(maxsize=1)
def _photographs(data, root):
    if root is None:
        raise SystemExit(
            f"The scale paper needs the images of {data}: pass --{data} and their folder, or "
            "choose --scale laptop."
        )
    return _LOADERS[data](root, n_images=_N_IMAGES).images


def real_images(data, options):
    """Real images, those that the generators were trained on where the paper says so."""
    if data == "fashion":
        return load_fashion_sample()
    return _photographs(data, getattr(options, data))


def generator_of(name, options):
    """A generator by its name; the paper's are trained where they are not there yet."""
    data, seed = name.partition("/")[0], int(seed_of(name))
    if data == "fashion":
        return load_pretrained(name)
    stem = Path(options.work) / name.replace("/", "-")
    if not stem.with_suffix(".json").exists():
        make, make_critic, objective, epochs, training = _RECIPES[architecture(name)]
        generator = initialize_weights(make(), 2 * seed)
        train_gan(
            generator,
            initialize_weights(make_critic(), 2 * seed + 1),
            real_images(data, options),
            objective=objective,
            n_epochs=epochs[data],
            random_state=seed,
            checkpoint=stem.with_suffix(".checkpoint"),
            **training,
        )
        recalibrate_batch_norm(generator, random_state=seed)
        card = {"name": name, "generator": [type(generator).__name__, generator.arguments]}
        save_generator(generator, card, stem)
    return load_generator(stem)


@dataclass(frozen=True)
class Samples:
    """Samples of an owner, real ones and those of others, of which runs take parts."""

    owner: str
    own: np.ndarray
    real: np.ndarray
    foreign: dict
    generator: object
    n_mean: int

    @cached_property
    def layer(self):
        """The owner's final layer."""
        return final_layer(self.generator, self.n_mean)

    def part(self, run, n_tr, n_val, n_test, sources):
        """Training samples, labels, and tests by source; a run has its own hold-outs."""
        rng = np.random.default_rng(run)
        own, real = rng.permutation(len(self.own)), rng.permutation(len(self.real))
        tests = {self.owner: self.own[own[-n_test:]], "real": self.real[real[-n_test:]]}
        tests |= {name: self.foreign[name][:n_test] for name in sources}
        X = np.concatenate([self.own[own[: n_tr + n_val]], self.real[real[:n_tr]]])
        return X, np.repeat([1, -1], [n_tr + n_val, n_tr]), tests

    def changed(self, change):
        """All samples after ``change``, a perturbation."""
        foreign = {name: change(X) for name, X in self.foreign.items()}
        return replace(self, own=change(self.own), real=change(self.real), foreign=foreign)


def samples_of(owner, scale, options):
    """As many samples of an owner, of real images and of others as any experiment takes."""
    generator = generator_of(owner, options)
    names = chain(*others(owner, scale))
    return Samples(
        owner,
        sample(generator, scale.n_tr + scale.n_val + scale.n_test, random_state=0),
        real_images(owner.partition("/")[0], options)[: scale.n_tr + scale.n_test],
        {name: sample(generator_of(name, options), scale.n_test, random_state=1) for name in names},
        generator,
        scale.n_mean,
    )
