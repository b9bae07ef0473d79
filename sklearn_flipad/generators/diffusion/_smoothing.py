"""The mean noise of samples whose last digits are lost."""

import torch

from sklearn_flipad.generators.diffusion._inverse import Found

#: Copies of a sample. The benchmark ``diffusion`` measures the seeds that are found with so many.
N_COPIES = 2


def averaged(predictor, schedule, sample, condition, n_copies, deviation):
    """Mean first state of copies of one sample, each step backward with one run of the network.

    The last steps of a sampler forget noise where the sample is smooth. Solved exactly there, they
    turn rounding into large noise; copies with noise of their own are wrong there in all
    directions. In pairs of opposite noise, errors of first order cancel.
    """
    if schedule.is_multistep:
        schedule = schedule.first_guess
    # The same for all samples.
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((n_copies // 2, *sample.shape[1:]), generator=generator).to(sample)
    copies = sample + deviation * torch.cat([noise, -noise])
    rows = {name: x.expand(n_copies, *x.shape[1:]) for name, x in condition.items()}
    states = _backward(predictor(copies, rows), schedule, copies)
    return Found(states.mean(dim=0, keepdim=True), float("nan"), n_copies * schedule.n_steps)


def _backward(predict, schedule, states):
    """First states, of last ones, where the network hardly changes along a step."""
    output = None
    for k in reversed(range(schedule.n_steps)):
        by_state, by_output = schedule.states[k, k], schedule.outputs[k, k]
        guess = states if output is None else (states - by_output * output) / by_state
        output = predict(k, guess)
        states = (states - by_output * output) / by_state
    return states
