"""The list of benchmarks."""

import importlib
from dataclasses import dataclass

__all__ = ["BENCHMARKS", "Benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark; its module is imported only when it is asked for.

    The module has ``run(options, results)``, which adds rows to the results, ``KEYS``, the columns
    that identify a cell, and where there are any, ``OPTIONS`` and ``TABLES``, functions of rows
    that return what the documentation shows, by the names of the files.
    """

    name: str
    folder: str
    line: str
    duration: str

    @property
    def module(self):
        """Its module."""
        return importlib.import_module(f"benchmarks.{self.folder}.{self.name}")


_NOT_MEASURED = "not measured"
#: Names, folders, lines and durations on a laptop with two cores: the sums of what the committed
#: results say, without the training of what is kept, or of what the documentation says.
_ROWS = (
    ("solvers", "speed", "time of the solvers to a given suboptimality", "18 min"),
    ("sizes", "speed", "set-up and solution of layers of three sizes", "1 min 36 s"),
    ("gram", "speed", "solvers of the Gram systems, side by side", _NOT_MEASURED),
    ("tolerance", "speed", "features and time by the tolerance of the inversion", _NOT_MEASURED),
    ("scaling", "speed", "cost by numbers of samples, penalties and folds", _NOT_MEASURED),
    ("busy", "speed", "six jobs beside competing processes", "14 min"),
    ("files", "speed", "20,000 files by one and two processes, and killed runs", "10 min"),
    ("tabular_speed", "speed", "inversion of 100,000 rows of a table", "7 s"),
    ("gpu", "speed", "inversion, detector and reproduction on a card", "1 min on a card"),
    ("latent_search", "speed", "Adam against L-BFGS in the latent search", _NOT_MEASURED),
    ("large_latents", "speed", "search of as many latents as elements", _NOT_MEASURED),
    ("seed_search", "speed", "seeds compared with noise, beside drawing alone", "1 min"),
    ("constants", "constants", "constants of the library beside other values", "60 min"),
    ("command", "speed", "from a model and a folder to verdicts and a report", "29 s"),
    ("methods", "attribution", "six methods against other architectures", "20 min"),
    ("seeds", "attribution", "three methods against other seeds", "40 min"),
    ("perturbed", "attribution", "immunized methods under perturbations", "25 min"),
    ("whitening", "attribution", "whitened features against other seeds", "6 min"),
    ("near_duplicates", "attribution", "thumbnails of samples and of copies", "15 s"),
    ("likelihood_ratios", "attribution", "ratios of known densities and one model", "20 min"),
    ("attacks", "attribution", "own samples made foreign, and foreign ones own", "15 min"),
    ("peers", "attribution", "statistics of other libraries on the same scores", "10 s"),
    ("detectors", "attribution", "detectors of other libraries in DeepSAD's place", "45 s"),
    ("ladder", "attribution", "ever nearer copies of five owners", "2 h, part of it on a card"),
    ("reproduction", "attribution", "reproduction of twelve owners and a public model", "79 min"),
    ("processed", "attribution", "processed samples, with known processing", _NOT_MEASURED),
    ("suspects", "attribution", "a folder of files of all kinds, by the command", _NOT_MEASURED),
    ("strata", "attribution", "false-negative rates by JPEG quality", _NOT_MEASURED),
    ("gan_seeds", "attribution", "seeds of the images of a GAN", _NOT_MEASURED),
    ("open_set", "attribution", "which of twelve models, or none", "9 min, without searches"),
    ("windows", "attribution", "images of any size in windows", "5 min"),
    ("latent_diffusion", "attribution", "decoders of latent diffusion models", "39 min"),
    ("vq_model", "attribution", "decoder of a VQModel", "6 min"),
    ("diffusion", "attribution", "seeds of the images of diffusion models", "50 min"),
    ("diffusion_networks", "attribution", "quality of the diffusion networks", _NOT_MEASURED),
    ("denoisers", "attribution", "features of diffusion networks without seeds", "5 min"),
    ("medical", "attribution", "generators of medical images", "30 min"),
    ("super_resolution", "attribution", "sibling super-resolution networks", "31 min"),
    ("content", "attribution", "own samples of other content, weighted", _NOT_MEASURED),
    ("sound", "attribution", "vocoders, detector noise and ECGs", "2 h 10 min"),
    ("stylegan2", "attribution", "style-based generators, by branches", "21 min"),
    ("paper", "paper", "tables, figures and examples of the paper", "1 h, not all runs"),
    ("published", "paper", "the published code of FLIPAD on the same images", "18 min"),
    ("tabular", "attribution", "synthesizers of tables, rows and sets of rows", "96 min"),
)
BENCHMARKS = {row[0]: Benchmark(*row) for row in _ROWS}
