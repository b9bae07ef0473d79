"""The owners of the ladder, and the generators that their attributors meet."""

import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save

from benchmarks.data.generators import PUBLIC, SHIPPED, generator_by_name
from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import distilled_copy, fine_tuned_copy, near_copies
from sklearn_flipad.evaluation.near_copies import NEAR_COPIES
from sklearn_flipad.generators import sample
from sklearn_flipad.storage.files import write_atomically
from sklearn_flipad.zoo import DCGANGenerator, load_pretrained

OWNERS = (*SHIPPED, PUBLIC)
#: One seed of each architecture, and the public generator.
DEFAULT_OWNERS = (*(f"fashion/{x}" for x in ("dcgan-1", "ebgan-0", "lsgan-0", "wgan-gp-0")), PUBLIC)
#: What samples are drawn for, so that no two sets share latents.
OWN, FRESH, SUSPECTS, OTHERS, NEGATIVES = range(5)
#: Seeds of the copies on the rungs, and of those among the negatives.
COPIES, NEGATIVE_COPIES = 4, 100
#: Near-copies that the owner makes as negatives. Noise has several seeds, none of them that of a
#: rung, so that the detector learns no single direction; the rung of the pruned one is no new one.
AS_NEGATIVES = ("noise 0.2 last", "noise 0.1 last", "noise 0.1 earlier")
N_SEEDS, PRUNED_AS_NEGATIVE = 5, "pruned 0.5"


@dataclass
class Owner:
    """A generator, what it is tested against, and a folder that keeps trained networks.

    `n_steps` are those of each distillation. `seed` is that of all samples, and of what the methods
    train; suspects that are trained, or get noise, are the same for all seeds.
    """

    name: str
    folder: Path
    n_steps: int = 2000
    seed: int = 0
    generator: torch.nn.Module = field(init=False)

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.generator = generator_by_name(self.name, self.folder.parent)

    def cached(self, name, module, train):
        """A network on disk, or as `train` returns it; `module` takes the weights."""
        path = self.folder / f"{self.name.replace('/', '-')}-{name}.safetensors"
        if not path.exists():
            write_atomically(path, save(train().state_dict()))
        module.load_state_dict(load(path.read_bytes()))
        return module.eval().requires_grad_(False)

    def samples(self, generator, n, purpose, index=0):
        """Samples as gray levels; those of each purpose and index have latents of their own."""
        rng = np.random.RandomState([self.seed, purpose, index])
        return sample(generator, n, random_state=rng, output_range=(-1.0, 1.0))

    def mixture(self, generators, n, purpose):
        """Samples of several generators, equally many of each but for a few."""
        n_each = -(-n // len(generators))
        parts = [self.samples(g, n_each, purpose, i) for i, g in enumerate(generators)]
        return np.concatenate(parts)[:n]

    def negatives(self, n):
        """Images that are not the owner's, for the training.

        Real ones for the shipped generators. Of those that the public one was trained on none
        is at hand; a small network that was distilled from it stands in for them.
        """
        if self.name != PUBLIC:
            return load_fashion_sample()[:n]
        small = partial(DCGANGenerator, channels=(128, 64, 32, 16))
        train = partial(self._distilled, small(), seed=NEGATIVE_COPIES)
        surrogate = self.cached(f"surrogate-{self.n_steps}", small(), train)
        return self.samples(surrogate, n, OTHERS)

    def negative_copies(self, n):
        """Samples of near-copies as further negatives, `n` in all."""
        kinds = [(PRUNED_AS_NEGATIVE, 0)]
        kinds += [(kind, seed) for kind in AS_NEGATIVES for seed in range(N_SEEDS)]
        copies = [
            made
            for kind, seed in kinds
            for _, made in near_copies(self.generator, [kind], random_state=NEGATIVE_COPIES + seed)
        ]
        return self.mixture(copies, n, NEGATIVES)

    def suspects(self, rung):
        """The generators of a rung, an empty list where this owner has none."""
        if rung in ("other architectures", "other seeds"):
            return _relatives(self.name, rung == "other seeds")
        if rung == "distilled":
            train = partial(self._distilled, None, seed=COPIES)
            name = f"student-{self.n_steps}"
            return [self.cached(name, copy.deepcopy(self.generator), train)]
        if rung == "fine-tuned":
            train = partial(self._fine_tuned, seed=COPIES)
            return [self.cached("fine-tuned", copy.deepcopy(self.generator), train)]
        return [made for _, made in near_copies(self.generator, [rung], random_state=COPIES)]

    def _distilled(self, student, seed):
        options = {"n_steps": self.n_steps, "random_state": seed, "verbose": 1}
        return distilled_copy(self._on_device(), student, **options).cpu()

    def _on_device(self):
        return copy.deepcopy(self.generator).to(resolve_device(None))

    def _fine_tuned(self, seed):
        # Of the public generator's own training images none is at hand: a shift towards others.
        X = load_fashion_sample()[1000:]
        if self.name == PUBLIC:
            X = np.repeat(X.repeat(2, axis=2).repeat(2, axis=3), 3, axis=1)
        return fine_tuned_copy(self._on_device(), X, random_state=seed, verbose=1).cpu()


def _relatives(name, same_architecture):
    """The owner's other seeds, or the generators of its number and of other architectures."""
    if name == PUBLIC:
        return []
    kind, _, number = name.rpartition("-")
    if same_architecture:
        names = [f"{kind}-{seed}" for seed in "012" if seed != number]
    else:
        kinds = {other.rpartition("-")[0] for other in SHIPPED} - {kind}
        names = [f"{other}-{number}" for other in sorted(kinds)]
    return [load_pretrained(other) for other in names]


#: From the far to the near.
RUNGS = ["other architectures", "other seeds", *NEAR_COPIES]
