"""Own samples and negatives, as files hold them."""

import io
from functools import partial

import numpy as np
import torch
from PIL import Image

from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.base.modules import device_of, evaluating
from sklearn_flipad.cli.options import FILES
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.datasets.files.listing import iter_files
from sklearn_flipad.datasets.files.loading import read_each, read_samples
from sklearn_flipad.evaluation import FileFormat, RandomProcessing, UnknownGeometry
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.pipelines.methods import METHODS
from sklearn_flipad.scoring import ImageDecoder, WavDecoder
from sklearn_flipad.storage.files import read_regular

__all__ = [
    "compressed",
    "decoding_of_drawn",
    "drawn_samples",
    "make_decoder",
    "processed_at_random",
    "read_samples_of",
    "shape_of_own",
]


#: Of so many samples whose processing is searched, one stays without loss.
_N_LOSSLESS = 4


def make_decoder(sample_shape, *, size=None, rate=None, any_size=False):
    """Decoder of files that hold samples of a shape; with `any_size`, of signals of any length."""
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
        length = None if any_size else sample_shape[1]
        return WavDecoder(rate=rate, length=length, n_channels=sample_shape[0])
    raise ValueError(
        f"Samples of shape {shape} are neither images of one or three channels, channels first, "
        "nor signals (channels, length), which are what this command reads from files. Tables and "
        "others are for Python, see the documentation."
    )


def read_samples_of(paths, decoder, sample_shape, what, session, *, window=None):
    """Samples from files, of the shape that the generator makes.

    An array, or a list if a `window` allows several sizes; and the steps of each file's decoding,
    texts of shape ``(n,)``. Files that cannot be read are left out with a warning.
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
            verbose=session.verbose,
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
    if found.n_hidden:
        session.step(f"{found.n_hidden} hidden files and folders of the {what} are left out")
    n_resized = sum("resized" in step for steps in found.steps for step in steps)
    if n_resized:
        session.warn(
            f"{n_resized} of the {what} were resized. What the generator makes was not, so that "
            "the attributor may tell resizing instead of the generator."
        )
    return found.samples, np.array(["; ".join(steps) for steps in found.steps])


def shape_of_own(autoencoder, options):
    """Shape of own samples of which only files are there: that of the first one.

    Images have three channels or one, whichever the autoencoder takes.
    """
    if options.rate is None:
        decoders = [ImageDecoder(size=options.size, mode=mode) for mode in ("RGB", "L")]
    else:
        decoders = [WavDecoder(rate=options.rate)]
    seen = []
    for decoder in decoders:
        shape = _first_shape(options.own, decoder)
        try:
            with evaluating(autoencoder):
                autoencoder(torch.zeros(1, *shape, device=device_of(autoencoder)))
            return shape
        except RuntimeError as error:  # what torch raises where shapes do not fit
            seen.append(f"{'x'.join(map(str, shape))} ({error})")
    raise ValueError(f"{options.generator} fails with samples of {' and of '.join(seen)}.")


def _first_shape(paths, decoder):
    def read(path):
        return decoder(read_regular(path, decoder.max_bytes))[0].shape

    reasons = []
    for name, shape, reason in read_each(iter_files(paths), read):
        if reason is None:
            return shape
        reasons.append(f"{name}: {reason}")
    raise ValueError(f"No own samples: {reasons[0] if reasons else 'there is no file'}.")


def drawn_samples(model, n, shape, layer, options, draw=None):
    """Own samples as files hold them, on the scale of the final layer, and their decodings.

    Arrays of shape ``(n, *shape)`` and ``(n,)``. A method whose samples are not of any latents
    draws and compresses them itself, by ``draw(n, dtype=..., random_state=...)``.
    """
    drawing = {"random_state": options.seed}
    quality = options.jpeg if draw is None else None
    if draw is None:
        drawing |= {**model.latents, "verbose": model.verbose, "layer": layer}
        draw = partial(sample, model.module)
    decodings = [decoding_of_drawn(shape, options, options.jpeg)] * n
    if len(shape) == 2:
        X = draw(n, dtype="float32", **drawing)
        if options.bits != "float":
            X = quantize_audio(X, bits=int(options.bits), rounding=str(options.rounding))
        return X, decodings
    if "layer" in drawing and layer is None:
        drawing["output_range"] = model.output_range
    X = draw(n, dtype="uint8", **drawing)
    if isinstance(X, list):  # in formats that the method drew
        return X, _decodings_of_files(X, options)
    if options.processing is not None:
        return processed_at_random(X, options)
    return (X if quality is None else compressed(X, quality)), decodings


def processed_at_random(X, options):
    """Images as ``--processing`` draws it, and the steps of decoding their files, shape (n,).

    A list of several sizes for methods that search sizes, which are drawn too.
    """
    searches = METHODS[options.method].searches_processing
    if searches:
        # The preset draws the rest.
        sizes = UnknownGeometry(smallest=1, gain=0, offset=0, gamma=0, random_state=options.seed)
        X = sizes.fit_transform(X)
    if options.processing == FILES:
        files = FileFormat(random_state=options.seed).transform(X)
        decodings = _decodings_of_files(files, options)
        is_list = isinstance(X, list) or METHODS[options.method].follows_files
        return (files if is_list else np.stack(files)), decodings
    if isinstance(X, list):
        # Suspects may also be files without loss, which no preset but one makes.
        found = [
            ([FileImage(x)], [decoding_of_drawn(x.shape, options, None)])
            if searches and k % _N_LOSSLESS == 0
            else _processed_at_random(x[None], options)
            for k, x in enumerate(X)
        ]
        return [x for (x,), _ in found], [decoding for _, (decoding,) in found]
    files, decodings = _processed_at_random(X, options)
    return np.stack(files), decodings


def _decodings_of_files(images, options):
    """Steps of decoding the files of images that :class:`FileFormat` drew."""
    return [
        decoding_of_drawn(x.shape, options, getattr(x.compression, "quality", None)) for x in images
    ]


def _processed_at_random(X, options):
    processing = RandomProcessing(options.processing, random_state=options.seed).fit(X)
    drawn, mode = processing.draw(X), "L" if X.shape[1] == 1 else "RGB"
    formats = [name for name in drawn.columns if name.endswith("_format")]
    files, decodings = [], []
    for k, image in enumerate(processing.transform(X)):
        options_of_file = {"format": "PNG"}
        for name in formats:  # the last compression is that of the file
            if drawn[name][k] is not None:
                quality = int(drawn[name.replace("_format", "_quality")][k])
                options_of_file = {"format": drawn[name][k], "quality": quality}
        file = io.BytesIO()
        pixels = image[0] if mode == "L" else np.moveaxis(image, 0, 2)
        Image.fromarray(pixels).save(file, **options_of_file)
        decoded, steps = ImageDecoder(mode=mode)(file.getvalue())
        files.append(FileImage(image, decoded.compression))
        decodings.append("; ".join(steps))
    return files, decodings


def decoding_of_drawn(shape, options, quality):
    """The steps of decoding a file of a drawn sample, as a decoder would tell them."""
    size = "x".join(map(str, shape[:0:-1]))
    if len(shape) == 2:
        bits = "32-bit float" if options.bits == "float" else f"{options.bits}-bit"
        return f"WAV {options.rate} Hz {bits} mono"
    mode = "L" if shape[0] == 1 else "RGB"
    if quality is None:
        return f"PNG {size} {mode}"
    return f"JPEG {size} {mode} of quality {quality}{' 4:2:0' if mode == 'RGB' else ''}"


def compressed(X, quality):
    """Images as JPEG files of a quality hold them."""
    return JPEGCompression(quality).fit_transform(X)
