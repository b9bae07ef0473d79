"""Attributors by the names of their methods."""

from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    LatentEncoder,
    SpectrogramTransformer,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_residual,
    make_smf,
    make_sminv,
    make_spectral,
    make_whitened,
)
from sklearn_flipad.calibration import as_rule
from sklearn_flipad.detectors import MLP

__all__ = ["METHODS", "WINDOWED", "Request", "check_sizes", "fit"]

#: Methods that judge files of any size.
WINDOWED = ("flipad", "rawpad", "dctpad", "spectral", "whitened")
#: How much is held out to calibrate.
_CV = {"reproduction": 0.5}


class Request(NamedTuple):
    """The arguments of ``flipad fit``.

    Attributes
    ----------
    windows : int or None
        Side of the windows in which files of any size are judged.
    latents : dict
        ``latent_shape`` and ``sampler``, where the generator does not have them itself.
    verbose : int
        Whether to show progress bars.
    """

    generator: str
    out: Path
    weights: Path | None
    weights_key: str | None
    arguments: str | None
    latent_shape: tuple | None
    sampler: str | None
    output_range: tuple | None
    method: str
    samples: int | None
    own: tuple
    negatives: tuple
    reference: str | None
    size: int | None
    jpeg: int | None
    rate: int | None
    bits: int
    fnr: float
    fpr: float
    rule: str
    network: str
    epochs: int
    seed: int
    device: str | None
    overwrite: bool
    windows: int | None = None
    latents: dict = MappingProxyType({})
    verbose: int = 0


def fit(generator, own, negatives, reference, request):
    """Make an attributor and fit it.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    own : callable
        ``own(layer)`` returns own samples; `layer` is the final layer or None.
    negatives : ndarray or None
        Other samples.
    reference : str or None
        What the negatives are.
    request : Request
        The arguments.

    Returns
    -------
    attributor : AttributionPipeline
        Fitted.
    n_own : int
        Number of own samples.
    """
    layer = None
    if request.method in ("flipad", "whitened"):
        layer = FinalLayer.from_generator(
            generator,
            **request.latents,
            output_range=request.output_range,
            random_state=request.seed,
            verbose=request.verbose,
        )
    attributor = METHODS[request.method](generator, layer, request)
    attributor.set_params(detect__reference=reference)
    X_own = own(layer)
    if request.windows is not None and not request.own:
        # Larger suspects have as many windows as the samples that are drawn, all of one size.
        (count,) = attributor["detect"].estimator.n_windows(X_own[:1])
        attributor.set_params(detect__estimator__max_windows=int(count))
    if negatives is None:
        return attributor.fit(X_own), len(X_own)
    y = np.repeat([1, -1], [len(X_own), len(negatives)])
    if request.windows is not None:
        return attributor.fit([*X_own, *negatives], y), len(X_own)
    return attributor.fit(np.concatenate([X_own, negatives]), y), len(X_own)


def check_sizes(n_own, n_negatives, request):
    """Refuse levels for which too few samples are held out, before anything is computed.

    Parameters
    ----------
    n_own, n_negatives : int
        Numbers of own samples and of negatives.
    request : Request
        The arguments.

    Raises
    ------
    ValueError
        If there are too few; the message says how many it takes.
    """
    if request.rule == "quantile":
        return
    held_out = 1.0 if request.method == "sminv" else _CV.get(request.method, 0.2)
    rule = as_rule(request.rule)
    option = "--own" if request.own else "--samples"
    checks = [("fnr", request.fnr, n_own, "own samples", option)]
    if n_negatives:
        checks.append(("fpr", request.fpr, n_negatives, "negatives", "--negatives"))
    for name, level, n, what, option in checks:
        needed = rule.min_size(level)
        if ceil(held_out * n) < needed:
            raise ValueError(
                f"--{name} {level:g} needs at least {ceil(needed / held_out)} {what}, of which "
                f"{held_out:.0%} are held out to calibrate; there are {n}. Provide more "
                f"({option}), or raise --{name}."
            )


def _detector(request):
    network = {"module": MLP, "module_params": {"hidden": (256,)}}
    return DeepSADDetector(
        max_epochs=request.epochs,
        device=request.device,
        verbose=request.verbose,
        **(network if request.network == "mlp" else {}),
    )


def _trained(request):
    """Arguments of the methods with a trained detector."""
    return {
        "detector": _detector(request),
        "fnr": request.fnr,
        "rule": request.rule,
        "windows": request.windows,
        "device": request.device,
        "random_state": request.seed,
        "verbose": request.verbose,
    }


def _flipad(generator, layer, request):
    return make_flipad(layer, **_trained(request))


def _whitened(generator, layer, request):
    return make_whitened(layer.activation, output_range=layer.output_range, **_trained(request))


def _rawpad(generator, layer, request):
    return make_rawpad(**_trained(request))


def _dctpad(generator, layer, request):
    return make_dctpad(**_trained(request))


def _spectral(generator, layer, request):
    return make_spectral(**_trained(request))


def _residual(generator, layer, request):
    is_sound = request.rate is not None
    features = SpectrogramTransformer(average=True) if is_sound else None
    output_range = request.output_range or (-1.0, 1.0)
    trained = _trained(request)
    trained["detector"].set_params(center="inliers")
    return make_residual(generator, features=features, output_range=output_range, **trained)


def _smf(generator, layer, request):
    return make_smf(
        fnr=request.fnr, rule=request.rule, random_state=request.seed, verbose=request.verbose
    )


def _search(generator, request, **more):
    return make_sminv(
        generator,
        output_range=request.output_range,
        fnr=request.fnr,
        rule=request.rule,
        device=request.device,
        random_state=request.seed,
        verbose=request.verbose,
        **request.latents,
        **more,
    )


def _reproduction(generator, layer, request):
    encoder = LatentEncoder(
        output_range=request.output_range,
        device=request.device,
        random_state=request.seed,
        verbose=request.verbose,
        **request.latents,
    )
    return _search(generator, request, encoder=encoder, cv=_CV["reproduction"])


def _sminv(generator, layer, request):
    return _search(generator, request)


METHODS = {
    "flipad": _flipad,
    "rawpad": _rawpad,
    "dctpad": _dctpad,
    "spectral": _spectral,
    "whitened": _whitened,
    "residual": _residual,
    "smf": _smf,
    "reproduction": _reproduction,
    "sminv": _sminv,
}
