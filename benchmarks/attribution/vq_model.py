"""Attribution to the decoder of a VQModel, whose latents are vectors of a codebook.

As in the benchmark of latent diffusion models, with a VQModel of the same size: decoded codes of
images that it was not trained on stand for what an autoregressive model makes. It is judged against
a VQModel of another seed, one whose decoder was trained on, an AutoencoderKL and real images.
"""

import copy
from dataclasses import replace

from benchmarks.attribution import latent_diffusion
from benchmarks.options import Option

KEYS = latent_diffusion.KEYS
#: Methods that invert the final layer, which takes longest.
INVERTING = ("FLIPAD", "FLIPAD, whitened")
METHODS = (
    *("whitened preactivation", "residual", "AEDR", "AEROBLADE", "reproduction"),
    *(latent_diffusion.QUANTIZATION_ERROR, *INVERTING),
)
#: Options whose values differ from those of latent diffusion models: defaults, and small ones.
_CHANGED = {
    "owners": (("VQ 0",), ("VQ 0",)),
    "methods": (METHODS, ("AEDR", "AEROBLADE", latent_diffusion.QUANTIZATION_ERROR)),
    "n_real": (300, 20),
    "n_test": (100, 5),
}


def _changed(option):
    default, small = _CHANGED.get(option.name, (option.default, option.small))
    return replace(option, default=default, small=small)


OPTIONS = (
    *map(_changed, latent_diffusion.OPTIONS),
    Option("n_inverted", 800, 80, "images of the model for methods that invert the final layer"),
)


def run(options, results):
    """Judge each method, as for latent diffusion models."""
    for methods, n_own in (
        ([name for name in options.methods if name not in INVERTING], options.n_own),
        ([name for name in options.methods if name in INVERTING], options.n_inverted),
    ):
        part = copy.copy(options)
        part.methods, part.n_own = methods, n_own
        latent_diffusion.run(part, results)


TABLES = {"vq_model": latent_diffusion.table}
