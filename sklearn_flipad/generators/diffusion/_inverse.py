"""Steps of a schedule, backward: each is an implicit equation for the state before it."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch

from sklearn_flipad.generators.diffusion._anderson import AndersonAcceleration


@dataclass
class Found:
    """The first state of one sample, its residual, and how often the network was run for it."""

    state: torch.Tensor
    residual: float
    n_calls: int


def states_from(predict, schedule, state):
    """All states by the schedule; `predict(k, x)` is the network's output at step k."""
    states, outputs = [state], []
    for k in range(schedule.n_steps):
        outputs.append(predict(k, states[k]))
        terms = [(c, x) for c, x in zip(schedule.states[k], states, strict=False) if c]
        terms += [(c, m) for c, m in zip(schedule.outputs[k], outputs, strict=False) if c]
        states.append(sum(c * x for c, x in terms))
    return states


def inverted(predict, schedule, sample, *, tol, max_iter, max_corrections):
    """First state of a sample.

    With one step, each state is solved for in turn. A multistep method would need states that are
    still unknown: its first state is corrected by the difference that its samples make to the
    inverse of the first guess.
    """
    if not schedule.is_multistep:
        return _backward(predict, schedule, sample, tol, max_iter)
    goal = _backward(predict, schedule.first_guess, sample, tol, max_iter)
    state, n_calls, best, acceleration = goal.state, goal.n_calls, None, AndersonAcceleration()
    for _ in range(max_corrections):
        made = states_from(predict, schedule, state)[-1]
        residual = _size(sample - made) / (_size(sample) or 1.0)
        n_calls += schedule.n_steps
        if best is None or residual < best.residual:
            best = Found(state, residual, n_calls)
        if residual <= tol or not isfinite(residual):
            break
        found = _backward(predict, schedule.first_guess, made, tol, max_iter)
        n_calls += found.n_calls
        if not isfinite(found.residual):
            break
        state = acceleration.advance(state, goal.state - found.state)
    best.n_calls = n_calls
    return best


def _backward(predict, schedule, sample, tol, max_iter):
    state, output, n_calls, residuals = sample, None, 0, []
    for k in reversed(range(schedule.n_steps)):
        size = _size(state) or 1.0
        state, output, residual, n_iter = _solve(
            lambda x, k=k: predict(k, x),
            state,
            schedule.states[k, k],
            schedule.outputs[k, k],
            output,
            tol * size,
            max_iter,
        )
        residuals.append(residual / size)
        n_calls += n_iter
    return Found(state, float(np.max(residuals)), n_calls)  # NaN stays NaN


def _solve(predict, target, by_state, by_output, output, tol, max_iter):
    """State, output, residual and number of calls of ``target = a x + b predict(x)``."""
    state, best, acceleration = target, None, AndersonAcceleration()
    if output is not None:
        # Outputs change little from step to step.
        state = (target - by_output * output) / by_state
    n_calls = 0
    while n_calls < max_iter:
        n_calls += 1
        output = predict(state)
        defect = target - by_state * state - by_output * output
        residual = _size(defect)
        if best is None or residual < best[2]:
            best = state, output, residual
        if best[2] <= tol or not isfinite(residual):
            break
        state = acceleration.advance(state, defect / by_state)
    return (*best, n_calls)


def _size(x):
    """Root mean square of a sample."""
    return float(torch.linalg.vector_norm(x, dtype=torch.float64)) / x.numel() ** 0.5
