"""Generators: the paper's architectures, weights that others published, and shipped weights."""

from sklearn_flipad.zoo.architectures import (
    ConditionalDCGANGenerator,
    DCGANGenerator,
    LSGANGenerator,
)
from sklearn_flipad.zoo.diffusion import load_diffusion
from sklearn_flipad.zoo.medigan_files import load_medigan
from sklearn_flipad.zoo.pretrained import (
    list_pretrained,
    load_pretrained,
    pretrained_card,
    pretrained_samples,
)
from sklearn_flipad.zoo.stylegan2 import StyleGAN2Generator
from sklearn_flipad.zoo.stylegan2_files import load_stylegan2
from sklearn_flipad.zoo.table_networks import KLWGANGenerator

__all__ = [
    "ConditionalDCGANGenerator",
    "DCGANGenerator",
    "KLWGANGenerator",
    "LSGANGenerator",
    "StyleGAN2Generator",
    "list_pretrained",
    "load_diffusion",
    "load_medigan",
    "load_pretrained",
    "load_stylegan2",
    "pretrained_card",
    "pretrained_samples",
]
