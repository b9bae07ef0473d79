"""The benchmark of latent diffusion, with autoencoders that are hardly trained."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.attribution import latent_diffusion as benchmark
from benchmarks.data.autoencoders import INVERSE, TUNED, autoencoder, encoded, unit
from benchmarks.judging import judge
from sklearn_flipad import FinalLayer
from sklearn_flipad.datasets import load_fashion_sample

pytest.importorskip("diffusers")
SIZES = {"channels": (4, 4, 4), "n_steps": 5, "n_steps_on": 3}
OPTIONS = SimpleNamespace(
    **{option.name: option.small or option.default for option in benchmark.OPTIONS}
)


@pytest.fixture(scope="module")
def vaes(tmp_path_factory):
    """Those of all names, kept in a folder."""
    folder, X = tmp_path_factory.mktemp("autoencoders"), load_fashion_sample()
    return {name: autoencoder(name, folder, X, **SIZES) for name in ("0", "1", "2", TUNED)}


@pytest.fixture(scope="module")
def data(vaes):
    """Few samples of each source."""
    return benchmark.data_of("0", vaes, load_fashion_sample(200), OPTIONS)


def test_small(run_small, monkeypatch):
    def load_fashion_mnist(split="train"):
        return load_fashion_sample(200 if split == "test" else 1000)

    monkeypatch.setattr(benchmark, "load_fashion_mnist", load_fashion_mnist)
    rows = run_small("latent_diffusion")
    assert [row["method"] for row in rows[:: len(benchmark.OWNERS["0"])]] == [*OPTIONS.methods]
    assert {(row["method"] == "AEROBLADE", row["n_own"], row["n_test"]) for row in rows} == {
        (False, OPTIONS.n_own, OPTIONS.n_test),
        (True, OPTIONS.n_searched, OPTIONS.n_searched_test),
    }


def test_trained_on_is_the_decoder_alone(vaes):
    first, tuned = vaes["0"].state_dict(), vaes[TUNED].state_dict()
    changed = {name.partition(".")[0] for name in first if not first[name].equal(tuned[name])}
    assert changed == {"decoder"}
    assert not vaes["1"].decoder.conv_out.weight.equal(vaes["0"].decoder.conv_out.weight)


def test_kept_ones_are_loaded(tmp_path):
    sizes, X = {**SIZES, "n_steps": 1}, load_fashion_sample(100)
    made = autoencoder("0", tmp_path, X, **sizes)
    file = tmp_path / "autoencoder-0" / "diffusion_pytorch_model.safetensors"
    written = file.stat().st_mtime_ns
    loaded = autoencoder("0", tmp_path, X, **sizes)
    assert file.stat().st_mtime_ns == written
    z = torch.zeros(1, 4, 8, 8)
    torch.testing.assert_close(loaded.decode(z).sample, made.decode(z).sample)


def test_no_real_image_serves_twice(vaes, monkeypatch):
    sizes, seen, names = SimpleNamespace(n_own=8, n_real=4, n_test=3), [], []

    def images_of(name, vaes, x):
        names.append(name)
        seen.extend(x)
        return x

    monkeypatch.setattr(benchmark, "images_of", images_of)
    for (owner, others), negatives in product(benchmark.OWNERS.items(), ("real", "2")):
        seen.clear()
        names.clear()
        X, y, tests = benchmark.data_of(owner, vaes, np.arange(100), sizes, negatives=negatives)
        assert len(set(seen)) == len(seen) == 8 + 4 + 3 * (1 + len(others))
        assert {*X} < {*seen}
        assert (y > 0).sum() == 8
        assert names == [owner, negatives, owner, *others]
        assert list(tests) == [owner, *others]


def test_the_model_of_the_same_decoder_has_other_latents(vaes):
    real = load_fashion_sample(20)
    own, shared = (benchmark.images_of(name, vaes, real) for name in ("0", benchmark.SHARED))
    assert (own != shared).any()
    layers = [
        FinalLayer.from_diffusers(vaes[name], n_samples=4, random_state=0)
        for name in ("0", "1", "2", TUNED)
    ]
    assert len({layer.map_fingerprint for layer in layers}) == 4


@pytest.mark.filterwarnings("ignore:.*too few to whiten")
@pytest.mark.parametrize(
    "method",
    ["SM-F", "RawPAD", "DCTPAD", "FLIPAD, 3 channels", "FLIPAD", "whitened preactivation", "AEDR"],
)
def test_attributors_judge(vaes, data, method):
    latents = encoded(vaes["0"], load_fashion_sample(20), seed=0)
    attributor = benchmark.make_attributor(method, vaes["0"], latents, OPTIONS)
    rows = judge(attributor, *data, owner="0", method=method, fnrs=(OPTIONS.fnr,))
    assert [row["source"] for row in rows] == list(benchmark.OWNERS["0"])
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


@pytest.mark.parametrize("method", ["AEROBLADE", "LatentTracer", "reproduction"])
def test_searches_start_at_the_own_encoder(vaes, method):
    attributor = benchmark.make_attributor(method, vaes["0"], None, OPTIONS)
    detector = attributor["detect"].estimator
    assert detector.encoder.autoencoder is vaes["0"]
    assert (detector.max_iter == 0) == (method == "AEROBLADE")
    assert (detector.n_calibration == 0) == (method != "reproduction")


def test_bfloat16_is_that_of_the_images_alone(vaes, data):
    method = f"reproduction{benchmark.BFLOAT16}"
    attributor = benchmark.make_attributor(method, vaes["0"], None, OPTIONS)
    assert attributor["detect"].estimator.encoder.autoencoder.dtype == torch.float32
    real = load_fashion_sample(200)
    X, _, _ = benchmark.data_of("0", vaes, real, OPTIONS, dtype=torch.bfloat16)
    difference = np.abs(X[: OPTIONS.n_own].astype(float) - data[0][: OPTIONS.n_own])
    assert 0 < difference.max() <= 8
    assert vaes["0"].dtype == torch.float32


def test_homogeneity_is_that_of_the_co_occurrence_matrix():
    X = load_fashion_sample(3)
    levels = X // 8
    for image, found in zip(levels, benchmark.homogeneity(X), strict=True):
        matrix = np.zeros((32, 32))
        np.add.at(matrix, (image[0, :, :-1].ravel(), image[0, :, 1:].ravel()), 1)
        matrix = (matrix + matrix.T) / (matrix + matrix.T).sum()
        apart = np.subtract.outer(np.arange(32), np.arange(32))
        np.testing.assert_allclose(found, (matrix / (1 + np.square(apart))).sum())


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    """A VQModel, the one whose encoder inverts its decoder, and its codes of images."""
    folder, X = tmp_path_factory.mktemp("quantized"), load_fashion_sample(50)
    sizes = {**SIZES, "n_steps": 40}
    vae, inverse = (autoencoder(f"VQ 0{end}", folder, X, **sizes) for end in ("", INVERSE))
    return vae, inverse, X


def test_codes_are_renewed_and_an_encoder_learns_to_invert(quantized):
    vae, inverse, X = quantized
    latents = encoded(vae, X, seed=0)
    codes = vae.quantize.embedding.weight.detach()
    vectors = latents.movedim(1, -1).flatten(0, 2)
    squares = (vectors[:, None] - codes).square().sum(dim=2)
    assert squares.min(dim=1).values.max() < 1e-10
    # Without it, they all stay within 1 / 256 of zero, and one or two are used.
    assert len(squares.argmin(dim=1).unique()) > 20
    same = ("decoder", "quantize", "post_quant_conv")
    for name, weights in vae.state_dict().items():
        assert weights.equal(inverse.state_dict()[name]) == name.startswith(same), name
    made = benchmark.images_of("VQ 0", {"VQ 0": vae}, X)
    with torch.no_grad():
        before, after = (
            (encoder.encode(unit(made)).latents - latents).square().mean()
            for encoder in (vae, inverse)
        )
    assert after < before


def test_quantization_error_is_the_distance_to_the_codebook(quantized):
    _, inverse, X = quantized
    images = X[:4].reshape(4, -1)
    scores = benchmark.QuantizationError(inverse).fit(images).score_samples(images)
    codes = inverse.quantize.embedding.weight.detach().numpy()
    with torch.no_grad():
        latents = inverse.encode(unit(X[:4])).latents.numpy()
    vectors = latents.transpose(0, 2, 3, 1).reshape(4, -1, 1, latents.shape[1])
    nearest = np.square(vectors - codes).sum(axis=-1).min(axis=-1)
    np.testing.assert_allclose(scores, -nearest.sum(axis=1), rtol=1e-4)


def test_aedr_divides_by_the_error_of_rounding_at_least():
    class Constant(torch.nn.Module):
        def forward(self, x):
            return torch.full_like(x, 0.5)

    X = load_fashion_sample(3)
    scores = benchmark.AEDR(Constant()).score_samples(X)
    errors = np.square(X / 255 - 0.5).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(scores, -errors * 12 * 255**2 * benchmark.homogeneity(X), rtol=1e-5)


def test_vq_model_small(run_small, monkeypatch):
    def load_fashion_mnist(split="train"):
        return load_fashion_sample(200 if split == "test" else 1000)

    monkeypatch.setattr(benchmark, "load_fashion_mnist", load_fashion_mnist)
    rows = run_small("vq_model")
    assert {row["source"] for row in rows} == {*benchmark.OWNERS["VQ 0"]}
    assert {row["method"] for row in rows} == {"AEDR", "AEROBLADE", benchmark.QUANTIZATION_ERROR}
