"""Deterministic sampling schedules as linear laws of states and network outputs."""

from dataclasses import dataclass

import numpy as np

__all__ = ["DiffusionSchedule"]

_PREDICTIONS = ("epsilon", "sample", "v_prediction", "flow")


@dataclass(frozen=True, eq=False)
class DiffusionSchedule:
    """Steps of a deterministic diffusion sampler, each linear in states and network outputs.

    The state starts at ``x_0 = noise_scale * noise``. Step k runs the network at
    ``input_scales[k] * x_k`` and ``timesteps[k]``; with its output ``m_k``, the next state is

        x_{k+1} = sum_j states[k, j] x_j + outputs[k, j] m_j,    j = 0, ..., k.

    :meth:`first_order` makes the schedules of DDIM with eta 0 and of Euler's method, which for the
    same levels are one law. Schedulers of diffusers need no schedule by hand:
    :class:`~sklearn_flipad.generators.DiffusionSampler` takes them as they are.

    Parameters
    ----------
    timesteps : ndarray, shape (n_steps,)
        Times, in the type in which the network takes them.
    states, outputs : ndarray of float64, shape (n_steps, n_steps)
        Coefficients of states and outputs, lower triangular. Those of a method with one step are
        diagonal.
    input_scales : ndarray of float64, shape (n_steps,), default=None
        Factors of the states before the network, 1 by default.
    noise_scale : float, default=1.0
        Standard deviation of the first state.
    first_guess : DiffusionSchedule, default=None
        Schedule with one step and the same times, whose inverse starts that of a multistep method.
    levels : ndarray of float64, shape (2, n_steps), default=None
        Factors of sample and noise in the state of each step, where they are known.

    References
    ----------
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021.

    Karras, Aittala, Aila and Laine, "Elucidating the design space of diffusion-based generative
    models", NeurIPS 2022.
    """

    timesteps: np.ndarray
    states: np.ndarray
    outputs: np.ndarray
    input_scales: np.ndarray | None = None
    noise_scale: float = 1.0
    first_guess: "DiffusionSchedule | None" = None
    levels: np.ndarray | None = None

    def __post_init__(self):
        """Check shapes; arrays may be given as sequences."""
        timesteps = np.asarray(self.timesteps)
        n = len(timesteps)
        scales = np.ones(n) if self.input_scales is None else self.input_scales
        object.__setattr__(self, "timesteps", timesteps)
        object.__setattr__(self, "input_scales", np.asarray(scales, np.float64))
        for name in ("states", "outputs"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        if not n or self.states.shape != (n, n) or self.outputs.shape != (n, n):
            raise ValueError(
                f"states and outputs must have shape {(n, n)}, a row for each of the timesteps, "
                f"got {self.states.shape} and {self.outputs.shape}."
            )
        if np.triu(self.states, 1).any() or np.triu(self.outputs, 1).any():
            raise ValueError("A step uses states and outputs up to its own: pass lower triangles.")

    @classmethod
    def first_order(cls, alphas, sigmas, timesteps, *, prediction="epsilon"):
        """Schedule of DDIM with eta 0, or of Euler's method, from levels of signal and noise.

        A state at level k is ``alphas[k] * x + sigmas[k] * noise``. From the network's output,
        sample and noise are estimated and put together at the next level.

        Parameters
        ----------
        alphas, sigmas : array-like of shape (n_steps + 1,)
            Factors of sample and noise, from the noise to the sample: for DDIM the square roots of
            ``alphas_cumprod`` and of its complement, for flow matching ``1 - t`` and ``t``, for a
            process whose variance grows 1 and sigma.
        timesteps : array-like of shape (n_steps,)
            Times at which the network runs.
        prediction : {"epsilon", "sample", "v_prediction", "flow"}, default="epsilon"
            The network's output: the noise, the sample, ``alpha * noise - sigma * sample`` where
            the squares of both levels sum to 1, or ``noise - sample`` where the levels sum to 1.

        Returns
        -------
        DiffusionSchedule

        Raises
        ------
        ValueError
            If there are not as many levels as steps and one, the levels do not fit the prediction,
            or it is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_flipad.generators import DiffusionSchedule
        >>> t = np.linspace(1, 0, 5)
        >>> flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
        >>> flow.outputs.diagonal()
        array([-0.25, -0.25, -0.25, -0.25])
        """
        alphas, sigmas = np.asarray(alphas, np.float64), np.asarray(sigmas, np.float64)
        timesteps = np.asarray(timesteps)
        if alphas.shape != sigmas.shape or alphas.shape != (len(timesteps) + 1,):
            raise ValueError(
                f"{len(timesteps)} steps need {len(timesteps) + 1} levels alphas and sigmas, the "
                f"last one that of the sample, got {alphas.shape} and {sigmas.shape}."
            )
        alpha, sigma = alphas[:-1], sigmas[:-1]
        by_state, by_output = _estimates(alpha, sigma, prediction)
        return cls(
            timesteps,
            np.diag(alphas[1:] * by_state[0] + sigmas[1:] * by_state[1]),
            np.diag(alphas[1:] * by_output[0] + sigmas[1:] * by_output[1]),
            noise_scale=float(np.hypot(alpha[0], sigma[0])),
            levels=np.stack([alpha, sigma]),
        )

    @property
    def n_steps(self):
        """Number of runs of the network."""
        return len(self.timesteps)

    @property
    def is_multistep(self):
        """Whether a step uses earlier states or outputs."""
        return bool(np.tril(self.states, -1).any() or np.tril(self.outputs, -1).any())


def _estimates(alpha, sigma, prediction):
    """Coefficients of the state, and of the output, in the estimates of sample and noise."""
    if prediction not in _PREDICTIONS:
        raise ValueError(
            f"prediction must be one of {', '.join(_PREDICTIONS)}, got {prediction!r}."
        )
    divisor, total = {
        "epsilon": (alpha, None),
        "sample": (sigma, None),
        "v_prediction": (None, np.square(alpha) + np.square(sigma)),
        "flow": (None, alpha + sigma),
    }[prediction]
    if divisor is not None and not divisor.all():
        raise ValueError(f"A level is 0 at which the prediction {prediction!r} says nothing.")
    if total is not None and not np.allclose(total, 1):
        squares = "their squares" if prediction == "v_prediction" else "they"
        raise ValueError(
            f"Levels of the prediction {prediction!r} must be such that {squares} sum to 1."
        )
    zero, one = np.zeros_like(alpha), np.ones_like(alpha)
    return {
        "epsilon": lambda: ((1 / alpha, zero), (-sigma / alpha, one)),
        "sample": lambda: ((zero, 1 / sigma), (one, -alpha / sigma)),
        "v_prediction": lambda: ((alpha, sigma), (-sigma, alpha)),
        "flow": lambda: ((one, one), (-sigma, alpha)),
    }[prediction]()
