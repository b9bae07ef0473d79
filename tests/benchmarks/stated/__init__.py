"""Numbers of committed results that the pages state.

A function for each page yields phrases, and the numbers that fill them. What is left out of a
phrase, such as literals and roles, is ``_`` in it.
"""

from tests.benchmarks.stated import attribution, others

__all__ = ["PAGES"]

PAGES = {
    "README.md": others.readme,
    "docs/method.rst": others.method,
    "docs/experiments.rst": attribution.experiments,
    "docs/evidence.rst": others.evidence,
    "docs/comparison.rst": attribution.comparison,
    "docs/latent_diffusion.rst": attribution.latent_diffusion,
    "docs/processing.rst": attribution.processing,
    "docs/reproduction.rst": attribution.reproduction,
    "docs/tabular.rst": attribution.tabular,
    "docs/sound.rst": attribution.sound,
    "docs/windows.rst": attribution.windows,
    "docs/several_models.rst": attribution.several_models,
    "docs/command.rst": others.command,
    "docs/files.rst": others.files,
    "docs/adversaries.rst": attribution.adversaries,
    "docs/diffusion.rst": others.diffusion,
    "docs/paper.rst": others.paper,
}
