"""Schedulers of diffusers: their own steps, and the linear law that these follow."""

import copy
import dataclasses

import numpy as np
import torch

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.randomness import seeded
from sklearn_flipad.generators.diffusion.schedule import DiffusionSchedule

#: Largest deviation from the law, relative. Schedulers compute in float32: DDIM, Euler, flow
#: matching and DPM-Solver++ of 10 and 50 steps pass with 1e-7, too, which leaves a margin; with
#: 1e-8 4 of 8 do not (``python -m benchmarks constants``).
_ROUNDING = 1e-4


def is_scheduler(thing):
    """Whether it has the interface of diffusers' schedulers."""
    return all(hasattr(thing, name) for name in ("set_timesteps", "step", "config"))


def clips(scheduler):
    """Whether the scheduler clips its estimates of the sample."""
    config = scheduler.config
    return bool(config.get("clip_sample", False) or config.get("thresholding", False))


def prepared(scheduler, n_steps, **changes):
    """Fresh copy of a scheduler with its steps set, so that the user's keeps its state."""
    scheduler = copy.deepcopy(scheduler)
    known = {name: value for name, value in changes.items() if name in scheduler.config}
    scheduler.register_to_config(**known)
    scheduler.set_timesteps(n_steps)
    return scheduler


def scaled(scheduler, x, t):
    """Input of the network; flow matching has no scale."""
    return scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x


def noise_scale(scheduler):
    """Standard deviation of the first state; flow matching names none."""
    return getattr(scheduler, "init_noise_sigma", 1.0)


def schedule_of(scheduler, n_steps):
    """Law of a scheduler without its clipping; ValueError if it draws noise or is not linear."""
    if n_steps < 1 or n_steps != int(n_steps):
        raise ValueError(f"The number of steps must be a positive whole number, got {n_steps!r}.")
    n_steps = int(n_steps)
    law = _probed(scheduler, n_steps)
    if law.is_multistep and "solver_order" in scheduler.config:
        guess = _probed(scheduler, n_steps, solver_order=1)
        if not guess.is_multistep:
            return dataclasses.replace(law, first_guess=guess)
    return law


def _probed(scheduler, n_steps, **changes):
    """Law of a scheduler, read off its answers to unit states and outputs."""
    scheduler = prepared(scheduler, n_steps, clip_sample=False, thresholding=False, **changes)
    times = scheduler.timesteps
    n = len(times)
    # Columns: each state, each output, zeros, and random values by which the law is checked.
    rng = np.random.RandomState(0)
    inputs = np.hstack([np.eye(2 * n), np.zeros((2 * n, 1)), rng.standard_normal((2 * n, 1))])
    inputs = torch.from_numpy(inputs)
    answers, scales = [], []
    with seeded(0), torch.no_grad():
        for k, t in enumerate(times):
            # As a batch of one sample of one channel.
            state, output = inputs[k][None, None, None], inputs[n + k][None, None, None]
            scales.append(float(scaled(scheduler, torch.ones(1), t)))
            answers.append(scheduler.step(output, t, state).prev_sample.double().flatten().numpy())
    answers = np.stack(answers)
    law, of_zeros, of_random = answers[:, : 2 * n], answers[:, -2], answers[:, -1]
    if of_zeros.any():
        raise ValueError(
            Message(
                f"{type(scheduler).__name__} draws noise in its steps, which no seed search can "
                "invert. Pass ",
                Term("a deterministic scheduler", "python"),
                ": DDIMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler or "
                "DPMSolverMultistepScheduler.",
            )
        )
    expected = law @ inputs[:, -1].numpy()
    if np.abs(of_random - expected).max() > _ROUNDING * np.abs(of_random).max():
        raise ValueError(f"The steps of {type(scheduler).__name__} are not linear.")
    return DiffusionSchedule(
        times.numpy(),
        law[:, :n],
        law[:, n:],
        scales,
        float(noise_scale(scheduler)),
        levels=_levels(scheduler),
    )


def _levels(scheduler):
    """Factors of sample and noise at each step, by the scheduler's own code; None without it."""
    add = getattr(scheduler, "add_noise", None)
    if add is None:
        if not hasattr(scheduler, "scale_noise"):
            return None

        def add(x, noise, times):  # flow matching
            return scheduler.scale_noise(x, times, noise)

    times = scheduler.timesteps
    one, zero = torch.ones(len(times), 1), torch.zeros(len(times), 1)
    found = torch.cat([add(one, zero, times), add(zero, one, times)], dim=1)
    return found.T.double().numpy()
