"""Verdicts are computed in full precision, whatever the caller has switched on."""

import threading
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    FinalLayerInverter,
    LatentEncoder,
    SMInvDetector,
)
from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import DCGANGenerator


def settings():
    backends = torch.backends
    operations = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]
    operations += [backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn]
    return [operation.fp32_precision for operation in operations], backends.cudnn.deterministic


@pytest.fixture(params=["as it is", "high", "new settings", "benchmark"])
def user_settings(request):
    """Settings that a user may have made, as torch reports them."""
    cudnn = torch.backends.cudnn
    before, tf32 = cudnn.conv.fp32_precision, cudnn.allow_tf32
    if request.param == "high":
        torch.set_float32_matmul_precision("high")
    elif request.param == "new settings":
        cudnn.conv.fp32_precision = "ieee"
    elif request.param == "benchmark":
        cudnn.benchmark = True
    yield settings()
    torch.set_float32_matmul_precision("highest")
    cudnn.conv.fp32_precision, cudnn.benchmark = before, False
    cudnn.allow_tf32 = tf32  # of all operations, which torch wants to agree


def test_settings_are_restored(user_settings):
    with full_precision():
        assert set(settings()[0]) == {"ieee"}
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        # Torch, or a generator, can read the settings within the block.
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
        with full_precision():
            pass
        assert set(settings()[0]) == {"ieee"}
    assert settings() == user_settings


def test_a_module_may_run_in_the_precision_of_the_caller(user_settings):
    with evaluating(torch.nn.Linear(1, 1), full=False):
        assert settings() == user_settings
        assert not torch.is_grad_enabled()


def test_settings_are_restored_after_an_error():
    before = settings()
    with pytest.raises(KeyError), full_precision():
        raise KeyError
    assert settings() == before


def test_threads_that_overlap():
    before = settings()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with full_precision():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with full_precision():
        thread.start()
        entered.wait()
    assert set(settings()[0]) == {"ieee"}
    leave.set()
    thread.join()
    assert settings() == before


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return DCGANGenerator(8, (16, 8), 1).eval()


def samples(generator):
    return sample(generator, 4, random_state=0)


def trained_scores(generator):
    X = np.random.default_rng(0).normal(size=(60, 40)).astype(np.float32)
    X[40:] += 1
    y = np.repeat([1, -1], [40, 20])
    return DeepSADDetector(max_epochs=2, random_state=0).fit(X, y).score_samples(X)


def activations(generator):
    layer = FinalLayer.from_generator(generator, n_samples=20, random_state=0)
    X = samples(generator)
    return FinalLayerInverter(layer, max_iter=5, tol=0.5).fit(X).transform(X)


def guessed_latents(generator):
    return LatentEncoder(max_steps=3, random_state=0).fit(generator).encode(samples(generator))


def reconstructions(generator):
    detector = SMInvDetector(generator, max_iter=5, n_restarts=1, random_state=0)
    return detector.reconstruct(samples(generator)).reconstructions


@contextmanager
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


SETTINGS = {
    "autocast": partial(torch.autocast, "cpu", dtype=torch.bfloat16),
    "inference mode": torch.inference_mode,
    "without gradients": torch.no_grad,
    "float64 by default": float64_by_default,
    "another device by default": partial(torch.device, "meta"),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    "compute", [samples, trained_scores, activations, guessed_latents, reconstructions]
)
def test_what_the_caller_has_set_changes_nothing(generator, compute, setting):
    plain = compute(generator)
    with SETTINGS[setting]():
        found = compute(generator)
    assert_allclose(found, plain, rtol=0 if setting != "float64 by default" else 1e-5)


@pytest.mark.gpu
def test_cuda_computes_in_single_precision():
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(64, 64, 3).cuda()
    x = torch.randn(8, 64, 32, 32, device="cuda")
    exact = layer.double()(x.double())
    layer.float()
    with torch.no_grad(), full_precision():
        found = layer(x)
    assert (found - exact).abs().max() < 2e-5
