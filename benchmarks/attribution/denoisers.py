"""What a diffusion network says of images whose seeds nobody knows.

Features of a model's network for its own images, for those of a copy that was trained on and of a
network of another seed, for real images and those of a GAN: whitened, for a detector that real
images are the negatives of. And the spectral coupling of Meshram and Chandrasekaran, by which each
image is to be given to one of the three networks: computed as in their published code by the
network that made it, or for all images by the same networks.
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.attribution.diffusion import OPTIONS as NETWORKS
from benchmarks.attribution.diffusion import sampler_of
from benchmarks.attributors import one_layer_detector
from benchmarks.data.diffusion import COPY
from benchmarks.judging import interval, judge
from benchmarks.options import Option
from sklearn_flipad import DenoiserTransformer, FNRThresholdCalibrator, InlierWhitener
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import TorchNoise, sample
from sklearn_flipad.zoo import load_pretrained

KEYS = ("method",)
#: Networks, the first of which is the model.
MODELS = ("0", COPY, "1")
FEATURES = ("noise", "errors", "coupling")
ALL = "all"
#: Whose coupling of an image counts.
TRUE, EVERY, ONE = "of the true source", "of every network", "of the model"
OPTIONS = (
    Option("fnr", 0.05, 0.3, "false-negative rate"),
    Option("n_own", 400, 16, "images of the model, a quarter of which calibrate"),
    Option("n_real", 200, 6, "real images, the negatives"),
    Option("n_test", 100, 5, "images of each source"),
    Option("n_prototypes", 50, 3, "images of each network whose mean coupling is its own"),
    Option("n_sampled", 10, 7, "steps of the sampler"),
    Option("n_bands", 4, help="bands of the detector's features"),
    Option("n_rings", 8, help="bands of the published coupling"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
    *(option for option in NETWORKS if option.name in ("n_steps", "n_steps_on", "channels")),
)


def images_of(sampler, n, first):
    """Images of a model by the seeds from `first` on, one by one."""
    draw = TorchNoise(sampler.latent_shape)
    return np.concatenate([sampler.images(draw(seed)) for seed in range(first, first + n)])


def detect(samplers, options, results):
    """Judge attributors of each kind of features, and of all of them."""
    methods = [name for name in (*FEATURES, ALL) if not results.has(name)]
    if not methods:
        return
    n, n_test = options.n_own, options.n_test
    real = load_fashion_sample(options.n_real + n_test)
    own = images_of(samplers["0"], n, 0)
    X = {"train": np.concatenate([own, real[: options.n_real]])}
    y = np.repeat([1, -1], [n, options.n_real])
    # Other seeds for each network.
    for k, name in enumerate(MODELS):
        X[name] = images_of(samplers[name], n_test, n + k * n_test)
    X["real"] = real[options.n_real :]
    X["GAN"] = sample(load_pretrained("fashion/dcgan-0"), n_test, random_state=0)
    found = {}
    for kind in FEATURES:
        transformer = DenoiserTransformer(
            samplers["0"], features=(kind,), n_bands=options.n_bands
        ).fit(own)
        found[kind] = {name: transformer.transform(x) for name, x in X.items()}
    found[ALL] = {name: np.hstack([found[kind][name] for kind in FEATURES]) for name in X}
    for method in methods:
        detector = Pipeline(
            [
                ("whiten", InlierWhitener()),
                ("detector", one_layer_detector(options.max_epochs, center="inliers")),
            ]
        )
        calibrated = FNRThresholdCalibrator(detector, fnr=options.fnr, cv=0.25, random_state=0)
        features = dict(found[method])
        train = features.pop("train")
        names = {"method": method, "n_own": n, "n_test": n_test, "n_features": train.shape[1]}
        results.add(
            *judge(
                Pipeline([("detect", calibrated)]),
                train,
                y,
                features,
                owner="0",
                fnrs=(options.fnr,),
                **names,
            )
        )


def couple(samplers, options, results):
    """Give images to networks by their couplings, of which some are of other networks."""
    if results.has(f"coupling {EVERY}, linear classifier"):
        return
    n, n_first = options.n_test, options.n_prototypes
    couplings = {
        name: DenoiserTransformer(
            samplers[name], features=("coupling",), n_bands=options.n_rings
        ).fit(load_fashion_sample(1))
        for name in MODELS
    }
    prototypes, found = [], []
    for k, source in enumerate(MODELS):
        X = images_of(samplers[source], n_first + n, 100_000 * (k + 1))
        prototypes.append(couplings[source].transform(X[:n_first]).mean(axis=0))
        found.append([couplings[name].transform(X[n_first:]) for name in MODELS])
    # The same real images for each network, as if it had made them.
    real = load_fashion_sample(n)
    as_if = [couplings[name].transform(real) for name in MODELS]
    found, prototypes = np.array(found), np.array(prototypes)  # (source, network, image, feature)
    sources = np.repeat(np.arange(len(MODELS)), n)
    of_true = found[range(len(MODELS)), range(len(MODELS))].reshape(len(sources), -1)
    of_every = found.transpose(0, 2, 1, 3)
    # By the published rule, a coupling is compared with the prototypes of all networks; by the
    # other one, that by each network with the network's own.
    rows = {
        (TRUE, "nearest prototype"): distances(of_true[:, None], prototypes).argmin(axis=1),
        (EVERY, "nearest prototype"): distances(
            of_every.reshape(len(sources), len(MODELS), -1), prototypes
        ).argmin(axis=1),
        ("of real images", "nearest prototype"): distances(
            np.concatenate(as_if)[:, None], prototypes
        ).argmin(axis=1),
    }
    for whose, features in (
        (TRUE, of_true),
        ("of real images", np.concatenate(as_if)),
        (ONE, found[:, 0].reshape(len(sources), -1)),
        (EVERY, of_every.reshape(len(sources), -1)),
    ):
        classifier = make_pipeline(StandardScaler(), SVC(kernel="linear", C=0.1))
        rows[whose, "linear classifier"] = cross_val_predict(classifier, features, sources, cv=5)
    for (whose, rule), labels in rows.items():
        right = labels == sources
        row = {"method": f"coupling {whose}, {rule}", "whose": whose, "rule": rule}
        row |= {name: int(right[sources == k].sum()) for k, name in enumerate(MODELS)}
        results.add(row | {"n": n, "right": interval(int(right.sum()), len(right), digits=4)})


def distances(features, prototypes):
    """Cosine distances to the prototypes, of features along the last axis."""
    dots = (features * prototypes).sum(axis=-1)
    norms = np.linalg.norm(features, axis=-1) * np.linalg.norm(prototypes, axis=-1)
    return 1 - dots / norms


def run(options, results):
    """Judge attributors, and give images to networks."""
    samplers = {name: sampler_of(name, options.n_sampled, options) for name in MODELS}
    detect(samplers, options, results)
    couple(samplers, options, results)


def table(rows):
    """Accuracies and areas: a line for each kind of features, two columns for each source."""
    lines = {}
    for row in rows:
        if "auc" in row:
            line = lines.setdefault(row["method"], {"features": row["method"]})
            line["own accepted"] = f"{1 - row['found_fnr'][0]:.2f}"
            line[row["source"]] = f"{1 - row['found_fpr'][0]:.2f}, {row['auc']:.3f}"
    return pd.DataFrame(lines.values())


def coupling_table(rows):
    """Shares of images that are given to the network that made them."""
    rows = [row for row in rows if "right" in row]
    return pd.DataFrame(
        {
            "coupling": [row["whose"] for row in rows],
            "by": [row["rule"] for row in rows],
            **{name: [f"{row[name] / row['n']:.2f}" for row in rows] for name in MODELS},
            "all": [f"{row['right'][0]:.3f}" for row in rows],
        }
    )


TABLES = {"denoisers": table, "denoisers_coupling": coupling_table}
