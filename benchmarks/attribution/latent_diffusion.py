"""Attribution to the decoder of a latent diffusion model: the columns of Table 4.

Small AutoencoderKLs stand for those of Stable Diffusion, and decoded latents of images that they
were not trained on for what a diffusion process makes. Each owner is judged against autoencoders of
two other seeds, one that shares its encoder and whose decoder was trained on, one that shares all
of it but is given other latents, and real images. These are the negatives, or decoded images of
another seed. Latents have 256 values, images 1,024. Needs the files of Fashion-MNIST.
"""

import copy

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.attributors import (
    BASELINES,
    make_baseline,
    make_reproduction,
    one_layer_detector,
)
from benchmarks.data.autoencoders import (
    INVERSE,
    QUANTIZED,
    TUNED,
    autoencoder,
    encoded,
    unit,
)
from benchmarks.judging import judge
from benchmarks.options import Option, selection
from benchmarks.tables import accuracy_table
from sklearn_flipad import (
    ChannelSelector,
    FinalLayer,
    FNRThresholdCalibrator,
    InlierScaler,
    InlierWhitener,
    ResidualTransformer,
    make_flipad,
    make_residual,
    make_whitened,
)
from sklearn_flipad.datasets import load_fashion_mnist
from sklearn_flipad.final_layer import LatentDecoder, LatentGuess

SHARED = "0, other latents"
#: The owners, and for each the sources that are not its own.
OWNERS = {
    "0": ("1", "2", TUNED, SHARED, "real"),
    "1": ("0", "2", TUNED, "real"),
    f"{QUANTIZED}0": (f"{QUANTIZED}1", f"{QUANTIZED}{TUNED}", "0", "real"),
}
#: Of VQModels alone.
QUANTIZATION_ERROR = "quantization error"
METHODS = (
    "SM-F",
    "RawPAD",
    "DCTPAD",
    "FLIPAD, 3 channels",
    "FLIPAD",
    "FLIPAD, whitened",
    "whitened preactivation",
    *(f"{name}, negatives of {seed}" for name in ("FLIPAD", "RawPAD") for seed in "01"),
    "residual",
    "AEDR",
    "AEROBLADE",
    "LatentTracer",
    "reproduction",
    "reproduction, decoded in bfloat16",
)
#: After the name of a method: its negatives are decoded, as in the paper, and not real images.
DECODED = ", negatives of "
#: After the name of a method: all decoders but those of the search compute in bfloat16.
BFLOAT16 = ", decoded in bfloat16"
#: Searches from the guess of the autoencoder's own encoder.
SEARCHES = {
    "AEROBLADE": {"max_iter": 0, "n_newton": 0, "n_restarts": 0, "n_calibration": 0},
    "LatentTracer": {"n_newton": 0, "n_restarts": 0, "n_calibration": 0},
    "reproduction": {},
}
KEYS = ("owner", "method")
OPTIONS = (
    selection("owners", OWNERS, ("0", "1"), small=("0",)),
    selection(
        "methods",
        (*METHODS, QUANTIZATION_ERROR),
        METHODS,
        small=("RawPAD", "RawPAD, negatives of 1", "AEROBLADE"),
    ),
    # The paper's rate for this experiment.
    Option("fnr", 0.05, help="false-negative rate"),
    Option("n_own", 4000, 80, "images of the model, which train and calibrate"),
    Option("n_real", 500, 20, "negatives"),
    Option("n_test", 500, 5, "images of each source"),
    Option("n_searched", 60, 40, "images of the model for searches, which take seconds each"),
    Option("n_searched_test", 20, 2, "images of each source for searches"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
    Option("n_steps", 1500, 2, "training steps of the autoencoders"),
    Option("n_steps_on", 500, 2, "further steps of a decoder"),
    Option("channels", (16, 32, 32), (4, 4, 4), "of the autoencoders"),
)


class AEDR(OutlierMixin, BaseEstimator):
    """Ratio of the errors of two reconstructions in a row, times the homogeneity of the image.

    Wang et al., AAAI 2026. The mean of the encoder's distribution takes the place of a draw. Where
    codes come back, the second error is 0: it counts as that of rounding to gray levels at least.
    """

    def __init__(self, autoencoder):
        self.autoencoder = autoencoder

    def fit(self, X, y=None):
        """Return the detector as it is."""
        return self

    def score_samples(self, X):
        """Minus the paper's signal, of gray levels."""
        X = np.asarray(X).reshape(-1, 1, 32, 32)
        residual = ResidualTransformer(self.autoencoder, output_range=(0, 1))
        first = residual.reconstruct(X)
        errors = [
            np.square(before.astype(np.float64) - after).mean(axis=(1, 2, 3))
            for before, after in ((X / 255, first), (first, residual.reconstruct(first)))
        ]
        return -errors[0] / np.maximum(errors[1], 1 / 12 / 255**2) * homogeneity(X)


class QuantizationError(OutlierMixin, BaseEstimator):
    """Distance of the latents that an inverse decoder finds to the codebook.

    The QuantLoss of Zhao et al., "Data Provenance for Image Auto-Regressive Generation", ICLR 2026,
    arXiv:2606.28386; their second signal, EncLoss, is not computed.
    """

    def __init__(self, autoencoder):
        self.autoencoder = autoencoder

    def fit(self, X, y=None):
        """Return the detector as it is."""
        return self

    @torch.no_grad()
    def score_samples(self, X):
        """Minus the squared distances to the nearest vectors, summed over positions."""
        codes, scores = self.autoencoder.quantize.embedding.weight, []
        for image in unit(np.asarray(X).reshape(-1, 1, 32, 32)):
            latents = self.autoencoder.encode(image[None]).latents[0].flatten(1).T
            squares = (latents[:, None] - codes).double().square().sum(dim=2)
            scores.append(-squares.min(dim=1).values.sum().item())
        return np.array(scores)


def homogeneity(X):
    """Homogeneity of the co-occurrence matrix of 32 levels in neighboring columns."""
    steps = np.diff(X // 8 * 1.0, axis=-1)
    return (1 / (1 + np.square(steps))).mean(axis=(1, 2, 3))


def images_of(name, vaes, real, dtype=torch.float32):
    """Gray levels of a source: latents of real images, decoded in `dtype`, or these themselves."""
    if name == "real":
        return real
    vae = vaes["0" if name == SHARED else name]
    latents = encoded(vae, real, seed=0)
    if name == SHARED:  # as another diffusion process might come to
        latents = (latents + latents.roll(1, dims=0)) / 2
    decoder = LatentDecoder(vae if vae.dtype == dtype else copy.deepcopy(vae).to(dtype))
    with torch.no_grad():
        parts = [decoder(z.to(dtype)).float() for z in latents.split(100)]
    return (255 * torch.cat(parts)).round().to(torch.uint8).numpy()


def data_of(owner, vaes, real, options, *, negatives="real", is_searched=False, **made):
    """Training samples and labels, and test images by source; no real image serves twice.

    The other keywords are those of :func:`images_of`.
    """
    n_own = options.n_searched if is_searched else options.n_own
    n_test = options.n_searched_test if is_searched else options.n_test
    parts = np.split(real, np.cumsum([options.n_own, options.n_real]))
    X = images_of(owner, vaes, parts[0][:n_own], **made)
    y = np.ones(n_own, dtype=int)
    if not is_searched:
        others = images_of(negatives, vaes, parts[1], **made)
        X, y = np.concatenate([X, others]), np.append(y, np.full(len(others), -1))
    names = (owner, *OWNERS[owner])
    tests = np.split(parts[2], np.arange(1, len(names)) * options.n_test)
    tests = zip(names, tests, strict=True)
    return X, y, {name: images_of(name, vaes, x[:n_test], **made) for name, x in tests}


def make_attributor(method, vae, latents, options, cache_dir=None, inverse=None):
    """An attributor by the name of its method; the detector of all is one and the same.

    Activations are kept in `cache_dir`, for all methods that start from them. `inverse` is the
    autoencoder whose encoder inverts the decoder.
    """
    method, fnr = method.partition(DECODED)[0].removesuffix(BFLOAT16), options.fnr
    if method in SEARCHES:
        search = SEARCHES[method]
        return make_reproduction(
            LatentDecoder(vae), LatentGuess(vae), search=search, output_range=(0, 1), fnr=fnr
        )
    autoencoder = torch.nn.Sequential(LatentGuess(vae), LatentDecoder(vae))
    common = {"fnr": fnr, "cv": 0.25, "random_state": 0}
    if method in ("AEDR", QUANTIZATION_ERROR):
        detector = AEDR(autoencoder) if method == "AEDR" else QuantizationError(inverse)
        return Pipeline([("detect", FNRThresholdCalibrator(detector, **common))])
    common["detector"] = one_layer_detector(options.max_epochs)
    if method in BASELINES:
        return make_baseline(method, output_range=(0, 1), **common)
    if method == "residual":
        common["detector"].set_params(center="inliers")
        return make_residual(autoencoder, output_range=(0, 1), **common)
    layer = FinalLayer.from_diffusers(vae, latents=latents)
    if method == "whitened preactivation":
        return make_whitened(layer.activation, output_range=(0, 1), **common)
    if method == "FLIPAD, whitened":
        common["scaler"] = InlierWhitener(ridge=1e-2, exponent=0.5, block=256)
    if method == "FLIPAD, 3 channels":
        common["scaler"] = make_pipeline(ChannelSelector(k=3), InlierScaler())
    return make_flipad(layer, **common).set_params(invert__cache_dir=cache_dir)


def run(options, results):
    """Judge each method of each owner."""
    X_train, real = load_fashion_mnist(), load_fashion_mnist("test")
    sizes = {name: getattr(options, name) for name in ("channels", "n_steps", "n_steps_on")}

    def trained(name):
        return autoencoder(name, options.work, X_train, **sizes)

    for owner in options.owners:
        names = {owner, *OWNERS[owner]} - {SHARED, "real"}
        vaes = {name: trained(name) for name in sorted(names)}
        latents = encoded(vaes[owner], X_train[:1000], seed=0)
        for method in options.methods:
            negatives = method.partition(DECODED)[2] or "real"
            if negatives == owner or results.has(owner, method):
                continue
            made = {"dtype": torch.bfloat16} if method.endswith(BFLOAT16) else {}
            is_searched = method.removesuffix(BFLOAT16) in SEARCHES
            X, y, tests = data_of(
                owner, vaes, real, options, negatives=negatives, is_searched=is_searched, **made
            )
            inverse = trained(owner + INVERSE) if method == QUANTIZATION_ERROR else None
            attributor = make_attributor(
                method, vaes[owner], latents, options, options.work / "activations", inverse
            )
            names = {"owner": owner, "method": method}
            names |= {"n_own": int((y > 0).sum()), "n_test": len(tests[owner])}
            rows = judge(attributor, X, y, tests, fnrs=(options.fnr,), **names)
            results.add(*rows)


def table(rows):
    """Accuracies: a line for each owner and method, a column for each source."""

    def place(row):
        kind, decoded, _ = row["method"].partition(DECODED)
        return [*METHODS, kind].index(kind), decoded

    # Whenever it was measured, a method stands beside the same with other negatives.
    return accuracy_table(sorted(rows, key=place), "owner")


TABLES = {"latent_diffusion": table}
