"""Own samples and negatives, as files hold them."""

from collections import Counter
from math import ceil, prod

import numpy as np
import torch

from sklearn_flipad.base.modules import device_of, evaluating
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.datasets.files.listing import iter_files
from sklearn_flipad.datasets.files.loading import read_each, read_samples
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.scoring import ImageDecoder, WavDecoder
from sklearn_flipad.scoring.runs.formats import LOSSY
from sklearn_flipad.storage.files import read_regular

__all__ = [
    "compressed",
    "default_n_samples",
    "draw",
    "make_decoder",
    "read_samples_of",
    "shape_of_own",
]

#: Own samples that are drawn at most if their number is not given.
_MAX_SAMPLES = 20_000


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
    if method == "whitened":  # takes more training samples than a sample has elements
        return min(max(2000, ceil(2.5 * prod(sample_shape))), _MAX_SAMPLES)
    return 2000


def make_decoder(sample_shape, *, size=None, rate=None, any_size=False):
    """The decoder of files that hold samples of a shape.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample.
    size : int, default=None
        Side to which images are resized and cropped.
    rate : int, default=None
        Samples a second of signals.
    any_size : bool, default=False
        Whether samples may have other sizes than `sample_shape`.

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
        return WavDecoder(rate=rate, length=None if any_size else sample_shape[1])
    raise ValueError(
        f"Samples of shape {shape} are neither images of one or three channels, channels first, "
        "nor signals (channels, length), which are what this command reads from files. Tables and "
        "others are for Python, see the documentation."
    )


def read_samples_of(paths, decoder, sample_shape, what, session, *, window=None):
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
    window : int, default=None
        Side of the windows, if samples may have other sizes than `sample_shape`.

    Returns
    -------
    samples : ndarray, shape (n, *sample_shape), or a list of arrays
    formats : dict of str to int
        How many files have each format.
    lossy : ndarray of bool, shape (n,)
        Which files are compressed with loss.

    Raises
    ------
    ValueError
        If none can be read, they have another shape, or one is smaller than a window.
    """
    advice = ""
    if len(sample_shape) == 3 and sample_shape[1] == sample_shape[2]:
        advice = f" --size {sample_shape[1]} resizes and crops them."
    try:
        found = read_samples(
            paths,
            decoder,
            max_bytes=decoder.max_bytes,
            same_shape=window is None,
            on_error="skip",
        )
    except ValueError as error:
        several = advice if "shapes, such as" in str(error) else ""
        raise ValueError(f"No {what}: {error}{several}") from error
    kept = None if window is None else 1  # channels
    odd = [x.shape for x in found.samples if x.shape[:kept] != sample_shape[:kept]]
    if odd:
        seen, wanted = ("x".join(map(str, s)) for s in (odd[0], sample_shape))
        raise ValueError(f"The {what} are {seen}, and the generator's samples {wanted}.{advice}")
    for name, x in zip(found.filenames, found.samples, strict=True):
        if window is not None and min(x.shape[1:]) < window:
            size = "x".join(map(str, x.shape[1:]))
            raise ValueError(
                f"{name}, one of the {what}, is {size}, smaller than a window of {window}: leave "
                "it out, or pass smaller --windows."
            )
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


def shape_of_own(autoencoder, request):
    """The shape of own samples of which only files are there: that of the first one.

    Parameters
    ----------
    autoencoder : torch.nn.Module
        Says by what it takes whether images have three channels or one.
    request : Request
        The arguments.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If no file can be read, or the autoencoder takes none of the shapes.
    """
    if request.rate is None:
        decoders = [ImageDecoder(size=request.size, mode=mode) for mode in ("RGB", "L")]
    else:
        decoders = [WavDecoder(rate=request.rate)]
    seen = []
    for decoder in decoders:
        shape = _first_shape(request.own, decoder)
        try:
            with evaluating(autoencoder):
                autoencoder(torch.zeros(1, *shape, device=device_of(autoencoder)))
            return shape
        except RuntimeError as error:  # what torch raises where shapes do not fit
            seen.append(f"{'x'.join(map(str, shape))} ({error})")
    raise ValueError(f"{request.generator} fails with samples of {' and of '.join(seen)}.")


def _first_shape(paths, decoder):
    def read(path):
        return decoder(read_regular(path, decoder.max_bytes))[0].shape

    reasons = []
    for name, shape, reason in read_each(iter_files(paths), read):
        if reason is None:
            return shape
        reasons.append(f"{name}: {reason}")
    raise ValueError(f"No own samples: {reasons[0] if reasons else 'there is no file'}.")


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
