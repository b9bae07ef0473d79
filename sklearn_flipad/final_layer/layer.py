"""The last linear layer of a generator with all that its inversion needs."""

from math import inf, prod

import numpy as np
import torch
from torch import nn

from sklearn_flipad.final_layer.activations import OutputActivation
from sklearn_flipad.final_layer.tracing import trace_final_layer
from sklearn_flipad.operators import ConvOperator, ConvTransposeOperator, DenseOperator
from sklearn_flipad.persistence.arrays import content_digest, load_arrays, save_arrays
from sklearn_flipad.sampling import evaluating

__all__ = ["FinalLayer"]

_CONV_ARGUMENTS = ("stride", "padding", "dilation", "groups", "padding_mode")
_CONV_TRANSPOSE_ARGUMENTS = ("stride", "padding", "output_padding", "dilation", "groups")

#: Operator class and the arguments it takes from the torch layer, by kind.
_OPERATORS = {
    "linear": (DenseOperator, ()),
    "conv": (ConvOperator, _CONV_ARGUMENTS),
    "conv_transpose": (ConvTransposeOperator, _CONV_TRANSPOSE_ARGUMENTS),
}
_KINDS = {
    nn.Linear: "linear",
    nn.Conv1d: "conv",
    nn.Conv2d: "conv",
    nn.Conv3d: "conv",
    nn.ConvTranspose1d: "conv_transpose",
    nn.ConvTranspose2d: "conv_transpose",
    nn.ConvTranspose3d: "conv_transpose",
}


class FinalLayer:
    """The last linear layer of a generator: an immutable value.

    It holds the linear map G, its bias, the invertible output activation, the mean
    activation before the layer and the shapes. That is all that the inversion needs, so
    a verifier never has to be given the whole generator. Instances are shared rather
    than copied by :func:`sklearn.base.clone` and :func:`copy.deepcopy`, and
    :func:`joblib.hash` depends on their content alone.

    Build one with :meth:`from_generator` or :meth:`from_module`, or read one with
    :meth:`load`.

    Parameters
    ----------
    kind : {"linear", "conv", "conv_transpose"}
        What the linear map is.
    weight : array-like
        Its weights, in torch's layout.
    bias : array-like or None
        One value an output channel (output feature, for ``"linear"``).
    arguments : dict
        Stride, padding and so on, as torch names them; empty for ``"linear"``.
    input_shape : tuple of int
        Shape of one activation before the layer.
    mean_activation : array-like, shape input_shape
        The mean activation, the point around which the inversion is sparse.
    activation : OutputActivation
        What follows the linear map.
    output_shape : tuple of int, default=None
        Shape of one sample; by default that of the linear map's output. A generator may
        reshape what its last layer returns.
    output_range : pair of float, default=None
        Where the grey levels 0 and 255 of uint8 samples lie; by default the range of
        `activation`, which must then be bounded for uint8 samples to be accepted.

    Attributes
    ----------
    kind, arguments, input_shape, output_shape, activation, output_range
        As given.
    weight, bias : ndarray of float32
        Read-only.
    mean_activation : ndarray of float64
        Read-only.
    fingerprint : str
        SHA-256 of the content.

    Raises
    ------
    ValueError
        If the shapes do not fit each other or a value is not finite.

    References
    ----------
    Section 4.3 of Laszkiewicz et al., "Single-Model Attribution of Generative Models
    Through Final-Layer Inversion", ICML 2024.
    """

    def __init__(
        self,
        kind,
        weight,
        bias,
        arguments,
        *,
        input_shape,
        mean_activation,
        activation,
        output_shape=None,
        output_range=None,
    ):
        if kind not in _OPERATORS:
            raise ValueError(f"kind must be one of {', '.join(_OPERATORS)}, got {kind!r}.")
        self.kind = kind
        self.weight = _read_only(weight, np.float32)
        self.bias = None if bias is None else _read_only(bias, np.float32)
        self.arguments = {key: _plain(value) for key, value in arguments.items()}
        self.input_shape = tuple(int(side) for side in input_shape)
        self.mean_activation = _read_only(mean_activation, np.float64)
        self.activation = activation
        operator = self._build_operator()
        self._operators = {(operator.device, operator.dtype): operator}
        self.output_shape = tuple(int(s) for s in output_shape or operator.output_shape)
        self.output_range = _checked_range(output_range, activation)
        self._check()
        self.fingerprint = content_digest(self._arrays(), self._description())

    def _build_operator(self):
        build, _ = _OPERATORS[self.kind]
        weight = torch.from_numpy(self.weight.copy())
        return build(weight, self.input_shape, **self.arguments)

    def _check(self):
        operator = self.operator()
        if self.mean_activation.shape != self.input_shape:
            raise ValueError(
                f"mean_activation must have shape {self.input_shape}, "
                f"got {self.mean_activation.shape}."
            )
        n_channels = operator.output_shape[-1 if self.kind == "linear" else 0]
        if self.bias is not None and self.bias.shape != (n_channels,):
            raise ValueError(f"bias must have shape ({n_channels},), got {self.bias.shape}.")
        if prod(self.output_shape) != operator.n_outputs:
            raise ValueError(
                f"The layer's output of shape {operator.output_shape} cannot be arranged as "
                f"output_shape={self.output_shape}."
            )
        for name in ("weight", "bias", "mean_activation"):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value).all():
                raise ValueError(f"{name} holds NaN or infinity.")

    @classmethod
    def from_generator(
        cls,
        generator,
        *,
        latent_shape=None,
        sampler=None,
        n_samples=5000,
        activation="auto",
        output_range=None,
        batch_size=100,
        device=None,
        random_state=None,
    ):
        """Find the final layer of a generator by running it.

        The generator runs in eval mode and without gradients; its training mode is
        restored afterwards. Hooks see which linear layer runs last; its inputs are
        averaged over `n_samples` latents with float64 accumulation; and the output
        activation is recognised by comparing the layer's output with the generator's,
        so that ``nn.Tanh()`` and ``torch.tanh(x)`` are the same.

        Parameters
        ----------
        generator : torch.nn.Module
            Any module with a convolution, transposed convolution or linear layer.
        latent_shape : tuple of int, default=None
            Shape of one latent, drawn from N(0, I); by default the generator's
            attribute ``latent_shape``, unless it has a method ``sampler``.
        sampler : callable, default=None
            For other inputs: ``sampler(n, rng)`` returns a tensor, or a tuple of
            tensors, that the generator is called with; `rng` is a
            :class:`numpy.random.RandomState`. Takes the place of `latent_shape`. By
            default the generator's method ``sampler``, if it has one.
        n_samples : int, default=5000
            Number of Monte-Carlo samples of the mean activation, >= 1.
        activation : str or OutputActivation, default="auto"
            The output activation, if it should not be recognised.
        output_range : pair of float, default=None
            See :class:`FinalLayer`.
        batch_size : int, default=100
            Latents in one call of the generator.
        device : str or torch.device, default=None
            Where the latents go; by default where the generator's parameters are.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the generator runs no linear layer, if its activation is not invertible or
            not recognised, or if no latent shape is known.
        """
        trace = trace_final_layer(
            generator,
            latent_shape=latent_shape,
            sampler=sampler,
            n_samples=n_samples,
            activation=activation,
            batch_size=batch_size,
            device=device,
            random_state=random_state,
        )
        layer = cls.from_module(
            trace.module,
            input_shape=trace.mean_activation.shape,
            mean_activation=trace.mean_activation,
            activation=trace.activation,
            output_shape=trace.output_shape,
            output_range=output_range,
        )
        layer._check_linear(trace)
        return layer

    def _check_linear(self, trace):
        """Layers that overload ``forward`` do more than their weights tell."""
        inputs, outputs = trace.inputs.double().cpu(), trace.outputs.double().cpu()
        expected = self.operator(dtype=torch.float64).forward(inputs)
        expected = expected + self._bias_column(expected)
        error = float((expected - outputs).abs().max())
        if not error <= 1e-2 * float(outputs.abs().max()):
            raise ValueError(
                f"The last linear layer ({type(trace.module).__name__}) does not compute the "
                f"linear map of its weights (largest difference {error:.3g}): it scales, "
                "modulates or quantises them. Build the layer by hand with FinalLayer(...)."
            )

    @classmethod
    def from_module(
        cls,
        module,
        *,
        input_shape,
        mean_activation=None,
        activation="identity",
        output_shape=None,
        output_range=None,
    ):
        """Make a final layer from a torch layer whose surroundings are known.

        Parameters
        ----------
        module : torch.nn.Module
            A ``Linear``, ``Conv1d/2d/3d`` or ``ConvTranspose1d/2d/3d``.
        input_shape : tuple of int
            Shape of one activation.
        mean_activation : array-like, shape input_shape, default=None
            The mean activation; zero by default.
        activation : str or OutputActivation, default="identity"
            The output activation.
        output_shape, output_range
            See :class:`FinalLayer`.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If `module` is of another type or the shapes do not fit.
        """
        kind = next((kind for t, kind in _KINDS.items() if isinstance(module, t)), None)
        if kind is None:
            raise ValueError(
                f"module must be one of {', '.join(t.__name__ for t in _KINDS)}, "
                f"got {type(module).__name__}."
            )
        if mean_activation is None:
            mean_activation = np.zeros(input_shape)
        if isinstance(activation, str):
            activation = OutputActivation(activation)
        _, names = _OPERATORS[kind]
        weight, bias = _effective_parameters(module)
        return cls(
            kind,
            weight.float().cpu().numpy(),
            None if bias is None else bias.float().cpu().numpy(),
            {name: getattr(module, name) for name in names},
            input_shape=input_shape,
            mean_activation=mean_activation,
            activation=activation,
            output_shape=output_shape,
            output_range=output_range,
        )

    def operator(self, device="cpu", dtype=torch.float32):
        """The linear map on a device.

        Parameters
        ----------
        device : str or torch.device, default="cpu"
            Device.
        dtype : torch.dtype, default=torch.float32
            Type of the weights.

        Returns
        -------
        LinearOperator
            Built once for each device and type.
        """
        key = (torch.device(device), dtype)
        if key not in self._operators:
            self._operators[key] = self._build_operator().to(device=device, dtype=dtype)
        return self._operators[key]

    def shifted_target(self, x, *, clip_eps=1e-4):
        """The target ``b`` of the lasso problem (8) for each sample.

        ``b = o - bias - G mean_activation`` with ``o`` the inverse activation of x
        (Appendix C.1). Computed in float64 and returned in the type of `x`.

        Parameters
        ----------
        x : torch.Tensor, shape (n, *output_shape)
            Samples in the range of the activation.
        clip_eps : float, default=1e-4
            See :meth:`OutputActivation.inverse`.

        Returns
        -------
        torch.Tensor, shape (n, *operator.output_shape)
        """
        operator = self.operator(x.device, torch.float64)
        o = self.activation.inverse(x.double(), clip_eps)
        o = o.reshape(len(x), *operator.output_shape)
        mean = torch.from_numpy(self.mean_activation.copy()).to(x.device)
        return (o - operator.forward(mean[None]) - self._bias_column(o)).to(x.dtype)

    def decode(self, activations):
        """Map activations to samples: linear map, bias and output activation.

        Parameters
        ----------
        activations : torch.Tensor, shape (n, *input_shape)
            Activations before the layer.

        Returns
        -------
        torch.Tensor, shape (n, *output_shape)
        """
        o = self.operator(activations.device, activations.dtype).forward(activations)
        x = self.activation.forward(o + self._bias_column(o))
        return x.reshape(len(x), *self.output_shape)

    def _bias_column(self, o):
        if self.bias is None:
            return 0.0
        bias = torch.from_numpy(self.bias.copy()).to(o)
        return bias if self.kind == "linear" else bias.reshape(-1, *[1] * (o.ndim - 2))

    def save(self, path):
        """Write the layer to one safetensors file.

        The arrays are tensors and everything else is JSON in the file's header; nothing
        is pickled. The file appears whole or not at all.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        save_arrays(path, self._arrays(), self._description())

    @classmethod
    def load(cls, path):
        """Read a layer that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            File to read.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the file is truncated, was changed after it was written, or is not a final
            layer.
        """
        arrays, description = load_arrays(path, _FORMAT)
        return cls._from_parts(arrays, description)

    @classmethod
    def _from_parts(cls, arrays, description):
        return cls(
            description["kind"],
            arrays["weight"],
            arrays.get("bias"),
            {
                k: tuple(v) if isinstance(v, list) else v
                for k, v in description["arguments"].items()
            },
            input_shape=description["input_shape"],
            mean_activation=arrays["mean_activation"],
            activation=OutputActivation(**description["activation"]),
            output_shape=description["output_shape"],
            output_range=description["output_range"],
        )

    def _arrays(self):
        arrays = {"weight": self.weight, "mean_activation": self.mean_activation}
        return arrays if self.bias is None else {**arrays, "bias": self.bias}

    def _description(self):
        return {
            "format": _FORMAT,
            "kind": self.kind,
            "arguments": self.arguments,
            "input_shape": self.input_shape,
            "output_shape": self.output_shape,
            "output_range": self.output_range,
            "activation": self.activation.to_dict(),
        }

    def __sklearn_clone__(self):
        return self

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return FinalLayer._from_parts, (self._arrays(), self._description())

    def __eq__(self, other):
        return isinstance(other, FinalLayer) and self.fingerprint == other.fingerprint

    def __hash__(self):
        return hash(self.fingerprint)

    def __repr__(self):
        return (
            f"FinalLayer({self.kind}, {self.input_shape} -> {self.output_shape}, "
            f"activation={self.activation.name!r}, {self.fingerprint[:8]})"
        )


_FORMAT = "sklearn_flipad.FinalLayer/1"


def _effective_parameters(module):
    """Weight and bias that the layer computes with, behind weight or spectral normalisation.

    In training mode, reading a spectrally normalised weight would change it.
    """
    with evaluating(module):
        for hook in module._forward_pre_hooks.values():
            if hasattr(hook, "compute_weight"):  # torch.nn.utils.weight_norm and spectral_norm
                hook(module, None)
        return module.weight.detach(), None if module.bias is None else module.bias.detach()


def _read_only(values, dtype):
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


def _plain(value):
    return tuple(int(v) for v in value) if isinstance(value, (tuple, list)) else value


def _checked_range(output_range, activation):
    low, high = activation.range if output_range is None else map(float, output_range)
    if output_range is None and (low == -inf or high == inf):
        return None
    if not -inf < low < high < inf:
        raise ValueError(f"output_range must be two finite rising numbers, got {output_range}.")
    return (low, high)
