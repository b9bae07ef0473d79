"""Diffusion models as functions of noise, and their inverses."""

import numpy as np
import pytest
import torch

from sklearn_flipad.generators import (
    DiffusionSampler,
    DiffusionSchedule,
    TorchNoise,
    sample,
)
from sklearn_flipad.generators.diffusion._anderson import AndersonAcceleration
from tests.diffusion_models import small_network

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def diffusers():
    return pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def network(diffusers):
    return small_network()


@pytest.fixture
def noise():
    return TorchNoise(SHAPE, batch_size=2)(seed=5)


def scheduler_of(diffusers, name):
    """Schedulers whose levels let a network that was never trained stay in a range."""
    kinds = {
        "ddim": lambda: diffusers.DDIMScheduler(clip_sample=False, beta_end=0.002),
        "ddim-v": lambda: diffusers.DDIMScheduler(
            clip_sample=False, prediction_type="v_prediction"
        ),
        "ddim-sample": lambda: diffusers.DDIMScheduler(
            clip_sample=False, prediction_type="sample", set_alpha_to_one=False
        ),
        "euler": lambda: diffusers.EulerDiscreteScheduler(beta_end=0.002),
        "euler-v": lambda: diffusers.EulerDiscreteScheduler(prediction_type="v_prediction"),
        "flow": lambda: diffusers.FlowMatchEulerDiscreteScheduler(),
        "dpm-1": lambda: diffusers.DPMSolverMultistepScheduler(solver_order=1, beta_end=0.002),
        "dpm-2": lambda: diffusers.DPMSolverMultistepScheduler(solver_order=2, beta_end=0.002),
    }
    return kinds[name]()


NAMES = ("ddim", "ddim-v", "euler", "euler-v", "flow", "dpm-1", "dpm-2")


class Contraction(torch.nn.Module):
    """A network by hand; it notes the times at which it is called."""

    def __init__(self):
        super().__init__()
        self.times = []

    def forward(self, x, t, shift=0.0):
        self.times.append(t)
        return torch.tanh(x) + shift


def flow_schedule(n_steps=10):
    t = np.linspace(1, 0, n_steps + 1)
    return DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")


@pytest.mark.parametrize("clip", [False, True])
def test_images_are_the_pipelines_bit_for_bit(diffusers, network, noise, clip):
    pipeline = diffusers.DDIMPipeline(network, diffusers.DDIMScheduler(clip_sample=clip))
    pipeline.set_progress_bar_config(disable=True)
    sampler = DiffusionSampler.from_pipeline(pipeline, n_steps=7)
    assert sampler.clips == clip
    options = {"batch_size": 2, "num_inference_steps": 7}

    def generator():
        return torch.Generator().manual_seed(5)

    floats = pipeline(**options, generator=generator(), output_type="pt").images
    assert np.array_equal(sampler.run(noise), floats.numpy())
    images = pipeline(**options, generator=generator()).images
    assert np.array_equal(sampler.images(noise)[:, 0], np.stack(images))
    # A list of generators: the noise of each is that of one image.
    pair = [torch.Generator().manual_seed(seed) for seed in (5, 6)]
    floats = pipeline(**options, generator=pair, output_type="pt").images
    both = torch.cat([TorchNoise(SHAPE)(seed) for seed in (5, 6)])
    assert np.array_equal(sampler.run(both), floats.numpy())


@pytest.mark.parametrize("name", [*NAMES, "ddim-sample"])
def test_laws_are_those_of_the_schedulers(diffusers, network, noise, name):
    sampler = DiffusionSampler(network, scheduler_of(diffusers, name), n_steps=6, pixels=False)
    by_hand = DiffusionSampler(network, sampler.schedule, pixels=False)
    expected = sampler.run(noise)
    assert np.abs(by_hand.run(noise) - expected).max() < 1e-4 * np.abs(expected).max()
    assert sampler.schedule.is_multistep == (name == "dpm-2")


@pytest.mark.parametrize("name", ["ddim", "ddim-v", "ddim-sample"])
def test_schedules_by_hand(diffusers, name):
    scheduler = scheduler_of(diffusers, name)
    found = DiffusionSampler(Contraction(), scheduler, n_steps=6, latent_shape=SHAPE).schedule
    levels = [*scheduler.alphas_cumprod[found.timesteps], scheduler.final_alpha_cumprod]
    squares = np.array(levels, dtype=float)
    schedule = DiffusionSchedule.first_order(
        np.sqrt(squares),
        np.sqrt(1 - squares),
        found.timesteps,
        prediction=scheduler.config.prediction_type,
    )
    np.testing.assert_allclose(schedule.states, found.states, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(schedule.outputs, found.outputs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(diffusers, network, noise, name):
    sampler = DiffusionSampler(network, scheduler_of(diffusers, name), n_steps=8, pixels=False)
    result = sampler.invert(sampler.run(noise))
    assert result.converged.all()
    assert (result.residuals <= 1e-5).all()
    assert (result.round_trip < 1e-4).all()
    assert np.abs(result.noise - noise.numpy()).max() < 1e-2
    assert not result.at_bounds.any()
    # Each sample by itself, whatever the others are.
    alone = sampler.invert(sampler.run(noise)[1:])
    assert np.array_equal(alone.noise[0], result.noise[1])
    assert alone.n_calls[0] == result.n_calls[1]


def test_what_misses_the_tolerance_says_so(diffusers, network, noise):
    sampler = DiffusionSampler(network, scheduler_of(diffusers, "ddim"), n_steps=8, pixels=False)
    result = sampler.invert(sampler.run(noise), max_iter=1)
    assert not result.converged.any()
    assert (result.residuals > 1e-5).all()
    assert (result.round_trip > 1e-4).all()
    assert (result.n_calls == 8).all()


def test_samples_without_a_noise(noise):
    class Infinite(torch.nn.Module):
        def forward(self, x, t):
            return x * torch.where(t > 0.5, torch.inf, 0.0)[:, None, None, None]

    sampler = DiffusionSampler(Infinite(), flow_schedule(), latent_shape=SHAPE, pixels=False)
    result = sampler.invert(noise, max_iter=3)
    assert not result.converged.any()
    assert not (result.residuals <= 1e-5).any()
    middle = DiffusionSampler(Contraction(), flow_schedule(), latent_shape=SHAPE, pixels=False)
    assert not middle.invert(np.zeros((1, *SHAPE), np.float32)).noise.any()


def test_gray_levels_and_clipping(noise):
    sampler = DiffusionSampler(Contraction(), flow_schedule(), latent_shape=SHAPE)
    images = sampler.images(noise)
    result = sampler.invert(images, n_copies=0)
    assert result.converged.all()
    clipped = np.isin(images, (0, 255)).reshape(2, -1)
    assert (result.at_bounds == clipped.mean(axis=1)).all()
    assert 0 < clipped.mean() < 0.5
    # Rounding to gray levels, and the values at the ends of the range come back as such.
    assert (result.round_trip < 0.3).all()
    error = np.abs(result.noise - noise.numpy()).reshape(2, -1)
    assert error[~clipped].max() < 0.05
    assert error[clipped].max() > 0.1


def test_what_steps_clip_is_lost_and_the_round_trip_says_so(diffusers, network, noise):
    scheduler = diffusers.DDIMScheduler(beta_end=0.002, clip_sample=True)
    sampler = DiffusionSampler(network, scheduler, n_steps=8, pixels=False)
    result = sampler.invert(sampler.run(noise))
    assert (result.residuals <= 1e-5).all()
    assert (result.round_trip > 0.01).all()
    assert not result.converged.any()
    assert np.abs(result.noise - noise.numpy()).max() > 0.1


def test_sampler_is_a_generator(diffusers, network, noise):
    sampler = DiffusionSampler(network, scheduler_of(diffusers, "flow"), n_steps=3)
    network.train()
    images = sample(sampler, 3, random_state=0)
    assert network.training
    network.eval()
    assert images.shape == (3, *SHAPE)
    rows = np.random.RandomState(0).standard_normal((3, *SHAPE)).astype(np.float32)
    assert np.abs(images.astype(int) - sampler.images(rows)).max() <= 1


def test_conditions_and_times(noise):
    network = Contraction()
    sampler = DiffusionSampler(network, flow_schedule(4), latent_shape=SHAPE, pixels=False)
    shift = torch.tensor([0.0, 0.5])[:, None, None, None]
    x = sampler.run(noise, shift=shift)
    assert [tuple(t.shape) for t in network.times] == [(2,)] * 4
    assert [float(t[0]) for t in network.times] == [1.0, 0.75, 0.5, 0.25]
    assert np.array_equal(x[:1], sampler.run(noise[:1]))
    result = sampler.invert(x, shift=shift)
    assert np.abs(result.noise - noise.numpy()).max() < 1e-3
    wrong = sampler.invert(x, shift=shift.flip(0))
    assert (np.abs(wrong.noise - noise.numpy()).max(axis=(1, 2, 3)) > 0.1).all()


def test_anderson_finds_fixed_points_that_iteration_does_not():
    matrix = torch.diag(torch.tensor([-3.0, -1.5, 0.5, -2.0]))
    goal = torch.tensor([1.0, 2.0, 3.0, 4.0])
    state, acceleration = torch.zeros(4), AndersonAcceleration()
    for _ in range(12):
        state = acceleration.advance(state, matrix @ (state - goal) - (state - goal))
    assert torch.allclose(state, goal, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("DDPMScheduler", "draws noise"),
        ("EulerAncestralDiscreteScheduler", "draws noise"),
    ],
)
def test_schedulers_that_draw_noise_are_refused(diffusers, network, name, error):
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match=error):
        DiffusionSampler(network, getattr(diffusers, name)(), n_steps=5)
    assert torch.equal(state, torch.get_rng_state())


def test_steps_without_an_inverse_are_refused(diffusers, network, noise):
    sampler = DiffusionSampler(network, diffusers.HeunDiscreteScheduler(), n_steps=4)
    sampler.run(noise)
    with pytest.raises(ValueError, match="cannot be run backward"):
        sampler.invert(sampler.run(noise))


def test_pipelines_and_schedulers_of_other_kinds(diffusers, network):
    pipeline = diffusers.DDPMPipeline(network, diffusers.DDIMScheduler())
    with pytest.raises(TypeError, match="Pipelines that are read"):
        DiffusionSampler.from_pipeline(pipeline)
    with pytest.raises(ValueError, match="positive whole number, got 0"):
        DiffusionSampler(network, pipeline.scheduler, n_steps=0)
    with pytest.raises(ValueError, match="n_steps=50"):
        DiffusionSampler(network, pipeline.scheduler)
    with pytest.raises(ValueError, match="DiffusionSchedule or a scheduler"):
        DiffusionSampler(network, 50)
    with pytest.raises(ValueError, match="10 steps, but n_steps=5"):
        DiffusionSampler(network, flow_schedule(), n_steps=5)


def test_invalid_input(noise):
    with pytest.raises(ValueError, match="latent_shape="):
        DiffusionSampler(Contraction(), flow_schedule())
    sampler = DiffusionSampler(Contraction(), flow_schedule(), latent_shape=SHAPE)
    with pytest.raises(ValueError, match="noise must have shape"):
        sampler.run(noise[:, :, 1:])
    with pytest.raises(ValueError, match=r"Pass noise\[None\]"):
        sampler.run(noise[0])
    with pytest.raises(ValueError, match="outside the range") as error:
        sampler.invert(sampler.run(noise) * 255)
    assert "output_range=" not in str(error.value)  # which a sampler does not take
    with pytest.raises(ValueError, match="X must have shape"):
        sampler.invert(sampler.run(noise)[0])
    latents = DiffusionSampler(Contraction(), flow_schedule(), latent_shape=SHAPE, pixels=False)
    with pytest.raises(ValueError, match="n_copies must be even"):
        sampler.invert(sampler.run(noise), n_copies=3)
    with pytest.raises(ValueError, match="deviation must not be negative"):
        sampler.invert(sampler.run(noise), deviation=-1)
    with pytest.raises(ValueError, match="no gray levels"):
        latents.images(noise)

    class Variances(torch.nn.Module):
        def forward(self, x, t):
            return torch.cat([x, x], dim=1)

    with pytest.raises(ValueError, match="also predicts variances"):
        DiffusionSampler(Variances(), flow_schedule(), latent_shape=SHAPE).run(noise)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([0.5, 1], [0.5, 0], []), "0 steps need 1 levels"),
        (([0, 1], [1, 0], [1]), "says nothing"),
        (([0.5, 1], [0.5, 0], [1], "v_prediction"), "squares sum to 1"),
        (([0.5, 1], [0.6, 0], [1], "flow"), "they sum to 1"),
        (([0.5, 1], [0.5, 0], [1], "velocity"), "must be one of"),
    ],
)
def test_invalid_levels(arguments, error):
    alphas, sigmas, timesteps, *prediction = arguments
    options = dict(zip(["prediction"], prediction, strict=False))
    with pytest.raises(ValueError, match=error):
        DiffusionSchedule.first_order(alphas, sigmas, timesteps, **options)


def test_invalid_laws():
    with pytest.raises(ValueError, match="shape"):
        DiffusionSchedule([1, 2], np.eye(3), np.eye(2))
    with pytest.raises(ValueError, match="lower triangles"):
        DiffusionSchedule([1, 2], np.ones((2, 2)), np.eye(2))


def test_seeds_of_torch():
    draw = TorchNoise((2, 3), dtype="float16")
    assert draw(1).dtype == torch.float16
    assert torch.equal(draw(1), draw(np.int64(1)))
    # As documented: a seed's last 32 bits.
    assert torch.equal(draw(1), draw(1 + 2**32))
