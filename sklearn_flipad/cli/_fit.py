"""From a generator and a folder of negatives to a fitted attributor."""

from collections import Counter
from math import ceil, prod
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    LatentEncoder,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_smf,
    make_sminv,
    make_whitened,
)
from sklearn_flipad.calibration.rules import as_rule
from sklearn_flipad.cli._formats import LOSSY
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.datasets._loading import read_samples
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.sampling import sample
from sklearn_flipad.scoring import ImageDecoder, WavDecoder

__all__ = [
    "METHODS",
    "Request",
    "check_sizes",
    "compressed",
    "default_n_samples",
    "draw",
    "fit",
    "make_decoder",
    "read_samples_of",
]

#: How much is held out to calibrate.
_CV = {"reproduction": 0.5}
#: Methods that are fitted to negatives, and not only compared with them.
_TRAINED = ("flipad", "rawpad", "dctpad", "whitened")


class Request(NamedTuple):
    """The arguments of ``flipad fit``.

    Attributes
    ----------
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
    latents: dict = MappingProxyType({})
    verbose: int = 0


def default_n_samples(method, sample_shape):
    """How many own samples are drawn if that is not said.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    sample_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    int
    """
    if method in ("reproduction", "sminv"):
        return 1000
    # Whitening needs more training samples than a sample has elements.
    return max(2000, ceil(2.5 * prod(sample_shape))) if method == "whitened" else 2000


def make_decoder(sample_shape, *, size=None, rate=None):
    """The decoder of files that hold samples of a shape.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample.
    size : int, default=None
        Side to which images are resized and cropped.
    rate : int, default=None
        Samples a second of signals.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there is none.
    """
    shape = "x".join(map(str, sample_shape))
    if len(sample_shape) == 3 and sample_shape[0] in (1, 3):
        if rate is not None:
            raise ValueError(f"--rate is for sounds, and the samples are images of {shape}.")
        return ImageDecoder(size=size, mode="L" if sample_shape[0] == 1 else "RGB")
    if len(sample_shape) == 2:
        if size is not None:
            raise ValueError(f"--size is for images, and the samples are signals of {shape}.")
        if rate is None:
            raise ValueError(
                f"The samples are signals of {shape}: pass --rate, their samples a second."
            )
        return WavDecoder(rate=rate, length=sample_shape[1])
    raise ValueError(
        f"Samples of shape {shape} are neither images of one or three channels, channels first, "
        "nor signals (channels, length), which are what this command reads from files. Tables and "
        "others are for Python, see the documentation."
    )


def read_samples_of(paths, decoder, sample_shape, what, session):
    """Samples from files, of the shape that the generator makes.

    Parameters
    ----------
    paths : list of path-like
        Files and folders.
    decoder : callable
        See :func:`make_decoder`.
    sample_shape : tuple of int
        Shape of one sample.
    what : str
        What they are, for messages.
    session : Session
        Is told of files that cannot be read.

    Returns
    -------
    samples : ndarray, shape (n, *sample_shape)
    formats : dict of str to int
        How many files have each format.
    lossy : ndarray of bool, shape (n,)
        Which files are compressed with loss.

    Raises
    ------
    ValueError
        If none can be read, or they have another shape.
    """
    found = read_samples(paths, decoder, max_bytes=decoder.max_bytes, on_error="skip")
    if found.samples.shape[1:] != sample_shape:
        seen, wanted = ("x".join(map(str, s)) for s in (found.samples.shape[1:], sample_shape))
        advice = ""
        if len(sample_shape) == 3 and sample_shape[1] == sample_shape[2]:
            advice = f" --size {sample_shape[1]} resizes and crops them."
        raise ValueError(f"The {what} are {seen}, and the generator's samples {wanted}.{advice}")
    if found.errors:
        name, reason = next(iter(found.errors.items()))
        session.warn(
            f"{len(found.errors)} files of the {what} could not be read and are left out, such as "
            f"{name}: {reason}."
        )
    n_resized = sum("resized" in step for steps in found.steps for step in steps)
    if n_resized:
        session.warn(
            f"{n_resized} of the {what} were resized. What the generator makes was not, so that "
            "the attributor may tell resizing instead of the generator."
        )
    names = [steps[0].split()[0] for steps in found.steps]
    return found.samples, dict(Counter(names)), np.array([name in LOSSY for name in names])


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
    if negatives is None:
        return attributor.fit(X_own), len(X_own)
    y = np.repeat([1, -1], [len(X_own), len(negatives)])
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
    checks = [("fnr", request.fnr, n_own, "own samples", "--samples")]
    if n_negatives:
        checks.append(("fpr", request.fpr, n_negatives, "negatives", "--negatives"))
    for name, level, n, what, option in checks:
        needed = rule.min_size(level)
        if ceil(held_out * n) < needed:
            raise ValueError(
                f"--{name} {level:g} needs at least {ceil(needed / held_out)} {what}, of which "
                f"{held_out:.0%} are held out to calibrate; there are {n}. Raise {option}, or "
                f"--{name}."
            )


def draw(generator, n, shape, request):
    """Return a function that draws own samples as files hold them.

    Parameters
    ----------
    generator : torch.nn.Module
        The generator.
    n : int
        How many.
    shape : tuple of int
        Of one sample.
    request : Request
        The arguments.

    Returns
    -------
    callable
        As :func:`fit` takes it.
    """
    drawing = {**request.latents, "random_state": request.seed, "verbose": request.verbose}

    def own(layer):
        if len(shape) == 2:
            X = sample(generator, n, dtype="float32", layer=layer, **drawing)
            return quantize_audio(X, bits=request.bits) if request.bits else X
        range_ = {} if layer is not None else {"output_range": request.output_range}
        X = sample(generator, n, layer=layer, **range_, **drawing)
        return X if request.jpeg is None else compressed(X, request.jpeg)

    return own


def compressed(X, quality):
    """Images as JPEG files of a quality hold them."""
    return JPEGCompression(quality).fit_transform(X)


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
    "whitened": _whitened,
    "smf": _smf,
    "reproduction": _reproduction,
    "sminv": _sminv,
}
