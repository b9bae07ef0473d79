"""Evidence of a diffusion network about images whose seeds nobody knows.

Features of a model's network for its own images, for those of a copy that was trained on and of a
network of another seed, for real images and those of a GAN: whitened, for a detector that real
images are the negatives of. And the spectral coupling of Meshram and Chandrasekaran, by which each
image is to be given to one of the networks: computed as in their published code by the network that
made it, or for all images by the same networks.
"""

import numpy as np
import pandas as pd
from joblib import Memory
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.attribution.diffusion import OPTIONS as NETWORKS
from benchmarks.attribution.diffusion import sampler_of
from benchmarks.attributors import one_layer_detector
from benchmarks.judging import interval, judge
from benchmarks.options import Option, selection
from sklearn_flipad import DenoiserTransformer, FNRThresholdCalibrator, InlierWhitener
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import TorchNoise, sample
from sklearn_flipad.zoo import load_pretrained

KEYS = ("method", "source")
#: The model, a copy that was trained on, and a network of another seed, which is trained for an
#: eighth of the steps.
MODEL, COPY, OTHER = "0", "0, trained on", "1"
SIBLINGS = (COPY, OTHER)
FEATURES = ("noise", "errors", "coupling")
ALL = "all"
#: Which networks the couplings of an image come from.
TRUE, AS_IF, ONE, EVERY = "its source", "real images, by each", "the model", "every network"
_SIZES = tuple(o for o in NETWORKS if o.name in ("n_steps", "n_steps_on", "channels"))
OPTIONS = (
    selection("siblings", SIBLINGS, small=(COPY,), help="networks beside the model"),
    Option("fnr", 0.05, 0.3, "false-negative rate"),
    Option("n_own", 300, 12, "images of the model, a quarter of which calibrate"),
    Option("n_real", 100, 4, "real images, the negatives"),
    Option("n_test", 60, 5, "images of each source"),
    Option("n_prototypes", 30, 3, "images of each network whose mean coupling is its own"),
    Option("n_sampled", 10, 6, "steps of the sampler"),
    Option("n_bands", 4, 2, "bands of the detector's features"),
    Option("n_levels", 3, 2, "levels of the detector's features"),
    Option("n_rings", 8, 3, "bands of the couplings by which images are given to networks"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
    *_SIZES,
)
#: Images whose features are kept together.
_N_ROWS = 50


class Probes:
    """Samplers of the networks, and their images and features, which are kept."""

    def __init__(self, options):
        self.options = options
        names = (MODEL, *options.siblings)
        self.samplers = {name: sampler_of(name, options.n_sampled, options) for name in names}
        memory = Memory(options.work / "denoisers", verbose=0)
        self._images = memory.cache(_images, ignore=["by"])
        self._features = memory.cache(_features, ignore=["by"])

    def images(self, name, n, first):
        """Images of a network by the seeds from `first` on, one by one."""
        return self._images(self.samplers[name], self._settings(name), n, first)

    def features(self, name, kind, X, **sizes):
        """Features of a kind by a network."""
        by, settings = self.samplers[name], self._settings(name)
        parts = [X[k : k + _N_ROWS] for k in range(0, len(X), _N_ROWS)]
        return np.concatenate([self._features(by, settings, kind, x, **sizes) for x in parts])

    def _settings(self, name):
        """All that a sampler depends on."""
        sizes = [getattr(self.options, option.name) for option in _SIZES]
        return name, self.options.n_sampled, *sizes


def _images(by, settings, n, first):
    draw = TorchNoise(by.latent_shape)
    return np.concatenate([by.images(draw(seed)) for seed in range(first, first + n)])


def _features(by, settings, kind, X, **sizes):
    return DenoiserTransformer(by, features=(kind,), **sizes).fit_transform(X)


def detect(probes, options, results):
    """Judge attributors of each kind of features, and of all of them."""
    n, n_test = options.n_own, options.n_test
    networks = (MODEL, *options.siblings)
    sources = (*options.siblings, "real", "GAN")
    missing = {
        method: [name for name in sources if not results.has(method, name)]
        for method in (*FEATURES, ALL)
    }
    if not any(missing.values()):
        return
    real = load_fashion_sample(options.n_real + n_test)
    X = {"train": np.concatenate([probes.images(MODEL, n, 0), real[: options.n_real]])}
    y = np.repeat([1, -1], [n, options.n_real])
    for name in networks:  # other seeds for each
        first = n + (MODEL, *SIBLINGS).index(name) * n_test
        X[name] = probes.images(name, n_test, first)
    X["real"] = real[options.n_real :]
    X["GAN"] = sample(load_pretrained("fashion/dcgan-0"), n_test, random_state=0)
    sizes = {"n_bands": options.n_bands, "n_levels": options.n_levels}
    found = {
        kind: {name: probes.features(MODEL, kind, x, **sizes) for name, x in X.items()}
        for kind in FEATURES
    }
    found[ALL] = {name: np.hstack([found[kind][name] for kind in FEATURES]) for name in X}
    for method, names in missing.items():
        if not names:
            continue
        detector = one_layer_detector(options.max_epochs, center="inliers")
        detector = Pipeline([("whiten", InlierWhitener()), ("detector", detector)])
        detector = FNRThresholdCalibrator(detector, fnr=options.fnr, cv=0.25, random_state=0)
        train = found[method]["train"]
        tests = {name: found[method][name] for name in (MODEL, *names)}
        columns = {"method": method, "n_own": n, "n_test": n_test, "n_features": train.shape[1]}
        attributor = Pipeline([("detect", detector)])
        rows = judge(attributor, train, y, tests, owner=MODEL, fnrs=(options.fnr,), **columns)
        for row in rows:
            results.add(row)


def couple(probes, options, results):
    """Give images to networks by couplings that come from one or several networks."""
    networks = (MODEL, *options.siblings)
    together, n, n_first = " and ".join(networks), options.n_test, options.n_prototypes
    if results.has(EVERY, together):
        return

    def couplings(by, X):
        return probes.features(by, "coupling", X, n_bands=options.n_rings)

    prototypes, found = [], []
    for k, source in enumerate(networks):
        X = probes.images(source, n_first + n, 100_000 * (k + 1))
        prototypes.append(couplings(source, X[:n_first]).mean(axis=0))
        found.append([couplings(name, X[n_first:]) for name in networks])
    prototypes, sources = np.stack(prototypes), np.repeat(np.arange(len(networks)), n)
    # Of shape (images, networks, features).
    every = np.concatenate([np.stack(by_each, axis=1) for by_each in found])
    # The same real images for each network, as if it had made them.
    as_if = np.concatenate([couplings(name, load_fashion_sample(n)) for name in networks])
    features = {
        TRUE: every[np.arange(len(sources)), sources],
        AS_IF: as_if,
        ONE: every[:, 0],
        EVERY: every.reshape(len(sources), -1),
    }
    for whose, x in features.items():
        compared = every if whose == EVERY else x[:, None]
        classifier = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.1))
        row = {"method": whose, "source": together, "n": n}
        for rule, labels in (
            ("nearest", distances(compared, prototypes).argmin(axis=1)),
            ("linear", cross_val_predict(classifier, x, sources, cv=5)),
        ):
            right = labels == sources
            row[f"{rule} of each"] = {
                name: int(right[sources == k].sum()) for k, name in enumerate(networks)
            }
            row[rule] = interval(int(right.sum()), len(right), digits=4)
        results.add(row)


def distances(features, prototypes):
    """Cosine distances to the prototypes, of features along the last axis."""
    dots = (features * prototypes).sum(axis=-1)
    norms = np.linalg.norm(features, axis=-1) * np.linalg.norm(prototypes, axis=-1)
    return 1 - dots / norms


def run(options, results):
    """Judge attributors, and give images to networks."""
    probes = Probes(options)
    detect(probes, options, results)
    couple(probes, options, results)


def table(rows):
    """Rejected shares and areas: a line for each kind of features, a column for each source."""
    lines = {}
    for row in rows:
        if "auc" in row:
            line = lines.setdefault(row["method"], {"features": row["method"]})
            line["own accepted"] = f"{1 - row['found_fnr'][0]:.2f}"
            line[row["source"]] = f"{1 - row['found_fpr'][0]:.2f}, {row['auc']:.3f}"
    return pd.DataFrame(lines.values())


def coupling_table(rows):
    """Shares of images that are given to the network that made them."""
    rows = [row for row in rows if "linear" in row]
    lines = []
    for row in rows:
        line = {"networks": row["source"], "couplings by": row["method"]}
        line["nearest prototype"] = f"{row['nearest'][0]:.3f}"
        line["linear classifier"] = f"{row['linear'][0]:.3f}"
        for name, right in row["linear of each"].items():
            line[f"that, of {name}"] = f"{right / row['n']:.2f}"
        lines.append(line)
    return pd.DataFrame(lines)


TABLES = {"denoisers": table, "denoisers_coupling": coupling_table}
