"""The final layer of a running generator, with its inputs and outputs."""

from dataclasses import dataclass
from math import inf, prod

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.messages import Message
from sklearn_flipad.base.modules import device_of, evaluating, unwrap
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.randomness import Purpose, draw_seed, seeded, separate_stream
from sklearn_flipad.final_layer._linear_tail import (
    LinearTail,
    find_linear_tail,
    watch_linear_tail,
)
from sklearn_flipad.generators.activations import OutputActivation
from sklearn_flipad.generators.latents import latent_batches
from sklearn_flipad.generators.watching.layers import (
    NoLayerError,
    check_watchable,
    eager,
    few,
    find_layer,
    watch,
)
from sklearn_flipad.generators.watching.recognition import (
    OutputStage,
    check_output_stage,
    recognize_output_stage,
)

__all__ = ["FinalLayerTrace", "trace_final_layer"]


@dataclass(frozen=True, eq=False)
class FinalLayerTrace:
    """The final layer of a generator, as it ran.

    The layer, or the linear maps that the generator ends with if they are several; the mean of
    its inputs and the standard deviation of its outputs, both float64; the output stage behind
    it; the shape of a sample; and inputs, outputs and samples of a first batch.
    """

    module: nn.Module | LinearTail
    mean_activation: np.ndarray
    output_deviation: np.ndarray
    stage: OutputStage
    output_shape: tuple
    inputs: torch.Tensor
    outputs: torch.Tensor
    samples: torch.Tensor

    def column_scale(self):
        """Deviations of a table's columns before an unbounded activation, None for images.

        For a constant column, its absolute mean; float64.
        """
        if self.outputs.ndim != 2 or len(self.output_shape) != 1:
            return None
        if inf not in map(abs, self.stage.activation.range) or self.stage.order is not None:
            return None
        largest = self.outputs.abs().cpu().double().numpy().max(axis=0)
        # Rounding is no variation.
        varies = self.output_deviation > 8 * np.finfo(np.float32).eps * largest
        return np.where(varies, self.output_deviation, np.where(largest > 0, largest, 1.0))

    def output_padding(self):
        """The argument ``output_padding`` that `output_size` stood for in the layer's call."""
        module = self.module
        if not isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            return {}
        # What output_size adds beyond the output without output_padding.
        sides = zip(
            *(self.inputs.shape[2:], self.outputs.shape[2:], module.kernel_size),
            *(module.stride, module.padding, module.dilation),
            strict=True,
        )
        added = [after - ((n - 1) * s - 2 * p + d * (k - 1) + 1) for n, after, k, s, p, d in sides]
        return {"output_padding": tuple(added)} if min(added) >= 0 else {}

    def check(self, layer):
        """Raise ValueError if a layer does not map the generator's activations to its samples.

        Modules that overload ``forward`` do more than their weights tell.
        """
        inputs, outputs, samples = (
            t.cpu().double() for t in (self.inputs, self.outputs, self.samples)
        )
        precision = max(torch.finfo(t.dtype).eps for t in (self.inputs, self.outputs))
        allowed = max(1e-2, 8 * precision)
        operator = layer.operator(dtype=torch.float64)
        expected = layer.affine(operator, inputs).reshape(outputs.shape)
        error = float((expected - outputs).abs().max())
        if not error <= allowed * float(outputs.abs().max()):
            raise ValueError(
                f"The last linear layer ({type(self.module).__name__}) does not compute the "
                f"linear map of its weights (largest difference {error:.3g}): it scales, "
                "modulates or quantizes them, or a hook changes what it returns. Build the layer "
                "by hand with FinalLayer(...)."
            )
        decoded = layer.decode(inputs).clamp(float(samples.min()), float(samples.max()))
        error = float((decoded - samples).abs().max())
        if not error <= allowed * float(samples.abs().max()):
            raise ValueError(
                "The layer that was found does not map the generator's activations to its samples "
                f"(largest difference {error:.3g}). Pass module= to name the final layer."
            )


def trace_final_layer(
    generator,
    *,
    latent_shape=None,
    sampler=None,
    n_samples=5000,
    activation="auto",
    module=None,
    batch_size=100,
    device=None,
    random_state=None,
    verbose=0,
):
    """Run a generator and watch its final layer; see :meth:`FinalLayer.from_generator`."""
    generator = unwrap(generator)
    check_watchable(generator)
    if isinstance(activation, str) and activation != "auto":
        activation = OutputActivation(activation)
    rng = separate_stream(random_state, Purpose.MEAN_ACTIVATION)
    seed = draw_seed(separate_stream(random_state, Purpose.GENERATOR_NOISE))
    batches = latent_batches(
        generator,
        n_samples,
        latent_shape=latent_shape,
        sampler=sampler,
        batch_size=batch_size,
        device=device,
        random_state=rng,
    )
    total, spread, first = 0.0, _Spread(), None
    bar = progress(n_samples, "sampling", verbose=verbose)
    with evaluating(generator), eager(), bar:
        for index, latents in enumerate(batches):
            # Generators that draw random numbers draw the same for the same seed.
            with seeded(seed + index, device_of(generator)):
                if first is None:
                    module = _find_whole(generator, latents, activation, module)
                try:
                    seen = _watch_any(generator, latents, module)
                except ValueError:
                    if first is not None or not isinstance(module, LinearTail):
                        raise
                    # Larger batches run otherwise, such as in parts.
                    module = find_layer(generator, latents, activation, None)[0]
                    seen = watch(generator, latents, module)
            if first is None:
                first = seen
            total = total + seen[0].cpu().double().sum(dim=0).numpy()
            spread.add(seen[1].cpu().double().numpy())
            bar.update(len(seen[0]))
    inputs, outputs, samples = first
    if isinstance(activation, str):
        stage = recognize_output_stage(outputs, samples)
    else:
        stage = check_output_stage(activation, outputs, samples)
    return FinalLayerTrace(
        module,
        np.asarray(total / n_samples),
        spread.deviation(),
        stage,
        tuple(samples.shape[1:]),
        inputs,
        outputs,
        samples,
    )


class _Spread:
    """The deviation of values that come in batches, summed about the mean of the first."""

    def __init__(self):
        self.center, self.sums = None, 0.0

    def add(self, values):
        if self.center is None:
            self.center = values.mean(axis=0)
        moved = values - self.center
        self.sums = self.sums + np.stack(
            [np.full(moved.shape[1:], len(moved)), moved.sum(axis=0), np.square(moved).sum(axis=0)]
        )

    def deviation(self):
        n, total, squares = self.sums
        return np.sqrt(np.maximum(squares / n - np.square(total / n), 0))


def _watch_any(generator, latents, module):
    look = watch_linear_tail if isinstance(module, LinearTail) else watch
    return look(generator, latents, module)


def _find_whole(generator, latents, activation, module):
    """The final layer, or the whole linear tail if that is more."""
    if module is not None:
        return find_layer(generator, latents, activation, module)[0]
    probes = few(latents)
    tail, obstacle, problem = find_linear_tail(generator, probes, activation)
    try:
        found, _ = find_layer(generator, latents, activation, None)
    except ValueError as error:
        if tail is not None:
            return tail
        if obstacle is None:
            raise
        if isinstance(error, NoLayerError) and problem is not None:
            error = problem  # layers that are functions are no modules that could be watched
        message = Message(*error.args, f" What could not be taken apart is {obstacle}.")
        raise ValueError(message) from error
    if tail is None:
        return found
    inputs, _, _ = watch(generator, probes, found)
    is_all = len(tail.links) == 1 and inputs[0].numel() == prod(tail.input_shape)
    # Hooks of the user may change what the layer returns.
    return found if is_all and not found._forward_hooks else tail
