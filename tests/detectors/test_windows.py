"""Samples of any size, in windows of one size."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.io import wavfile
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.svm import OneClassSVM
from torch import nn

from sklearn_flipad import (
    FinalLayer,
    FNRThresholdCalibrator,
    OpenSetAttributor,
    inspect_attributor,
    load_attributor,
    make_combined,
    make_dctpad,
    make_flipad,
    make_rawpad,
    save_attributor,
)
from sklearn_flipad.datasets import load_audio, load_images
from sklearn_flipad.detectors import WindowedDetector
from sklearn_flipad.final_layer import Link, WindowGeometry, window_geometry
from sklearn_flipad.scoring import WavDecoder, score_files
from tests.bits import assert_same_bits


def _weight(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def _layer(module, shape):
    torch.manual_seed(0)
    module.reset_parameters()
    return FinalLayer.from_module(module, input_shape=shape)


def _chain(*links, bias=None):
    return FinalLayer(
        [Link(kind, weight, arguments) for kind, weight, arguments in links],
        input_shape=(4, 18, 20),
        bias=bias,
    )


_SUM = {
    "terms": (
        (Link("conv", _weight(4, 4, 3, 3), {"padding": 1}),),
        (Link("scale", np.ones((1,))),),
    )
}
#: Layers, and sizes of windows.
LAYERS = {
    "conv": (_layer(nn.Conv2d(5, 3, 3, padding=1), (5, 18, 20)), (8, 9)),
    "conv, k7": (_layer(nn.Conv1d(4, 1, 7, padding=3), (4, 60)), (20,)),
    "conv, frames": (_layer(nn.Conv3d(2, 1, 3, padding=1), (2, 9, 8, 10)), (3, 4, 5)),
    "reflect": (
        _layer(nn.Conv2d(5, 3, 3, padding=1, padding_mode="reflect"), (5, 18, 20)),
        (8, 9),
    ),
    "same": (_layer(nn.Conv1d(5, 3, 4, padding="same"), (5, 30)), (8,)),
    "transposed": (_layer(nn.ConvTranspose2d(5, 3, 4, 2, 1), (5, 18, 20)), (8, 9)),
    "vocoder": (_layer(nn.ConvTranspose1d(5, 1, 16, 8, 4), (5, 40)), (27,)),
    "gaps": (_layer(nn.ConvTranspose1d(5, 1, 2, 3), (5, 40)), (9,)),
    "dilated": (
        _layer(nn.ConvTranspose1d(5, 1, 3, 2, 2, output_padding=1, dilation=2), (5, 40)),
        (9,),
    ),
    "stride": (_layer(nn.Conv1d(5, 2, 5, stride=2, padding=2), (5, 80)), (9,)),
    "nearest": (
        _chain(
            ("resize", None, {"factor": (2, 2)}),
            ("conv", _weight(3, 4, 3, 3), {"padding": 1}),
            bias=_weight(3),
        ),
        (10, 7),
    ),
    "bilinear": (
        _chain(
            ("resize", None, {"factor": (2, 2), "mode": "linear"}),
            ("conv", _weight(3, 4, 3, 3), {"padding": 1}),
        ),
        (10, 7),
    ),
    "pad": (
        _chain(
            ("pad", None, {"margins": ((3, 3), (3, 3)), "mode": "reflect"}),
            ("conv", _weight(3, 4, 7, 7), {}),
        ),
        (10, 7),
    ),
    "two convs": (
        _chain(
            ("conv", _weight(5, 4, 3, 3), {"padding": 1}),
            ("resize", None, {"factor": (2, 2)}),
            ("conv", _weight(3, 5, 3, 3), {"padding": 1}),
        ),
        (10, 7),
    ),
    "shuffle": (
        _chain(
            ("conv", _weight(12, 4, 3, 3), {"padding": 1}),
            ("pixel_shuffle", None, {"factor": 2}),
        ),
        (10, 7),
    ),
    "crop": (
        _chain(
            ("conv", _weight(3, 4, 3, 3), {"padding": 1}),
            ("crop", None, {"margins": ((0, 0), (1, 2), (3, 0))}),
        ),
        (8, 7),
    ),
    "sum": (_chain(("sum", None, _SUM)), (8, 7)),
}


def _boxes(starts, sizes):
    return tuple(slice(a, a + side) for a, side in zip(starts, sizes, strict=True))


@pytest.mark.parametrize("name", list(LAYERS))
def test_a_window_of_the_whole_is_the_window(name):
    """Crop equals whole, for windows everywhere inside of the margin."""
    layer, size = LAYERS[name]
    window = layer.window(size)
    assert window.output_shape[1:] == size
    geometry = window_geometry(layer)
    margin, period = geometry.margin, geometry.period
    operator = layer.operator(dtype=torch.float64)
    needed = operator.image.input_period
    z = torch.randn(1, *layer.input_shape, dtype=torch.float64)
    whole = layer.affine(operator, z)[0]
    # Activations around, that no window may depend on.
    around = [side for side in window.input_shape[1:] for _ in range(2)][::-1]
    padded = nn.functional.pad(z, around, value=1e3)
    axes = [
        range(-(-m // p) * p, length - m - side + 1, p)
        for m, p, side, length in zip(margin, period, size, whole.shape[1:], strict=True)
    ]
    assert min(map(len, axes)) >= 2

    def difference(starts, shift):
        cells = [s // p * q for s, p, q in zip(starts, period, needed, strict=True)]
        sides = window.input_shape[1:]
        first = [side + c + d for side, c, d in zip(sides, cells, shift, strict=True)]
        patch = padded[(slice(None), slice(None), *_boxes(first, sides))]
        found = window.affine(window.operator(dtype=torch.float64), patch)[0]
        return float((found - whole[(slice(None), *_boxes(starts, size))]).abs().max())

    near = range(-max(window.input_shape[1:]) + 1, 5)
    middle = tuple(axis[len(axis) // 2] for axis in axes)
    shift = min(itertools.product(near, repeat=len(size)), key=lambda s: difference(middle, s))
    assert max(difference(starts, shift) for starts in itertools.product(*axes)) < 1e-6
    # Outside of the margin the borders show.
    if name in ("conv", "conv, k7", "conv, frames", "reflect", "pad", "sum"):
        assert difference(tuple(m - 1 for m in margin), shift) > 1e-2


def test_margins_are_no_larger_than_the_borders():
    assert window_geometry(LAYERS["conv"][0]) == WindowGeometry((1, 1), (1, 1))
    assert window_geometry(LAYERS["conv, k7"][0]) == WindowGeometry((3,), (1,))
    assert window_geometry(LAYERS["transposed"][0]) == WindowGeometry((1, 1), (2, 2))
    assert window_geometry(LAYERS["gaps"][0]) == WindowGeometry((0,), (3,))
    # A convolution keeps to the patch that it needs, without a crop.
    assert LAYERS["conv, k7"][0].window(20).input_shape == (4, 26)
    assert LAYERS["pad"][0].window((10, 7)).links[0].kind == "conv"


def test_the_mean_of_a_window_is_that_of_all_positions():
    mean = np.random.default_rng(0).normal(size=(2, 12))
    layer = FinalLayer.from_module(
        nn.Conv1d(2, 1, 3, padding=1), input_shape=(2, 12), mean_activation=mean
    )
    window = layer.window(30)
    np.testing.assert_allclose(window.mean_activation, np.tile(mean.mean(1)[:, None], (1, 32)))
    assert window.window(30) == window.window(30)


def test_a_bias_per_element_is_taken_from_inside():
    torch.manual_seed(0)

    class Generator(nn.Module):
        """A scale before the padding, so that the bias differs at the borders."""

        latent_shape = (4, 16)

        def __init__(self):
            super().__init__()
            self.norm, self.conv = nn.BatchNorm1d(4), nn.Conv1d(4, 1, 3, padding=1)
            self.norm.bias.data.uniform_(1, 2)

        def forward(self, z):
            return torch.tanh(self.conv(self.norm(torch.relu(z))))

    layer = FinalLayer.from_generator(Generator(), n_samples=50, random_state=0)
    assert layer.bias.ndim == 2
    window = layer.window(20)
    np.testing.assert_allclose(window.bias, layer.bias[:, 5], rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "size", "message"),
    [
        (FinalLayer.from_module(nn.Linear(6, 4), input_shape=(6,)), 2, "all positions"),
        (
            FinalLayer(
                [Link("resize", None, {"size": (9,)}), Link("conv", _weight(1, 2, 3))],
                input_shape=(2, 5),
            ),
            2,
            "all positions",
        ),
        (LAYERS["conv"][0], (3, 3, 3), "one for each of 2 axes"),
        (LAYERS["conv"][0], 0, "positive int"),
    ],
)
def test_what_has_no_windows_is_refused(layer, size, message):
    with pytest.raises(ValueError, match=message):
        layer.window(size)


class Brightness(OneClassSVM):
    """A detector whose score of a window is its mean; nothing is learned."""

    def fit(self, X, y=None):
        self.offset_ = 0.0
        return self

    def score_samples(self, X):
        return np.asarray(X, dtype=np.float64).reshape(len(X), -1).mean(axis=1)


def _signals(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(1, length)) for length in lengths]


@pytest.mark.parametrize("stride", [None, 1, 3, 8])
@pytest.mark.parametrize(("margin", "unit"), [(0, 1), (3, 2)])
def test_windows_cover_all_but_the_margin(stride, margin, unit):
    if stride is not None and stride % unit:
        pytest.skip("strides are multiples of the unit")
    grid = WindowedDetector(Brightness(), size=8, stride=stride, margin=margin, unit=unit)
    for length in range(16, 60):
        (found,) = grid.fit(_signals([length])).score_windows(_signals([length]))
        starts = found.starts[:, 0]
        assert not (starts % unit).any()
        assert np.diff(starts).max(initial=0) <= (stride or 8)
        assert starts[0] == -(-margin // unit) * unit
        assert length - margin - unit < starts[-1] + 8 <= length - margin


@pytest.mark.parametrize(("margin", "unit"), [(0, 2), (2, 3)])
def test_phases_find_what_a_crop_has_moved(margin, unit):
    pulse = np.arange(48) % unit == 0
    own = pulse[None] * np.random.default_rng(0).uniform(1, 2, 48)

    class Pulse(Brightness):
        def score_samples(self, X):
            return np.reshape(X, (len(X), -1))[:, ::unit].mean(axis=1)

    geometry = {"size": 8 * unit, "margin": margin, "unit": unit}
    plain = WindowedDetector(Pulse(), **geometry).fit([own])
    phased = WindowedDetector(Pulse(), **geometry, phases=True).fit([own])
    for crop in range(unit):
        (found,) = phased.score_windows([own[:, crop:]])
        assert set(found.starts[:, 0] % unit) == {-crop % unit}
        assert phased.score_samples([own[:, crop:]])[0] == found.scores.mean() > 1
        assert (plain.score_samples([own[:, crop:]])[0] > 1) == (crop == 0)
    needed = 8 * unit + 2 * margin + unit - 1
    assert phased.n_windows([own[:, :needed]]) == 1
    with pytest.raises(ValueError, match=f"with its margins {needed}" if margin else "small"):
        phased.score_samples([own[:, : needed - 1]])


@pytest.mark.parametrize("lengths", [(8, 32), (8, 16, 32, 32)])
def test_misses_of_one_size_are_told(lengths):
    """Means of few windows vary more: the chosen rate is an average over sizes."""
    X = _signals(np.repeat(lengths, 600 // len(lengths)))
    attributor = FNRThresholdCalibrator(WindowedDetector(Brightness(), size=8), fnr=0.1, cv=0.5)
    with pytest.warns(UserWarning, match="depends on the size of a sample: .* up to"):
        attributor.set_params(random_state=0).fit(X)
    missed = np.array([attributor.predict([x])[0] == -1 for x in X])
    short = np.array([x.shape[1] < 32 for x in X])
    assert missed[short].mean() > 2 * missed[~short].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attributor.fit(_signals([8] * 100))
        attributor.fit([0 * x + x.mean() * x.shape[1] ** 0.5 for x in X])  # all vary alike


def test_one_window_is_the_sample():
    X = np.stack(_signals([12] * 6))
    svm = OneClassSVM().fit(X.reshape(6, -1))
    for size in (12, None):
        detector = WindowedDetector(OneClassSVM(), size=size).fit(X)
        np.testing.assert_allclose(detector.score_samples(X), svm.score_samples(X[:, 0]))


@pytest.mark.parametrize(
    ("pool", "expected"), [("mean", 1.0), ("min", 0.0), (0.25, 0.5), (0.5, 1.0)]
)
def test_pools(pool, expected):
    x = np.repeat([0.0, 1.0, 2.0], 4)[None]
    detector = WindowedDetector(Brightness(), size=4, pool=pool).fit([x])
    assert detector.score_samples([x])[0] == expected


def test_frames():
    """Frames of a video are judged one by one, and a window knows its frame."""
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, 256, (n, 3, 8, 10), dtype=np.uint8) for n in (2, 5)]
    detector = WindowedDetector(Brightness(), size=(8, 5), frames=True).fit(videos)
    np.testing.assert_array_equal(detector.n_windows(videos), [4, 10])
    found = detector.score_windows(videos)[1]
    assert found.shape == (3, 8, 5)
    for start, score in zip(found.starts, found.scores, strict=True):
        frame, _, left = start
        assert score == videos[1][frame, :, :, left : left + 5].mean()
    whole = WindowedDetector(Brightness(), size=None, frames=True).fit(videos)
    np.testing.assert_array_equal(whole.n_windows(videos), [2, 5])
    np.testing.assert_allclose(whole.score_samples(videos), [video.mean() for video in videos])


def test_some_windows_of_many():
    detector = WindowedDetector(Brightness(), size=2, max_windows=5).fit(_signals([40]))
    few, many = detector.score_windows(_signals([6, 400]))
    assert len(few.scores) == 3
    assert len(many.scores) == 5
    again = detector.score_windows(_signals([400], seed=1))[0]
    np.testing.assert_array_equal(again.starts, many.starts)


@pytest.fixture(scope="module")
def upscaler():
    """A fully convolutional generator, its layer at one size, and samples of any size."""
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Tanh(),
    ).eval()  # fmt: skip

    def draw(sizes, seed):
        rng = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            found = [net(torch.randn(1, 2, *size, generator=rng))[0] for size in sizes]
        return [((x.numpy() + 1) * 127.5).round().astype(np.uint8) for x in found]

    layer = FinalLayer.from_generator(net, latent_shape=(2, 12, 12), n_samples=50, random_state=0)
    return layer, draw


def _data(draw):
    rng = np.random.default_rng(0)
    sizes = [tuple(rng.integers(8, 14, 2)) for _ in range(40)]
    own = draw(sizes, 0)
    others = [rng.integers(0, 256, x.shape, dtype=np.uint8) for x in own[:20]]
    return own + others, np.repeat([1, -1], [40, 20])


def _make(method, layer, **options):
    options = {"detector": OneClassSVM(), "fnr": 0.2, "random_state": 0, **options}
    if method == "flipad":
        return make_flipad(layer, windows=8, **options)
    make = {"rawpad": make_rawpad, "dctpad": make_dctpad}[method]
    return make(windows={"size": 8, "stride": 4}, **options)


@pytest.mark.filterwarnings("ignore:.*more or fewer windows:UserWarning")
@pytest.mark.parametrize("method", ["flipad", "rawpad", "dctpad"])
def test_mixed_sizes_from_fit_to_file(method, upscaler, tmp_path):
    layer, draw = upscaler
    X, y = _data(draw)
    attributor = _make(method, layer, reference="noise").fit(X, y)
    detector = attributor["detect"].estimator_
    assert len(attributor["detect"].calibration_scores_) == 8  # samples, not windows
    scores = attributor.score_samples(X)
    assert scores.shape == (60,)
    # Alone, in another order, and as an array of objects: the same to the last bit.
    for k in (0, 3, 50):
        assert_same_bits(attributor.score_samples([X[k]])[0], scores[k])
    assert_same_bits(attributor.score_samples(X[::-1]), scores[::-1])
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    assert_same_bits(attributor.score_samples(objects), scores)
    tensors = [torch.from_numpy(x) for x in X]
    assert_same_bits(attributor.score_samples(tensors), scores)
    found = detector.score_windows(X[:2])
    assert_same_bits([f.scores.mean() for f in found], scores[:2])
    path = tmp_path / "model.flipad"
    save_attributor(attributor, path)
    loaded = load_attributor(path)
    assert_same_bits(loaded.score_samples(X), scores)
    np.testing.assert_array_equal(
        loaded["detect"].calibration_windows_, attributor["detect"].calibration_windows_
    )
    described = inspect_attributor(path)
    assert described.method == method
    assert described.sample_shape is None
    assert described.window_shape == (1, 8, 8)


def test_files_of_any_size(upscaler, tmp_path):
    """Scores of files are those of arrays; a file that is too small has the reason."""
    layer, draw = upscaler
    own = draw([(10, 10), (9, 12)] * 20, 0)
    attributor = _make("flipad", layer).fit(own)
    folder = tmp_path / "suspects"
    folder.mkdir()
    suspects = [*own[:3], draw([(20, 20)], 1)[0], np.zeros((1, 9, 40), np.uint8)]
    for k, image in enumerate(suspects):
        Image.fromarray(image[0]).save(folder / f"{k}.png")
    loaded = load_images(folder, mode="L", same_size=False).images
    assert all(np.array_equal(a, b) for a, b in zip(loaded, suspects, strict=True))
    with pytest.raises(ValueError, match="same_size=False"):
        load_images(folder, mode="L")
    save_attributor(attributor, tmp_path / "model.flipad")
    with pytest.warns(UserWarning, match="1 of 4 files were scored with a warning"):
        done = score_files(tmp_path / "model.flipad", folder, tmp_path / "out.csv", mode="L")
    table = pd.read_csv(done.out, float_precision="round_trip")  # the default of pandas 2 is not
    scores = attributor["detect"].estimator_.score_samples(suspects[:4])
    assert_same_bits(table["score"][:4], scores)
    assert "more or fewer windows" in table["warning"][3]
    assert "is 9x40, smaller than one window of 8x8" in table["reason"][4]


def test_signals_of_any_length(tmp_path):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    conv = nn.Conv1d(6, 1, 7, padding=3)
    layer = FinalLayer.from_module(conv, input_shape=(6, 64), activation="tanh")
    lengths = rng.integers(40, 90, 40)
    own = []
    for length in lengths:
        z = torch.from_numpy(rng.normal(size=(6, length)) * (rng.random((6, length)) < 0.1))
        with torch.no_grad():
            own.append(torch.tanh(conv(z[None].float()))[0].numpy())
    options = {"detector": OneClassSVM(), "fnr": 0.2, "random_state": 0}
    attributor = make_flipad(layer, windows=16, **options).fit(own)
    folder = tmp_path / "clips"
    folder.mkdir()
    for k, x in enumerate(own[:5]):
        wavfile.write(folder / f"{k}.wav", 8000, x[0])
    clips = load_audio(folder, rate=8000, same_length=False).signals
    expected = attributor["detect"].estimator_.score_samples(clips)
    done = score_files(attributor, folder, tmp_path / "out.csv", decoder=WavDecoder(rate=8000))
    scores = pd.read_csv(done.out, float_precision="round_trip")["score"]
    assert_same_bits(scores, expected)


def test_windows_tell_noise(upscaler):
    layer, draw = upscaler
    X, y = _data(draw)
    attributor = _make("flipad", layer).fit(X, y)
    fresh = draw([(9, 9), (12, 8)] * 10, 7)
    noise = [np.random.default_rng(k).integers(0, 256, x.shape, dtype=np.uint8)
             for k, x in enumerate(fresh)]  # fmt: skip
    assert (attributor.predict(fresh) == 1).mean() >= 0.7
    assert (attributor.predict(noise) == -1).all()


@pytest.mark.filterwarnings("ignore:.*more or fewer windows:UserWarning")
def test_windows_of_a_searched_attributor(upscaler):
    layer, draw = upscaler
    X, y = _data(draw)
    path = "detect__estimator__estimator__invert__lam"
    search = GridSearchCV(_make("flipad", layer, fnr=0.4), {path: [1e-3, 1e-2]}, cv=2)
    search.fit(X, y)
    assert search.best_params_[path] in (1e-3, 1e-2)


def test_several_attributors_of_windows(tmp_path):
    """Rows and columns that resemble their neighbors, in images of any size."""
    rng = np.random.default_rng(0)

    def draw(axis, n):
        images = [rng.normal(128, 40, (1, *rng.choice([16, 24], 2))) for _ in range(n)]
        images = [x if axis is None else (x + np.roll(x, 1, axis)) / 2 for x in images]
        return [np.clip(x, 0, 255).astype(np.uint8) for x in images]

    X = draw(1, 80) + draw(2, 80) + draw(None, 60)
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    options = {"detector": detector, "windows": 8, "fnr": 0.05, "cv": 0.5, "random_state": 0}
    parts = {"raw": make_rawpad(**options), "dct": make_dctpad(**options)}
    combined = make_combined(parts, fnr=0.05, cv=0.5, random_state=0)
    combined.fit(X[:80] + X[160:], np.repeat([1, -1], [80, 60]))
    several = OpenSetAttributor([(name, make_dctpad(**options)) for name in "ab"])
    several.fit(X, np.repeat(["a", "b", "other"], [80, 80, 60]))
    suspects = draw(1, 20) + draw(2, 20) + draw(None, 20)
    for attributor, expected in (
        (combined, np.repeat([1, -1, -1], 20)),
        (several, np.repeat(["a", "b", "other"], 20)),
    ):
        found = attributor.predict(suspects)
        assert (found == expected).mean() > 0.9
        save_attributor(attributor, tmp_path / "attributor")
        loaded = load_attributor(tmp_path / "attributor")
        np.testing.assert_array_equal(loaded.predict(suspects), found)
    parts["raw"] = make_rawpad(detector=detector, fnr=0.05)
    with pytest.raises(ValueError, match=r"CombinedDetector takes one\. Pass windows="):
        make_combined(parts, fnr=0.05).fit(X)


def test_other_numbers_of_windows_are_noticed(upscaler):
    layer, draw = upscaler
    own = draw([(10, 10)] * 30, 0)
    attributor = _make("flipad", layer).fit(own)
    np.testing.assert_array_equal(attributor["detect"].calibration_windows_, [4, 4])
    with pytest.warns(UserWarning, match=r"2 of 3 samples .* \(4 to 4\); the first is sample 1"):
        attributor.predict([own[0], *draw([(30, 30), (6, 6)], 1)])
    photos = [np.random.default_rng(0).integers(0, 256, (1, 40, 40), dtype=np.uint8)] * 30
    attributor.calibrate_reference(photos, name="noise")
    with pytest.warns(UserWarning, match="false-positive rate"):
        attributor.verdict(own[:1], fpr=0.2)
    few = make_rawpad(
        windows={"size": 8, "max_windows": 4}, detector=OneClassSVM(), fnr=0.2, random_state=0
    ).fit(own)
    few.predict(draw([(30, 30), (9, 9)], 1))  # four windows each: no warning


def test_what_cannot_be_judged_is_refused_by_name(upscaler):
    layer, draw = upscaler
    X, y = _data(draw)
    attributor = _make("flipad", layer).fit(X, y)
    small = np.zeros((1, 10, 40), np.uint8)
    with pytest.raises(ValueError, match="Sample 1 is 10x40, smaller than one window of 8x8, with"):
        attributor.predict([X[0], small])
    with pytest.raises(ValueError, match="Sample 1 is 10x40"):
        _make("flipad", layer).fit([small if k == 1 else x for k, x in enumerate(X)], y)
    with pytest.raises(ValueError, match="several types, float64 and uint8"):
        attributor.predict([X[0], X[1] / 127.5 - 1])
    with pytest.raises(ValueError, match=r"Sample 0 has windows of shape \(3, 8, 8\)"):
        attributor.predict([np.zeros((3, 20, 20), np.uint8)])
    with pytest.raises(ValueError, match="not from rows"):
        attributor.predict(np.zeros((2, 400)))
    with pytest.raises(ValueError, match=r"takes one\. Pass windows="):
        FNRThresholdCalibrator(OneClassSVM(), fnr=0.1).fit(X)
    with pytest.raises(ValueError, match="A video takes frames=True"):
        WindowedDetector(Brightness(), size=(4, 4)).fit(np.zeros((2, 5, 3, 8, 8)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"size": 0}, "size must be an int of at least 1"),
        ({"size": 8, "stride": 9}, "leave gaps"),
        ({"size": 8, "stride": 3, "unit": 2}, "multiple of unit"),
        ({"size": 2, "unit": 3}, "size must be at least that"),
        ({"size": (8, 1), "unit": 2}, "would leave gaps, since"),
        ({"size": (8, 8), "margin": (1,)}, "same number of axes"),
        ({"size": None, "stride": 2}, "neither a stride, a margin nor phases"),
        ({"size": None, "phases": True}, "neither a stride, a margin nor phases"),
    ],
)
def test_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        WindowedDetector(Brightness(), **parameters).fit(_signals([20]))


def test_windows_of_the_make_functions():
    with pytest.raises(ValueError, match="'steps', no parameter of WindowedDetector"):
        make_rawpad(windows={"size": 4, "steps": 2})
    with pytest.raises(ValueError, match="must have a 'size'"):
        make_rawpad(windows={"stride": 2})
