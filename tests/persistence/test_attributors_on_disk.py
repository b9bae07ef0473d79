"""Attributors on disk: the same scores, no pickle, and no damage that goes unnoticed."""

import builtins
import functools
import itertools
import os
import pickle
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from torch import nn

from sklearn_flipad import (
    ChannelSelector,
    CombinedDetector,
    DeepSADDetector,
    FinalLayer,
    FNRThresholdCalibrator,
    InlierScaler,
    InlierWhitener,
    LatentEncoder,
    OutputActivation,
    ReproductionDetector,
    SMInvDetector,
    inspect_attributor,
    load_attributor,
    make_combined,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_seeded,
    make_smf,
    make_sminv,
    make_whitened,
    save_attributor,
)
from sklearn_flipad.calibration import PAC, Quantile
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import RandomProcessing
from sklearn_flipad.evaluation.perturbations import GaussianBlur, JPEGCompression
from sklearn_flipad.generators import TorchNoise, sample
from sklearn_flipad.reproduction import FeatureDistance, SearchOptions, SeedCandidates
from sklearn_flipad.solvers import FISTA
from sklearn_flipad.storage.arrays import unpack
from sklearn_flipad.zoo import ConditionalDCGANGenerator, DCGANGenerator, LSGANGenerator
from tests.bits import assert_same_bits
from tests.diffusion_models import flow_sampler

skops = pytest.importorskip("skops.io")


class Images(nn.Module):
    """A generator that no package has."""

    latent_shape = (4,)

    def __init__(self, width=16, seed=0, slope=0.2):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Linear(4, width), nn.LeakyReLU(slope), nn.Linear(width, 64), nn.BatchNorm1d(64)
        )

    def forward(self, z):
        return torch.tanh(self.body(z)).reshape(-1, 1, 8, 8)


class Network(nn.Module):
    """A network for DeepSAD that no package has."""

    activation = nn.Tanh

    def __init__(self, input_shape, width=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(int(np.prod(input_shape)), width), self.activation()
        )

    def forward(self, x):
        return self.layers(x)


class OtherNetwork(Network):
    activation = nn.Sigmoid


def uniform_latents(n, rng):
    return rng.uniform(-1, 1, (n, 4)).astype(np.float32)


def normal_latents(n, rng):
    return rng.normal(size=(n, 4)).astype(np.float32)


def l1_distance(x, reconstruction):
    return (x - reconstruction).abs().flatten(1).mean(dim=1)


NAME = f"{__name__}:"
SHORT = {"fnr": 0.2, "random_state": 0}


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return DCGANGenerator(latent_dim=4, channels=(8,), out_channels=1).eval()


@pytest.fixture(scope="module")
def images(generator):
    rng = np.random.default_rng(0)
    own = sample(generator, 60, random_state=0)
    X = np.concatenate([own, rng.integers(0, 256, (30, 1, 8, 8), dtype=np.uint8)])
    return X, np.repeat([1, -1], [60, 30])


def deep_sad(**params):
    return DeepSADDetector(max_epochs=1, **params)


def search(generator, **params):
    """An attributor by a search that is too short to find much."""
    params = {"max_iter": 3, "n_restarts": 1, **SHORT, **params}
    make = make_reproduction if "encoder" in params else make_sminv
    return make(generator, **params)


def flipad(generator, **params):
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    return make_flipad(layer, lam=0.1, detector=deep_sad(), **SHORT, **params)


def with_channels(generator):
    detector = Pipeline([("select", ChannelSelector()), ("detect", deep_sad())])
    return make_dctpad(detector=detector, rule=PAC(0.6), **SHORT)


def searched_part(generator):
    part = GridSearchCV(make_rawpad(detector=deep_sad(), **SHORT), {"detect__fnr": [0.2]}, cv=2)
    return make_combined({"raw": part, "dct": make_dctpad(detector=deep_sad(), **SHORT)}, **SHORT)


MAKERS = {
    "flipad": flipad,
    "flipad-whitened": lambda g: flipad(g, pool_size=2, scaler=InlierWhitener(block=100)),
    "rawpad": lambda g: make_rawpad(size=6, detector=deep_sad(), **SHORT),
    "rawpad-scaled": lambda g: make_rawpad(
        scaler=InlierScaler(),
        detector=deep_sad(module=MLP, module_params={"hidden": (8,)}),
        **SHORT,
    ),
    "dctpad": with_channels,
    "whitened": lambda g: make_whitened(
        OutputActivation("tanh"),
        whitener=InlierWhitener(exponent=0.5),
        detector=deep_sad(),
        **SHORT,
    ),
    "smf": lambda g: make_smf(rule=Quantile(), cv=ShuffleSplit(1, test_size=0.3), **SHORT),
    "sminv": lambda g: search(g, random_state=1),
    "reproduction": lambda g: search(g, encoder=LatentEncoder(max_steps=3, batch_size=8)),
    "reproduction-processing": lambda g: search(
        g,
        encoder=LatentEncoder(max_steps=2, batch_size=8),
        processing=[GaussianBlur(3, sigma=0.5), JPEGCompression(80)],
    ),
    "reproduction-random": lambda g: search(
        g,
        encoder=LatentEncoder(
            max_steps=2,
            batch_size=8,
            processing=RandomProcessing(
                ["tone", ("compress", 0.5, {"format": ("jpeg", "webp"), "quality": (60, 90)})]
            ),
        ),
    ),
    "reproduction-options": lambda g: search(
        g, encoder=LatentEncoder(max_steps=2, batch_size=8)
    ).set_params(detect__estimator__search=SearchOptions(moves=((0.5, 0.0),), curvature=2.0)),
    "combined": searched_part,
}


@pytest.fixture(scope="module")
def fitted(generator, images):
    """Fitted attributors by name, each made when it is first asked for."""

    @functools.cache
    def make(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # so few samples are too few
            return MAKERS[name](generator).fit(*images)

    return make


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.flipad"


def restored(attributor, path, **options):
    save_attributor(attributor, path)
    return load_attributor(path, **options)


def state(value):
    """All that an object holds, but for what is documented not to be stored."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, nn.Module):
        return type(value), state(dict(value.state_dict())), [m.training for m in value.modules()]
    if isinstance(value, list | tuple):
        return type(value), [state(item) for item in value]
    if isinstance(value, dict):
        return {key: state(item) for key, item in value.items()}
    if type(value).__name__ == "NeuralNet":
        return state([value.module_, value.criterion_, value.device, value.callbacks_])
    if type(value).__name__ == "FinalLayer":
        return value.fingerprint
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return repr(value)
    local = ("verbose", "device", "memory", "cache_dir", "checkpoint")
    kept = {key: item for key, item in vars(value).items() if key not in local}
    return type(value), {key: state(item) for key, item in kept.items()}


def by_numpy(seed):
    return np.random.RandomState(seed).standard_normal((1, 1, 8, 8)).astype(np.float32)


def by_numpy_halved(seed):
    return by_numpy(seed) / 2


@pytest.mark.parametrize("draw", [None, TorchNoise((1, 8, 8), batch_size=2), by_numpy])
def test_seeds_and_requests(tmp_path, draw):
    """A diffusion model is asked for as other generators are; another one is refused."""
    model, path = flow_sampler(), tmp_path / "model.flipad"
    log = pd.DataFrame(
        {"seed": range(300), "class_labels": np.arange(300) % 3, "user": ["a"] * 300}
    )
    requests = SeedCandidates.from_requests(log, settings=["class_labels"])
    processing = JPEGCompression(90) if draw is None else None
    attributor = make_seeded(
        model, seeds=requests, draw=draw, processing=processing, fnr=0.2, level=1e-4
    )
    own = attributor["detect"].estimator.sample(12)
    save_attributor(attributor.fit(own), path)
    code = {"sklearn_flipad.generators.diffusion.sampler:DiffusionSampler": flow_sampler}
    functions = {} if draw is not by_numpy else {f"{NAME}by_numpy": by_numpy}
    assert set(inspect_attributor(path).needs) == {*code, *functions}
    loaded = load_attributor(path, objects={**code, **functions})
    X = np.concatenate([own[:3], 255 - own[:3]])
    assert_same_bits(loaded.score_samples(X), attributor.score_samples(X))
    assert (loaded.score_samples(X[:3]) == 0).all()
    found = loaded["detect"].estimator_.search(own)
    assert np.array_equal(found.rows, attributor["detect"].estimator_.search(own).rows)
    steps = partial(flow_sampler, n_steps=5)
    with pytest.raises(ValueError, match="SeedDetector's generator, or draw"):
        load_attributor(path, objects={**dict.fromkeys(code, steps), **functions})
    if functions:
        with pytest.raises(ValueError, match="SeedDetector's generator, or draw"):
            load_attributor(path, objects={**code, f"{NAME}by_numpy": by_numpy_halved})


def test_seeds_of_latents_that_are_found(generator, tmp_path):
    encoder = LatentEncoder(max_steps=20, random_state=0)
    options = {"latent_shape": (4, 1, 1), "output_range": (-1, 1), "encoder": encoder}
    # Of four latents, no seed is ever significant.
    attributor = make_seeded(generator, seeds=range(9), level=1, **options, fnr=0.4)
    own = attributor["detect"].estimator.sample(6)
    path = tmp_path / "model.flipad"
    save_attributor(attributor.fit(own), path)
    assert_same_bits(load_attributor(path).score_samples(own), attributor.score_samples(own))


@pytest.mark.parametrize("name", MAKERS)
def test_loaded_attributors_give_the_same_scores(name, fitted, images, path):
    attributor = fitted(name)
    loaded = restored(attributor, path)
    X = images[0]
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    np.testing.assert_array_equal(loaded.predict(X), attributor.predict(X))
    if name != "combined":  # where a search becomes what it found
        assert state(loaded) == state(attributor)
    # What was loaded is as complete as what was saved.
    again = path.with_name("again")
    save_attributor(loaded, again)
    contents = [unpack(saved.read_bytes()) for saved in (path, again)]
    (arrays, description), (arrays_again, description_again) = contents
    assert description_again == description
    assert {k: state(v) for k, v in arrays_again.items()} == {
        k: state(v) for k, v in arrays.items()
    }


def test_a_loaded_attributor_can_be_fitted_again(fitted, images, path):
    attributor = fitted("flipad")
    again = restored(attributor, path).fit(*images)
    np.testing.assert_array_equal(
        again.score_samples(images[0]), attributor.score_samples(images[0])
    )


SCORE = """
import sys, numpy as np, torch
from sklearn_flipad import load_attributor
from threadpoolctl import threadpool_limits
X = np.load(sys.argv[1])
for n_threads in (2, 1):
    torch.set_num_threads(n_threads)
    with threadpool_limits(n_threads):
        for path in sys.argv[2:]:
            attributor = load_attributor(path, device="cpu")
            found = [attributor.score_samples(X), attributor.predict(X)]
            np.save(f"{path}-{n_threads}.npy", found)
"""


def test_a_fresh_process_gives_the_same_scores(fitted, images, tmp_path):
    np.save(tmp_path / "X.npy", images[0])
    names = ["flipad", "whitened", "smf"]  # a search takes long where threads wait for each other
    for name in names:
        save_attributor(fitted(name), tmp_path / name)
    paths = [str(tmp_path / name) for name in ("X.npy", *names)]
    subprocess.run(
        [sys.executable, "-c", SCORE, *paths],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
    )
    for name, n_threads in itertools.product(names, (1, 2)):
        scores, predictions = np.load(tmp_path / f"{name}-{n_threads}.npy")
        # Some processors sum in another order with another number of threads.
        rtol = 1e-4 if torch.cuda.is_available() else 1e-6
        np.testing.assert_allclose(scores, fitted(name).score_samples(images[0]), rtol=rtol)
        np.testing.assert_array_equal(predictions, fitted(name).predict(images[0]))


DETECTORS = [
    IsolationForest(n_estimators=5, random_state=0),
    OneClassSVM(),
    LocalOutlierFactor(novelty=True, algorithm="kd_tree"),
    LocalOutlierFactor(novelty=True, algorithm="brute"),
    EllipticEnvelope(random_state=0),
    LogisticRegression(),
    RandomForestClassifier(5, random_state=0),
    Pipeline([("scale", StandardScaler()), ("detect", OneClassSVM())]),
    FrozenEstimator(Pipeline([("scale", InlierScaler()), ("detect", deep_sad(random_state=0))])),
]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 0.1, (80, 5)), rng.normal(0.3, 0.1, (40, 5))])
    return X, np.repeat([1, -1], [80, 40])


def on_table(detector, table):
    return make_whitened(detector=detector, whitener="passthrough", **SHORT).fit(*table)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
def test_detectors_of_scikit_learn(detector, table, path):
    X, y = table
    if isinstance(detector, FrozenEstimator):
        detector.estimator.fit(X, y)
    attributor = on_table(detector, table)
    loaded = restored(attributor, path)
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    if isinstance(detector, FrozenEstimator):
        template = loaded["detect"].estimator["detector"]
        assert template.estimator is loaded["detect"].estimator_["detector"].estimator


def test_no_pickle_is_read(fitted, table, path, monkeypatch):
    forest = make_whitened(
        detector=IsolationForest(n_estimators=5), whitener="passthrough", **SHORT
    ).fit(*table)
    paths = [path.with_name(name) for name in ("forest", "sminv")]
    save_attributor(forest, paths[0])
    save_attributor(fitted("reproduction"), paths[1])

    def refuse(*args, **kwargs):
        raise AssertionError("a pickle was read")

    for name in ("load", "loads", "Unpickler", "_load", "_loads", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(builtins, "eval", refuse)
    for saved in paths:
        load_attributor(saved)


def test_a_search_is_stored_as_what_it_found(images, path):
    grid = GridSearchCV(
        make_rawpad(detector=deep_sad(), **SHORT), {"detect__fnr": [0.2, 0.3]}, cv=2
    )
    grid.fit(*images)
    loaded = restored(grid.best_estimator_, path)
    np.testing.assert_array_equal(loaded.predict(images[0]), grid.predict(images[0]))
    with pytest.raises(ValueError, match="save best_estimator_"):
        save_attributor(grid, path)


def test_device_is_that_of_the_reader(fitted, path):
    attributor = fitted("flipad")
    attributor.set_params(invert__verbose=1, invert__cache_dir="/somewhere")
    try:
        params = restored(attributor, path, device="cpu").get_params()
    finally:
        attributor.set_params(invert__verbose=0, invert__cache_dir=None)
    assert params["invert__device"] == params["detect__estimator__detector__device"] == "cpu"
    assert params["invert__verbose"] == 0
    assert params["invert__cache_dir"] is None


def test_changed_generators_of_the_zoo_are_asked_for(generator, path):
    torch.manual_seed(0)
    changed = DCGANGenerator(latent_dim=4, channels=(8,), out_channels=1).eval()
    changed.main[-1] = nn.Softsign()
    save_attributor(own_search(changed), path)
    with pytest.raises(ValueError, match=r"needs code .*DCGANGenerator"):
        load_attributor(path)
    name = "sklearn_flipad.zoo.architectures:DCGANGenerator"
    with pytest.raises(ValueError, match="generator returns something else"):
        load_attributor(path, objects={name: generator})
    load_attributor(path, objects={name: changed})


@pytest.mark.parametrize(
    "build",
    [
        functools.partial(
            ConditionalDCGANGenerator, 4, channels=(8,), n_classes=3, embedding_dim=2
        ),
        functools.partial(LSGANGenerator, 4, channels=(8, 8, 8, 4), out_channels=1, image_size=8),
    ],
    ids=lambda build: build.func.__name__,
)
def test_generators_of_the_zoo_are_rebuilt(build, path):
    torch.manual_seed(0)
    other = build()
    X = sample(other, 8, random_state=0)
    attributor = search(other, fnr=0.5).fit(X)
    loaded = restored(attributor, path)
    assert_same_bits(loaded.score_samples(X), attributor.score_samples(X))


# Code that a file needs and does not hold


def own_search(generator=None, **params):
    generator = generator or Images()
    # Its latents are given, so that the detector draws no others.
    return search(generator, fnr=0.5, **params).fit(sample(generator, 8, random_state=0))


def test_own_generators_are_asked_for(path):
    attributor = own_search()
    save_attributor(attributor, path)
    line = rf"load_attributor\('.*model.flipad', objects={{'{NAME}Images': Images}}\)"
    with pytest.raises(ValueError, match=line):
        load_attributor(path)
    X = sample(Images(), 8, random_state=1)
    other = Images(seed=3)
    before = state(other)
    for given in (Images, other, functools.partial(Images, seed=2)):
        loaded = load_attributor(path, objects={f"{NAME}Images": given})
        np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    assert state(other) == before  # what was passed is not changed
    with pytest.raises(ValueError, match="does not need"):
        load_attributor(path, objects={f"{NAME}Images": Images, "typo": Images})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (functools.partial(Images, width=8), r"body.0.weight is stored as .*16, 4"),
        (functools.partial(Images, slope=0.3), "generator returns something else"),
        (functools.partial(Images, seed=[]), "cannot be called without arguments"),
        (dict, "returned dict"),
        (3, "cannot be called"),
    ],
)
def test_another_generator_is_refused(given, message, path):
    save_attributor(own_search(), path)
    with pytest.raises(ValueError, match=message):
        load_attributor(path, objects={f"{NAME}Images": given})


class Noisy(Images):
    """A generator with random noise that its state dict does not hold."""

    def __init__(self, register=True):
        super().__init__()
        noise = torch.from_numpy(np.random.default_rng().random((1, 1, 8, 8), np.float32))
        if register:
            self.register_buffer("noise", noise, persistent=False)
        else:
            self.noise = noise

    def forward(self, z):
        return (super().forward(z) + self.noise).clamp(-1, 1)


def test_buffers_of_no_state_dict_are_in_the_file(path):
    attributor = own_search(Noisy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_attributor(attributor, path)
    X = sample(Images(), 8, random_state=1)
    loaded = load_attributor(path, objects={f"{NAME}Noisy": Noisy})
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))


def test_tensors_that_no_file_can_hold_are_named(path):
    with pytest.warns(UserWarning, match=r"does not hold noise of Noisy.*register_buffer\(name"):
        save_attributor(own_search(Noisy(register=False)), path)
    with pytest.raises(ValueError, match="generator returns something else"):
        load_attributor(path, objects={f"{NAME}Noisy": functools.partial(Noisy, register=False)})


def test_two_generators_of_a_class_have_names_of_their_own(path):
    parts = {f"part{width}": search(Images(width), fnr=0.4) for width in (4, 8)}
    X = sample(Images(4), 40, random_state=0)
    attributor = make_combined(parts, **{**SHORT, "fnr": 0.4}).fit(X)
    save_attributor(attributor, path)
    objects = {f"{NAME}Images": lambda: Images(4), f"{NAME}Images#2": lambda: Images(8)}
    loaded = load_attributor(path, objects=objects)
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    with pytest.raises(ValueError, match="weights"):
        load_attributor(path, objects=dict.fromkeys(objects, lambda: Images(4)))


@pytest.mark.parametrize(
    ("params", "names", "wrong"),
    [
        ({"sampler": uniform_latents}, "uniform_latents", normal_latents),
        ({"distance": l1_distance}, "l1_distance", lambda x, y: l1_distance(x, y) ** 2),
    ],
)
def test_functions_are_asked_for(params, names, wrong, path):
    attributor = own_search(**params)
    save_attributor(attributor, path)
    objects = {f"{NAME}Images": Images, f"{NAME}{names}": globals()[names]}
    loaded = load_attributor(path, objects=objects)
    X = sample(Images(), 4, random_state=1)
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    with pytest.raises(ValueError, match=names):
        load_attributor(path, objects={f"{NAME}Images": Images})
    objects[f"{NAME}{names}"] = wrong
    with pytest.raises(ValueError, match=r"sampler|distance"):
        load_attributor(path, objects=objects)


def test_a_partial_is_not_said_to_be_its_type(path):
    attributor = own_search(sampler=functools.partial(uniform_latents))
    save_attributor(attributor, path)
    with pytest.raises(ValueError, match=r"'functools:partial': \.\.\.}"):
        load_attributor(path)


def test_networks_of_encoders_and_distances(path):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    extractor = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    attributor = own_search(encoder=encoder, distance=FeatureDistance(extractor))
    save_attributor(attributor, path)
    sequential = "torch.nn.modules.container:Sequential"
    objects = {
        f"{NAME}Images": Images,
        sequential: lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
        f"{sequential}#2": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 4)),
    }
    with pytest.raises(ValueError, match=r"#2', .* of attributor/.*/encoder.*#2': lambda: Sequ"):
        load_attributor(path)
    loaded = load_attributor(path, objects=objects)
    X = sample(Images(), 4, random_state=1)
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))


def test_a_network_of_ones_own_in_the_encoder(path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Tanh())
    attributor = own_search(encoder=LatentEncoder(max_steps=2, batch_size=8, module=network))
    save_attributor(attributor, path)
    sequential = "torch.nn.modules.container:Sequential"
    objects = {f"{NAME}Images": Images, sequential: network}
    loaded = load_attributor(path, objects=objects)
    X = sample(Images(), 4, random_state=1)
    np.testing.assert_array_equal(loaded.score_samples(X), attributor.score_samples(X))
    objects[sequential] = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Sigmoid())
    with pytest.raises(ValueError, match="encoder returns something else"):
        load_attributor(path, objects=objects)


def test_a_network_of_ones_own_in_deep_sad(images, path):
    detector = deep_sad(module=Network, module_params={"width": 5})
    attributor = make_rawpad(detector=detector, **SHORT).fit(*images)
    save_attributor(attributor, path)
    loaded = load_attributor(path, objects={f"{NAME}Network": Network})
    np.testing.assert_array_equal(
        loaded.score_samples(images[0]), attributor.score_samples(images[0])
    )
    with pytest.raises(ValueError, match="module of the DeepSADDetector returns something else"):
        load_attributor(path, objects={f"{NAME}Network": OtherNetwork})
    with pytest.raises(ValueError, match="class of torch modules"):
        load_attributor(path, objects={f"{NAME}Network": l1_distance})


# What is refused when it is saved


class Subclass(DeepSADDetector):
    """Something else than its parent."""

    def score_samples(self, X):
        return -super().score_samples(X)


class Own(BaseEstimator):
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X):
        return np.asarray(X)[:, 0]


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (Subclass(max_epochs=1), "detector cannot be stored: .*Subclass is a subclass of DeepSAD"),
        (Own(), "detector/estimator cannot be stored: .*Own is no estimator"),
        (HistGradientBoostingClassifier(max_iter=1), "not safe to load .*TreePredictor"),
        (Pipeline([("own", Own())]), "detector/steps/own cannot be stored"),
    ],
)
def test_estimators_from_elsewhere_are_refused(detector, message, table, path):
    attributor = on_table(detector, table)
    with pytest.raises(ValueError, match=message):
        save_attributor(attributor, path)
    assert not path.exists()


def test_what_has_no_place_in_a_file_is_refused(images, path):
    attributor = make_rawpad(detector=deep_sad(), **SHORT).fit(*images)
    splits = attributor["detect"]
    splits.cv = (pair for pair in KFold(2).split(images[0]))
    with pytest.raises(ValueError, match=r"cv cannot be stored: .*set cv to a fraction"):
        save_attributor(attributor, path)
    splits.cv = 0.2
    splits.estimator_[-1].note_ = "an attribute that nobody stores"
    with pytest.raises(ValueError, match=r"estimator_/steps/detector cannot be stored: .*note_"):
        save_attributor(attributor, path)
    del splits.estimator_[-1].note_
    splits.estimator_[-1].center_ = splits.estimator_[-1].center_.astype(complex)
    with pytest.raises(ValueError, match="center_ cannot be stored"):
        save_attributor(attributor, path)
    with pytest.raises(ValueError, match="not fitted"):
        save_attributor(make_rawpad(**SHORT), path)
    for other in (IsolationForest(), Pipeline([("scale", StandardScaler())]), "model"):
        with pytest.raises(ValueError, match="An attributor is"):
            save_attributor(other, path)


def test_solvers_and_random_states(generator, images, path):
    attributor = flipad(generator).set_params(
        invert__solver=FISTA(restart=True), detect__random_state=np.random.RandomState(0)
    )
    loaded = restored(attributor.fit(*images), path)
    assert loaded["invert"].solver == FISTA(restart=True)
    assert loaded["detect"].random_state is None
    attributor["invert"].solver = type("Own", (FISTA,), {})()
    with pytest.raises(ValueError, match="solver cannot be stored"):
        save_attributor(attributor, path)


def test_without_skops_the_extra_is_named(table, path, monkeypatch):
    attributor = on_table(OneClassSVM(), table)
    save_attributor(attributor, path)
    monkeypatch.setitem(sys.modules, "skops", None)
    for act in (lambda: save_attributor(attributor, path), lambda: load_attributor(path)):
        with pytest.raises(ImportError, match=r"sklearn-flipad\[skops\]"):
            act()


def test_a_file_appears_whole_or_not_at_all(fitted, path, monkeypatch):
    path.write_bytes(b"before")

    def full(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        save_attributor(fitted("rawpad"), path)
    assert [p.name for p in Path(path.parent).iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_the_detectors_of_the_library_are_all_known():
    """A class of the library that a pipeline can hold, and files cannot, fails here."""
    import sklearn_flipad
    from sklearn_flipad.persistence.kinds.classes import ESTIMATORS, import_class

    exported = [getattr(sklearn_flipad, name) for name in sklearn_flipad.__all__]
    estimators = [c for c in exported if isinstance(c, type) and issubclass(c, BaseEstimator)]
    known = {CombinedDetector, FNRThresholdCalibrator, ReproductionDetector, SMInvDetector}
    assert known <= set(estimators)
    assert all(import_class(ESTIMATORS, cls.__name__) is cls for cls in estimators)
