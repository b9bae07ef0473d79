"""Attribution to the decoder of a VQModel, whose latents are vectors of a codebook.

As in the benchmark of latent diffusion models, with a VQModel of the same size: decoded codes of
images that it was not trained on stand for what an autoregressive model makes. It is judged against
a VQModel of another seed, one whose decoder was trained on, an AutoencoderKL and real images.
"""

from dataclasses import replace

from benchmarks.attribution.latent_diffusion import (
    KEYS,
    OPTIONS,
    QUANTIZATION_ERROR,
    run,
    table,
)

__all__ = ["KEYS", "OPTIONS", "TABLES", "run"]

METHODS = (
    *("FLIPAD", "FLIPAD, whitened", "whitened preactivation", "residual", "AEDR", "AEROBLADE"),
    *("reproduction", QUANTIZATION_ERROR),
)
#: Of the options of the other benchmark, those with other values: defaults, and for ``--small``.
_CHANGED = {
    "owners": (("VQ 0",), ("VQ 0",)),
    "methods": (METHODS, ("AEDR", "AEROBLADE", QUANTIZATION_ERROR)),
    "n_own": (1000, 80),
    "n_real": (300, 20),
    "n_test": (200, 5),
}


def _changed(option):
    default, small = _CHANGED.get(option.name, (option.default, option.small))
    return replace(option, default=default, small=small)


OPTIONS = tuple(map(_changed, OPTIONS))
TABLES = {"vq_model": table}
