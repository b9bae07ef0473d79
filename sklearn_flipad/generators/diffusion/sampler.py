"""A diffusion network with its schedule as a generator."""

import copy

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.conditions import as_tensors
from sklearn_flipad.base.devices import DEVICE_ERRORS
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.modules import check_returned, device_of, evaluating, float_type_of, unwrap
from sklearn_flipad.generators.diffusion._denoising import Denoising
from sklearn_flipad.generators.diffusion._inverse import states_from
from sklearn_flipad.generators.diffusion._invertible import Invertible
from sklearn_flipad.generators.diffusion._pipelines import parts_of
from sklearn_flipad.generators.diffusion._schedulers import (
    clips,
    is_scheduler,
    noise_scale,
    prepared,
    scaled,
    schedule_of,
)
from sklearn_flipad.generators.diffusion.schedule import DiffusionSchedule

__all__ = ["DiffusionSampler"]


class DiffusionSampler(Invertible, Denoising, nn.Module):
    """A diffusion model as a function from noise to samples, and its inverse.

    As a module it is a generator like others: :func:`~sklearn_flipad.generators.sample` draws from
    it. With a scheduler of diffusers, the scheduler's own steps are run, and :meth:`images` returns
    what the pipeline returns, bit for bit, for the same noise in the same batch.

    Parameters
    ----------
    network : torch.nn.Module
        Called as ``network(x, t, **condition)``. It returns a tensor of the shape of x, an object
        that has one as ``sample``, or a tuple that begins with one.
    schedule : DiffusionSchedule or scheduler of diffusers
        The steps. Schedulers that draw noise are refused; DDIM's eta is 0.
    n_steps : int, default=None
        Number of steps of a scheduler, a pipeline's ``num_inference_steps``.
    latent_shape : tuple of int, default=None
        Shape of one sample and its noise; by default that of the network's config in diffusers.
    pixels : bool, default=True
        Whether the network's samples are pixels scaled to [-1, 1]; what is returned is then scaled
        to [0, 1] and clipped, as pipelines do. Else samples, such as latents, are returned as they
        are.
    decoder : torch.nn.Module, default=None
        Makes pixels in [0, 1] of the last state, which are then the samples; `pixels` is ignored.
    encoder : torch.nn.Module, default=None
        Guesses the last state of pixels, as the autoencoder of the decoder does. It is kept for
        the search of the latents of images, see :meth:`invert`.

    Attributes
    ----------
    schedule : DiffusionSchedule
        The law of the steps.
    sample_shape : tuple of int
        Shape of one sample.
    output_range : tuple of float
        Values of black and white; None without pixels.
    clips : bool
        Whether the scheduler clips its estimates of the sample at each step.

    Raises
    ------
    ValueError
        If `n_steps` is missing for a scheduler, the scheduler draws noise, or no shape is known.

    See Also
    --------
    sklearn_flipad.reproduction.SeedSearch : Which seed a sample was made with.
    sklearn_flipad.DenoiserTransformer : Features of samples where no seed is known.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule
    >>> class Network(torch.nn.Module):
    ...     def forward(self, x, t):
    ...         return torch.tanh(x)
    >>> t = np.linspace(1, 0, 11)
    >>> flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
    >>> sampler = DiffusionSampler(Network(), flow, latent_shape=(1, 8, 8), pixels=False)
    >>> noise = torch.randn(2, 1, 8, 8)
    >>> result = sampler.invert(sampler(noise))
    >>> result.converged, bool(np.allclose(result.noise, noise, atol=1e-3))
    (array([ True,  True]), True)
    """

    def __init__(
        self,
        network,
        schedule,
        *,
        n_steps=None,
        latent_shape=None,
        pixels=True,
        decoder=None,
        encoder=None,
    ):
        super().__init__()
        self.network = unwrap(network, "network")
        self._scheduler = None
        if is_scheduler(schedule):
            if n_steps is None:
                raise ValueError(
                    "A scheduler needs the number of steps that images were made with. Pass "
                    "n_steps=50, the pipeline's num_inference_steps."
                )
            self._scheduler, schedule = schedule, schedule_of(schedule, n_steps)
        elif not isinstance(schedule, DiffusionSchedule):
            raise ValueError(
                "schedule must be a DiffusionSchedule or a scheduler of diffusers, got a "
                f"{type(schedule).__name__}."
            )
        elif n_steps not in (None, schedule.n_steps):
            raise ValueError(f"The schedule has {schedule.n_steps} steps, but n_steps={n_steps}.")
        self.schedule = schedule
        self.latent_shape = _shape_of(self.network) if latent_shape is None else tuple(latent_shape)
        self.pixels = pixels and decoder is None
        self.decoder = None if decoder is None else unwrap(decoder, "decoder")
        self.encoder = None if encoder is None else unwrap(encoder, "encoder")
        self.output_range = (0.0, 1.0) if pixels or decoder is not None else None
        self.sample_shape = self.latent_shape if decoder is None else self._decoded_shape()

    @classmethod
    def from_pipeline(cls, pipeline, *, n_steps=50, guidance_scale=None):
        """Sampler of a pipeline of diffusers, called with eta 0.

        Parameters
        ----------
        pipeline : diffusers.DDIMPipeline, diffusers.LDMPipeline or diffusers.DiTPipeline
            The pipeline. Its networks are shared and its scheduler is copied. The condition of a
            DiTPipeline is ``class_labels``, integers of shape (n,), and ``guidance_scale`` if it is
            not the same for all.
        n_steps : int, default=50
            The pipeline's ``num_inference_steps``.
        guidance_scale : float, default=None
            That of a DiTPipeline; by default its own default.

        Returns
        -------
        DiffusionSampler

        Raises
        ------
        TypeError
            If it is another pipeline, or one without guidance has a `guidance_scale`.
        """
        return cls(
            schedule=pipeline.scheduler, n_steps=n_steps, **parts_of(pipeline, guidance_scale)
        )

    @property
    def clips(self):
        """Whether the scheduler clips its estimates of the sample at each step."""
        return self._scheduler is not None and clips(self._scheduler)

    def with_steps(self, n_steps):
        """The same model with another number of steps of its scheduler.

        Parameters
        ----------
        n_steps : int
            Number of steps.

        Returns
        -------
        DiffusionSampler
            It shares the network.

        Raises
        ------
        ValueError
            If the steps are a schedule by hand, or their number is no positive whole number.
        """
        if self._scheduler is None:
            raise ValueError(
                "The steps of a schedule by hand are fixed: make a sampler for each number of them."
            )
        sampler = copy.copy(self)
        sampler.schedule = schedule_of(self._scheduler, n_steps)
        return sampler

    def forward(self, noise, **condition):
        """Samples of noise.

        Parameters
        ----------
        noise : torch.Tensor, shape (n, *latent_shape)
            Unit normal noise.
        **condition
            What else the network is called with, such as ``class_labels``, a row for each sample.

        Returns
        -------
        torch.Tensor, shape (n, *sample_shape)
            Pixels in [0, 1]; or, without pixels, the last state.
        """
        x = self._last_state(noise, condition)
        if self.decoder is not None:
            return self.decoder(x)
        return (x / 2 + 0.5).clamp(0, 1) if self.pixels else x

    def images(self, noise, **condition):
        """Gray levels of the samples of noise, as the pipeline writes them into images.

        They are equal to the pipeline's if the whole batch is: for some networks, an image's last
        digits depend on the other images of the batch. The precision is the caller's, as for the
        pipeline, and the network runs in eval mode.

        Parameters
        ----------
        noise : array-like or torch.Tensor, shape (n, *latent_shape)
            Unit normal noise. It is converted to the type and the device of the network.
        **condition
            See :meth:`forward`.

        Returns
        -------
        ndarray of uint8, shape (n, *sample_shape)
            Channels first.

        Raises
        ------
        ValueError
            If the sampler has no pixels, or the noise has another shape.
        """
        if self.output_range is None:
            raise ValueError("Samples that are not pixels have no gray levels: call the sampler.")
        pixels = self.run(noise, **condition)
        # In the type of the pixels, as pipelines round.
        return (pixels * 255).round().astype(np.uint8)

    def run(self, noise, **condition):
        """Samples of noise as an array, in eval mode and in the precision of the caller.

        Parameters
        ----------
        noise : array-like or torch.Tensor, shape (n, *latent_shape)
            Unit normal noise. It is converted to the type and the device of the network.
        **condition
            See :meth:`forward`.

        Returns
        -------
        ndarray, shape (n, *sample_shape)
            As :meth:`forward` returns them.

        Raises
        ------
        ValueError
            If the noise has another shape.
        """
        noise = self._as_states(noise)
        if noise.ndim < 2 or noise.shape[1:] != self.latent_shape:
            raise ValueError(
                f"noise must have shape (n, {', '.join(map(str, self.latent_shape))}), got "
                f"{tuple(noise.shape)}. Pass noise[None] for one sample."
            )
        with evaluating(self, full=False):
            x = self(noise, **as_tensors(condition))
        return (x.float() if x.dtype == torch.bfloat16 else x).cpu().numpy()

    def _decoded_shape(self):
        """Shape of the decoder's samples, by one of zeros."""
        with evaluating(self.decoder):
            zeros = self._as_states(np.zeros((1, *self.latent_shape), np.float32))
            return tuple(check_returned(self.decoder(zeros), "decoder", "pixels").shape[1:])

    def _last_state(self, noise, condition):
        run = self._by_law if self._scheduler is None else self._by_scheduler
        return run(noise, condition)

    def _by_scheduler(self, noise, condition):
        """Last state, by the scheduler's own code, as pipelines run it."""
        scheduler = prepared(self._scheduler, self.schedule.n_steps)
        x = noise * noise_scale(scheduler)
        for t in scheduler.timesteps:
            output = self._predict(scaled(scheduler, x, t), t, condition)
            x = scheduler.step(output, t, x).prev_sample
        return x

    def _by_law(self, noise, condition):
        """Last state, by the schedule."""
        predict = self._predictor(noise, condition)
        return states_from(predict, self.schedule, noise * self.schedule.noise_scale)[-1]

    def _predictor(self, x, condition):
        """Function ``predict(k, state)``: the network's output at step k for states like x."""
        times, scales = self._times(x), self.schedule.input_scales
        return lambda k, state: self._predict(scales[k] * state, times[k], condition)

    def _times(self, x):
        """Times of all steps: scalars for a scheduler, as in pipelines, else of shape (n,)."""
        times = torch.from_numpy(self.schedule.timesteps)
        if times.is_floating_point():
            times = times.to(x.dtype)
        if self._scheduler is not None:
            return times
        return times.to(x.device)[:, None].expand(-1, len(x))

    def _predict(self, x, t, condition):
        try:
            output = self.network(x, t, **condition)
        except (IndexError, RuntimeError) as error:
            if not condition or isinstance(error, DEVICE_ERRORS):
                raise
            advice = "Classes are integers from 0 on, below their number, one for each sample."
            raise ValueError(
                f"The network cannot be called with {', '.join(condition)}: {error}."
                + (f" {advice}" if "class_labels" in condition else "")
            ) from error
        if hasattr(output, "sample"):
            output = output.sample
        elif isinstance(output, tuple):
            output = output[0]
        output = check_returned(output, "network", "predictions")
        if output.shape != x.shape:
            raise ValueError(
                f"The network returned a tensor of shape {tuple(output.shape)} for states of shape "
                f"{tuple(x.shape)}. Wrap one that also predicts variances in a module that returns "
                "the mean alone."
            )
        return output

    def _as_states(self, x):
        x = x if isinstance(x, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(x))
        return x.to(device_of(self.network), float_type_of(self.network) or torch.float32)


def _shape_of(network):
    config = getattr(network, "config", None)
    size = getattr(config, "sample_size", None)
    if size is None or not hasattr(config, "in_channels"):
        raise ValueError(
            Message(
                "The network's config tells no size of its samples. Pass ",
                Term("latent_shape=(3, 64, 64)", "latent_shape"),
                ".",
            )
        )
    height, width = (size, size) if np.ndim(size) == 0 else size
    return (config.in_channels, height, width)
