"""Numbers of committed results that the pages state.

A function for each page yields phrases, and the numbers that fill them. What is left out of a
phrase, such as literals and roles, is ``_`` in it.
"""

from tests.benchmarks.stated import attribution, constants, others

__all__ = ["PAGES", "SOURCES"]

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

#: By the file of the package, what stands beside its constants.
SOURCES = {
    "calibration/likelihood_ratios/kernel_density.py": constants.kernel_density,
    "evaluation/_earlier_jpeg.py": constants.earlier_jpeg,
    "generators/diffusion/_anderson.py": constants.anderson,
    "generators/diffusion/_schedulers.py": constants.schedulers,
    "generators/process/framing.py": constants.framing,
    "reproduction/options.py": constants.options,
    "reproduction/search/guided.py": constants.guided,
    "reproduction/search/plan.py": constants.plan,
    "reproduction/search/reasons.py": constants.reasons,
    "reproduction/search/resizings.py": constants.resizings,
    "reproduction/seeds/_targets.py": constants.targets,
    "reproduction/seeds/matching.py": constants.matching,
}
