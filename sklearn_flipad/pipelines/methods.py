"""The methods of attribution: one row each, which all that lists methods reads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from math import ceil, prod

from torch import nn

from sklearn_flipad.detectors import CombinedDetector, FingerprintDetector
from sklearn_flipad.features import (
    DCTTransformer,
    FinalLayerInverter,
    PreactivationTransformer,
    RawTransformer,
    ResidualTransformer,
    SpectrogramTransformer,
)
from sklearn_flipad.final_layer import FinalLayer
from sklearn_flipad.pipelines.baselines import make_posterior, make_smf, make_sminv
from sklearn_flipad.pipelines.combined import make_combined
from sklearn_flipad.pipelines.detection import (
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_spectral,
    make_whitened,
)
from sklearn_flipad.pipelines.reproduction import make_reproduction
from sklearn_flipad.pipelines.residual import make_residual
from sklearn_flipad.pipelines.seeded import make_seeded
from sklearn_flipad.reproduction import (
    LatentPosteriorDetector,
    ReproductionDetector,
    SeedDetector,
    SMInvDetector,
)

__all__ = ["METHODS", "Method", "TargetModel", "method_of"]

#: Own samples that are drawn at most for a covariance of many elements.
_MAX_SAMPLES = 20_000


@dataclass
class TargetModel:
    """The model that samples are attributed to, as methods are made from it.

    Parameters
    ----------
    module : torch.nn.Module
        The generator, or for residuals the autoencoder.
    latents : dict, default={}
        ``latent_shape`` or ``sampler``, where the generator does not have them itself; see
        :meth:`sklearn_flipad.FinalLayer.from_generator`.
    output_range : pair of float, default=None
        Values of the model that stand for the gray levels 0 and 255.
    rate : int, default=None
        Samples a second, if the model makes sounds.
    random_state : int, default=None
        Seed of the mean activation.
    verbose : int, default=0
        Whether to show progress.
    """

    module: nn.Module
    latents: dict = field(default_factory=dict)
    output_range: tuple | None = None
    rate: int | None = None
    random_state: int | None = None
    verbose: int = 0

    @cached_property
    def final_layer(self):
        """The final layer, traced when it is first asked for."""
        return FinalLayer.from_generator(
            self.module,
            **self.latents,
            output_range=self.output_range,
            random_state=self.random_state,
            verbose=self.verbose,
        )


@dataclass(frozen=True)
class Method:
    """A method of attribution: what it takes, what it judges, and how its attributor is made.

    Parameters
    ----------
    name : str
        Its name in the command and in descriptions of files.
    make : callable
        The ``make_*`` function.
    estimator : type
        The estimator to which its attributors pass the samples. It tells the method of an
        attributor.
    title : str
        The features or the distance that it judges by, in a few words.
    arguments : callable, default=None
        ``arguments(model)`` returns the arguments of `make` that a :class:`TargetModel`
        determines. None for methods that the command does not offer.
    holds : {"final_layer", "generator", "autoencoder"}, default=None
        The parameter of `estimator` that is a part of the model; None if the method knows samples
        alone.
    needs : {"samples", "activation", "final layer", "autoencoder", "generator"}, \
default="samples"
        The part of the model that an owner must have.
    trains_on_negatives : bool, default=True
        Whether the detector learns from samples of other sources. Otherwise they serve as the
        reference population alone.
    judges : tuple of str, default=("images", "signals")
        Of ``"images"``, ``"signals"`` and ``"tables"``, and ``"any size"`` for samples that are
        cut into windows.
    n_samples : int or callable, default=2000
        Own samples that the command draws by default, or a function of the shape of one sample.
    detector : dict, default={}
        Parameters of DeepSAD that differ from its defaults.
    is_distance : bool, default=False
        Whether minus the score is a distance of the sample, which is shown on a logarithmic axis.
    searches_processing : bool, default=False
        Whether `make` takes unknown processing of suspects, which is then searched.
    follows_files : bool, default=False
        Whether `make` takes :class:`~sklearn_flipad.evaluation.FileFormat` alone as processing.

    Attributes
    ----------
    held_out : float
        Part of the own samples that calibrates by default; 1 where nothing is trained.
    """

    name: str
    make: Callable
    estimator: type
    title: str
    arguments: Callable | None = None
    holds: str | None = None
    needs: str = "samples"
    trains_on_negatives: bool = True
    judges: tuple = ("images", "signals")
    n_samples: int | Callable = 2000
    detector: dict = field(default_factory=dict)
    is_distance: bool = False
    searches_processing: bool = False
    follows_files: bool = False

    @property
    def held_out(self):
        """Part of the own samples that calibrates by default."""
        parameter = signature(self.make).parameters.get("cv")
        return 1.0 if parameter is None else parameter.default

    def attributor(self, model, **options):
        """Make an attributor that is not fitted.

        Parameters
        ----------
        model : TargetModel
            The target model.
        **options
            Arguments of `make`; those that it does not have and other methods have are left out.

        Returns
        -------
        AttributionPipeline

        Raises
        ------
        ValueError
            If `arguments` is None.
        TypeError
            If no method has an argument of that name.
        """
        if self.arguments is None:
            raise ValueError(
                f"{self.name} has no function of the arguments that a model determines: call "
                f"{self.make.__name__} with them."
            )
        known = signature(self.make).parameters
        of_all = {name for method in METHODS.values() for name in signature(method.make).parameters}
        if unknown := sorted(set(options) - of_all - set(known)):
            raise TypeError(
                f"No method has an argument {unknown[0]!r}; {self.make.__name__} has "
                f"{', '.join(known)}."
            )
        options = {name: value for name, value in options.items() if name in known}
        return self.make(**{**options, **self.arguments(model)})

    def default_n_samples(self, sample_shape):
        """Return the number of own samples that are drawn by default.

        Parameters
        ----------
        sample_shape : tuple of int
            Shape of one sample.

        Returns
        -------
        int
        """
        return self.n_samples(sample_shape) if callable(self.n_samples) else self.n_samples


def _from_samples(model):
    return {}


def _from_final_layer(model):
    return {"final_layer": model.final_layer}


def _from_activation(model):
    layer = model.final_layer
    return {"activation": layer.activation, "output_range": layer.output_range}


def _from_generator(model):
    return {"generator": model.module, "output_range": model.output_range, **model.latents}


def _from_autoencoder(model):
    features = None if model.rate is None else SpectrogramTransformer(average=True)
    output_range = model.output_range or (-1.0, 1.0)
    return {"autoencoder": model.module, "features": features, "output_range": output_range}


def _for_a_covariance(sample_shape):
    """A covariance takes more training samples than a sample has elements."""
    return min(max(2000, ceil(2.5 * prod(sample_shape))), _MAX_SAMPLES)


_ROWS = (
    Method(
        "flipad",
        make_flipad,
        FinalLayerInverter,
        "activations before the final layer, by its inversion",
        _from_final_layer,
        holds="final_layer",
        needs="final layer",
        judges=("images", "signals", "tables", "any size"),
    ),
    Method(
        "whitened",
        make_whitened,
        PreactivationTransformer,
        "preactivations, decorrelated by own samples",
        _from_activation,
        needs="activation",
        judges=("images", "signals", "tables", "any size"),
        n_samples=_for_a_covariance,
    ),
    Method(
        "reproduction",
        make_reproduction,
        ReproductionDetector,
        "distance to the nearest sample of the generator, searched from an encoder's guess",
        _from_generator,
        holds="generator",
        needs="generator",
        trains_on_negatives=False,
        judges=("images", "signals", "tables"),
        n_samples=1000,
        is_distance=True,
        searches_processing=True,
    ),
    Method(
        "seeded",
        make_seeded,
        SeedDetector,
        "distance to what the generator makes of the seed, of many, that explains the sample",
        _from_generator,
        holds="generator",
        needs="generator",
        trains_on_negatives=False,
        judges=("images", "signals"),
        n_samples=400,
        is_distance=True,
        follows_files=True,
    ),
    Method(
        "rawpad",
        make_rawpad,
        RawTransformer,
        "pixels, or the values of signals",
        _from_samples,
        judges=("images", "signals", "tables", "any size"),
    ),
    Method(
        "dctpad",
        make_dctpad,
        DCTTransformer,
        "logarithmic DCT spectra",
        _from_samples,
        judges=("images", "signals", "any size"),
    ),
    Method(
        "spectral",
        make_spectral,
        SpectrogramTransformer,
        "short-time spectra",
        _from_samples,
        judges=("signals", "any size"),
    ),
    Method(
        "residual",
        make_residual,
        ResidualTransformer,
        "what an autoencoder leaves of a sample",
        _from_autoencoder,
        holds="autoencoder",
        needs="autoencoder",
        detector={"center": "inliers"},
    ),
    Method(
        "smf",
        make_smf,
        FingerprintDetector,
        "correlation with the model's noise fingerprint (SM-F)",
        _from_samples,
        trains_on_negatives=False,
        judges=("images",),
    ),
    Method(
        "sminv",
        make_sminv,
        SMInvDetector,
        "distance to the nearest sample of the generator, searched from random latents (SM-Inv)",
        _from_generator,
        holds="generator",
        needs="generator",
        trains_on_negatives=False,
        judges=("images", "signals", "tables"),
        n_samples=1000,
        is_distance=True,
    ),
    Method(
        "posterior",
        make_posterior,
        LatentPosteriorDetector,
        "density of the most probable latents of a row",
        holds="generator",
        needs="generator",
        trains_on_negatives=False,
        judges=("tables",),
    ),
    Method(
        "combined",
        make_combined,
        CombinedDetector,
        "several attributors, one decision",
        judges=("images", "signals", "tables", "any size"),
    ),
)
#: All methods by name, those of the command in the order in which it lists them.
METHODS = {method.name: method for method in _ROWS}


def method_of(estimator):
    """Return the method that a first estimator of an attributor belongs to.

    Parameters
    ----------
    estimator : estimator or str
        The estimator that is given the samples, or the name of its class.

    Returns
    -------
    Method or None
        None if it belongs to no method.
    """
    if isinstance(estimator, str):
        found = (row for row in METHODS.values() if row.estimator.__name__ == estimator)
    else:
        found = (row for row in METHODS.values() if isinstance(estimator, row.estimator))
    return next(found, None)
