"""The paper's generators, their training, and the shipped weights with their quality."""

from sklearn_flipad.zoo.architectures import (
    ConditionalConvDiscriminator,
    ConditionalDCGANGenerator,
    ConvDiscriminator,
    DCGANGenerator,
    EBGANDiscriminator,
    LSGANDiscriminator,
    LSGANGenerator,
)
from sklearn_flipad.zoo.batch_norm import recalibrate_batch_norm
from sklearn_flipad.zoo.initialization import initialize_weights
from sklearn_flipad.zoo.medigan_files import load_medigan
from sklearn_flipad.zoo.objectives import (
    CrossEntropyObjective,
    EnergyObjective,
    KLWassersteinObjective,
    LeastSquaresObjective,
    NonSaturatingObjective,
    WassersteinGPObjective,
)
from sklearn_flipad.zoo.pretrained import (
    list_pretrained,
    load_pretrained,
    pretrained_card,
    pretrained_samples,
)
from sklearn_flipad.zoo.quality import (
    fashion_frechet_distance,
    frechet_distance,
    load_fashion_classifier,
)
from sklearn_flipad.zoo.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from sklearn_flipad.zoo.stylegan2_files import load_stylegan2
from sklearn_flipad.zoo.table_networks import KLWGANCritic, KLWGANGenerator
from sklearn_flipad.zoo.table_quality import table_distances
from sklearn_flipad.zoo.training import train_gan

__all__ = [
    "ConditionalConvDiscriminator",
    "ConditionalDCGANGenerator",
    "ConvDiscriminator",
    "CrossEntropyObjective",
    "DCGANGenerator",
    "EBGANDiscriminator",
    "EnergyObjective",
    "KLWGANCritic",
    "KLWGANGenerator",
    "KLWassersteinObjective",
    "LSGANDiscriminator",
    "LSGANGenerator",
    "LeastSquaresObjective",
    "NonSaturatingObjective",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "WassersteinGPObjective",
    "fashion_frechet_distance",
    "frechet_distance",
    "initialize_weights",
    "list_pretrained",
    "load_fashion_classifier",
    "load_medigan",
    "load_pretrained",
    "load_stylegan2",
    "pretrained_card",
    "pretrained_samples",
    "recalibrate_batch_norm",
    "table_distances",
    "train_gan",
]
