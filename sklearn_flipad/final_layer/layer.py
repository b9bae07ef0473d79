"""The last linear layer of a generator with all that its inversion needs."""

from math import prod

import numpy as np
import torch

from sklearn_flipad.final_layer import codec
from sklearn_flipad.final_layer.activations import OutputActivation
from sklearn_flipad.final_layer.checks import (
    check_order,
    check_range,
    check_scale,
    check_shape,
    check_values,
)
from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.final_layer.kinds import KINDS, kind_of
from sklearn_flipad.final_layer.links import Link, build_chain
from sklearn_flipad.final_layer.tails import LinearTail
from sklearn_flipad.final_layer.traced import (
    check_against_trace,
    effective_parameters,
    scale_of_columns,
)
from sklearn_flipad.final_layer.tracing import trace_final_layer
from sklearn_flipad.final_layer.windows import window_layer
from sklearn_flipad.persistence.arrays import content_digest, load_arrays, save_arrays
from sklearn_flipad.sampling import sample

__all__ = ["FinalLayer"]


class FinalLayer:
    """All that is linear before a generator's output activation: an immutable value.

    Mostly that is the last linear layer; with padding, upsampling or further layers between it
    and the last nonlinearity, it is a chain of them. It holds the linear map G, its bias, the
    invertible output activation, the mean activation before the map and the shapes. That is
    all that the inversion needs, so a verifier never has to be given the whole generator.
    Instances are shared rather than copied by :func:`sklearn.base.clone` and
    :func:`copy.deepcopy`, and :func:`joblib.hash` depends on their content alone.

    Build one with :meth:`from_generator`, :meth:`from_module` or :meth:`from_links`, or read
    one with :meth:`load`.

    Parameters
    ----------
    kind : {"linear", "conv", "conv_transpose", "chain"}
        What the linear map is.
    weight : array-like or None
        Its weights, in torch's layout; None for ``"chain"``.
    bias : array-like or None
        One value per output channel (output feature, for ``"linear"``). For ``"chain"`` it is
        that of the whole chain, per channel or per element of the output.
    arguments : dict
        Stride, padding and so on, as torch names them; empty for ``"linear"`` and ``"chain"``.
    input_shape : tuple of int
        Shape of one activation before the layer.
    mean_activation : array-like, shape input_shape
        The mean activation, the point around which the inversion is sparse.
    activation : OutputActivation or ColumnActivations
        What follows the linear map.
    output_shape : tuple of int, default=None
        Shape of one sample; by default that of the linear map's output.
    output_range : pair of float, default=None
        Values that the gray levels 0 and 255 of uint8 samples stand for; by default the
        range of `activation`, which must then be bounded for uint8 samples to be accepted.
    output_order : array-like of int, shape (n_outputs,), default=None
        For each element of a sample, in order, the element of the linear map's output that it
        comes from, where the generator rearranges them (channels last, PixelShuffle). By
        default the order is the same.
    output_scale : array-like, shape (n_columns,), default=None
        For layers of kind ``"linear"`` that make the columns of a table: what the linear map's
        outputs are divided by in the inversion, so that each column counts whatever its unit.
        1 by default.
    links : sequence of Link, default=None
        For ``"chain"``: the linear maps between the last nonlinearity and the output
        activation, in the order in which they run.

    Attributes
    ----------
    kind, arguments, input_shape, output_shape, activation, output_range
        As given.
    links : tuple of Link
        The maps that the linear map is a chain of, often just one.
    weight, bias : ndarray of float32
        Read-only.
    mean_activation : ndarray of float64
        Read-only.
    output_order : ndarray of int64 or None
        Read-only.
    output_scale : ndarray of float64 or None
        Read-only.
    fingerprint : str
        SHA-256 of the content.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, a value is not finite, or all weights are 0.

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
        output_order=None,
        output_scale=None,
        links=None,
    ):
        if kind not in (*KINDS, "chain"):
            raise ValueError(f"kind must be one of {', '.join(KINDS)} or chain, got {kind!r}.")
        if (kind == "chain") == (links is None):
            raise ValueError("links= belong to kind='chain', which has no weight of its own.")
        if not isinstance(activation, OutputActivation | ColumnActivations):
            raise ValueError(f"activation must be an OutputActivation, got {activation!r}.")
        self.kind = kind
        self.links = (Link(kind, weight, arguments),) if links is None else _checked_links(links)
        only = self.links[0] if links is None else None
        self.weight = None if only is None else only.weight
        self.bias = None if bias is None else _read_only(bias, np.float32)
        self.arguments = {} if only is None else only.arguments
        self.input_shape = check_shape("input_shape", input_shape)
        self.mean_activation = _read_only(mean_activation, np.float64)
        self.activation = activation
        self.output_scale = None
        if output_scale is not None:
            self.output_scale = _read_only(output_scale, np.float64)
            check_scale(self.output_scale, build_chain(self.links, self.input_shape).output_shape)
        check_values(self)
        operator = self._build_operator()
        self._operators = {(operator.device, operator.dtype): operator}
        output_shape = operator.output_shape if output_shape is None else output_shape
        self.output_shape = check_shape("output_shape", output_shape)
        self.output_range = check_range(output_range, activation)
        self.output_order = output_order
        if output_order is not None:
            self.output_order = _read_only(output_order, np.int64)
            check_order(self.output_order, operator.n_outputs)
        self._check_shapes(operator)
        self.fingerprint = content_digest(*codec.to_parts(self))

    def _build_operator(self):
        *before, last = self.links
        if self.output_scale is not None and last.kind == "linear":
            last = Link("linear", last.weight.astype(np.float64) / self.output_scale[:, None])
        elif self.output_scale is not None:
            before, last = self.links, Link("scale", 1 / self.output_scale)
        return build_chain((*before, last), self.input_shape)

    def _check_shapes(self, operator):
        if self.mean_activation.shape != self.input_shape:
            raise ValueError(
                f"mean_activation must have shape {self.input_shape}, "
                f"got {self.mean_activation.shape}."
            )
        shape = operator.output_shape
        expected = [(shape[self._bias_axis()],), *([shape] if self.kind == "chain" else [])]
        if self.bias is not None and self.bias.shape not in expected:
            raise ValueError(
                f"bias must have shape {' or '.join(map(str, expected))}, got {self.bias.shape}."
            )
        if prod(self.output_shape) != operator.n_outputs:
            raise ValueError(
                f"The layer's output of shape {operator.output_shape} cannot be arranged as "
                f"output_shape={self.output_shape}."
            )
        n_columns = getattr(self.activation, "n_columns", None)
        if n_columns is not None and self.output_shape != (n_columns,):
            raise ValueError(
                f"The activation is one of {n_columns} columns, but a sample has shape "
                f"{self.output_shape}."
            )

    def _bias_axis(self):
        """The axis of the linear map's output along which a bias of one axis varies."""
        return 0 if self.kind == "chain" else KINDS[self.kind].bias_axis

    @classmethod
    def from_generator(
        cls,
        generator,
        *,
        latent_shape=None,
        sampler=None,
        n_samples=5000,
        activation="auto",
        module=None,
        output_range=None,
        batch_size=100,
        device=None,
        random_state=None,
        verbose=0,
    ):
        """Find the final layer of a generator by running it.

        The generator runs in eval mode and without gradients; its training mode is
        restored afterwards. Its operations are noted and followed back from the output for as
        long as they are linear and known; where that ends at one linear layer, the layer is
        taken as it is. The activations before it are averaged over `n_samples` latents with
        float64 accumulation, and the output activation is recognized by comparing what the
        linear map returned with the generator's output, so that ``nn.Tanh()`` and
        ``torch.tanh(x)`` are the same. In the end the finished layer must map the activations
        of a first batch to what the generator returned.

        Parameters
        ----------
        generator : torch.nn.Module
            Any module with a convolution, transposed convolution or linear layer.
        latent_shape : int or tuple of int, default=None
            Shape of one latent, drawn from N(0, I); by default the generator's
            attribute ``latent_shape``, unless it has a method ``sampler``.
        sampler : callable, default=None
            For other inputs: ``sampler(n, rng)`` returns a tensor or an array, or a tuple or
            list of them, that the generator is called with; `rng` is a
            :class:`numpy.random.RandomState`. Takes the place of `latent_shape`. By
            default the generator's method ``sampler``, if it has one.
        n_samples : int, default=5000
            Number of Monte-Carlo samples of the mean activation, >= 1.
        activation : str or OutputActivation, default="auto"
            The output activation, if it should not be recognized. A clamp behind it is
            accepted.
        module : torch.nn.Module or str, default=None
            The final layer, or its name in the generator, if it should not be searched for. It
            is then taken alone, without what is linear around it.
        output_range : pair of float, default=None
            See :class:`FinalLayer`; where a clamp was found, its two ends by default.
        batch_size : int, default=100
            Latents in one call of the generator.
        device : str or torch.device, default=None
            Where the latents go; by default where the generator's parameters are.
        random_state : int, RandomState instance or None, default=None
            Seed of the latents, and of what the generator itself draws.
        verbose : int, default=0
            Whether to show a progress bar.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the generator runs no linear layer, if its activation is not invertible, not
            recognized or not the given one, if what follows the last layer cannot be taken
            apart, or if no latent shape is known.

        Warns
        -----
        UserWarning
            If a clamp cuts off more than a quarter of the values.
        """
        trace = trace_final_layer(
            generator,
            latent_shape=latent_shape,
            sampler=sampler,
            n_samples=n_samples,
            activation=activation,
            module=module,
            batch_size=batch_size,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        tail, found = trace.tail, trace.module
        known = {
            "input_shape": trace.mean_activation.shape,
            "mean_activation": trace.mean_activation,
            "activation": tail.activation,
            "output_shape": trace.output_shape,
            "output_range": tail.clamp if output_range is None else output_range,
            "output_order": tail.order,
            "output_scale": scale_of_columns(trace),
        }
        if isinstance(found, LinearTail):
            layer = cls.from_links(found.links, bias=found.bias, **known)
        else:
            layer = cls.from_module(found, **known)
        check_against_trace(layer, trace)
        return layer

    @classmethod
    def from_links(
        cls,
        links,
        *,
        input_shape,
        bias=None,
        mean_activation=None,
        activation="identity",
        output_shape=None,
        output_range=None,
        output_order=None,
        output_scale=None,
    ):
        """Make a final layer from linear maps that follow each other.

        Parameters
        ----------
        links : sequence of Link
            The maps, in the order in which they run.
        input_shape : tuple of int
            Shape of one activation before the first of them.
        bias : array-like, default=None
            What they add in all, per channel or per element of the output.
        mean_activation : array-like, shape input_shape, default=None
            The mean activation; zero by default.
        activation : str or OutputActivation, default="identity"
            The output activation.
        output_shape, output_range, output_order, output_scale
            See :class:`FinalLayer`.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the links do not fit each other.
        """
        links = _checked_links(links)
        only, is_only = links[0], len(links) == 1 and links[0].kind in KINDS
        is_only = is_only and (bias is None or np.ndim(bias) == 1)
        if mean_activation is None:
            mean_activation = np.zeros(input_shape)
        if isinstance(activation, str):
            activation = OutputActivation(activation)
        return cls(
            only.kind if is_only else "chain",
            only.weight if is_only else None,
            bias,
            only.arguments if is_only else {},
            input_shape=input_shape,
            mean_activation=mean_activation,
            activation=activation,
            output_shape=output_shape,
            output_range=output_range,
            output_order=output_order,
            output_scale=output_scale,
            links=None if is_only else links,
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
        output_order=None,
        output_scale=None,
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
        output_shape, output_range, output_order, output_scale
            See :class:`FinalLayer`.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If `module` is of another type or the shapes do not fit.
        """
        kind = kind_of(module)
        if mean_activation is None:
            mean_activation = np.zeros(input_shape)
        if isinstance(activation, str):
            activation = OutputActivation(activation)
        weight, bias = effective_parameters(module)
        return cls(
            kind,
            weight.float().cpu().numpy(),
            None if bias is None else bias.float().cpu().numpy(),
            {name: getattr(module, name) for name in KINDS[kind].arguments},
            input_shape=input_shape,
            mean_activation=mean_activation,
            activation=activation,
            output_shape=output_shape,
            output_range=output_range,
            output_order=output_order,
            output_scale=output_scale,
        )

    def sample(self, generator, n_samples, *, dtype="uint8", **options):
        """Draw samples from the layer's generator, on the layer's own scale.

        Parameters
        ----------
        generator : torch.nn.Module
            The generator.
        n_samples : int
            How many.
        dtype : {"uint8", "float32"}, default="uint8"
            Gray levels, as an image file would store them, or the generator's own values.
        **options
            See :func:`~sklearn_flipad.sampling.sample`.

        Returns
        -------
        ndarray, shape (n_samples, *output_shape)

        Raises
        ------
        ValueError
            If the samples do not fit the layer: another shape, or values outside its range.
        """
        return sample(generator, n_samples, dtype=dtype, layer=self, **options)

    def window(self, size):
        """Return the final layer of a window inside of a larger sample.

        Its linear map is this layer's, cut out where no padding reaches, from all activations
        that the window depends on; it is the same wherever the window lies, as
        :func:`~sklearn_flipad.final_layer.window_geometry` says. The mean activation is averaged
        over all positions, channel by channel.

        Parameters
        ----------
        size : int or tuple of int
            Sides of the window; it may be larger than this layer's samples.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the layer does not treat all positions of a sample alike, as dense layers and
            interpolation to a fixed size do not, or `size` is not valid.
        """
        return window_layer(self, size)

    def operator(self, device="cpu", dtype=torch.float32):
        """The linear map of the inversion on a device: its outputs are divided by `output_scale`.

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
        (Appendix C.1), divided by `output_scale`. Computed in float64 and returned in the
        type of `x`.

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
        o = self.activation.inverse(x.double(), clip_eps).flatten(1)
        if self.output_order is not None:
            o = o[:, torch.from_numpy(np.argsort(self.output_order)).to(o.device)]
        o = o.reshape(len(x), *operator.output_shape)
        mean = torch.from_numpy(self.mean_activation.copy()).to(x.device)
        o = (o - self._bias_column(o)) / self._scale_column(o)
        return (o - operator.forward(mean[None])).to(x.dtype)

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
        operator = self.operator(activations.device, activations.dtype)
        x = self.activation.forward(self.affine(operator, activations)).flatten(1)
        if self.output_order is not None:
            x = x[:, torch.from_numpy(self.output_order.copy()).to(x.device)]
        return x.reshape(len(x), *self.output_shape)

    def affine(self, operator, activations):
        """Compute what the torch layer returns.

        Parameters
        ----------
        operator : LinearOperator
            The layer's linear map, on the device and of the type of `activations`.
        activations : torch.Tensor, shape (n, *input_shape)
            Inputs of the layer.

        Returns
        -------
        torch.Tensor
        """
        o = operator.forward(activations)
        return o * self._scale_column(o) + self._bias_column(o)

    def _scale_column(self, o):
        if self.output_scale is None:
            return 1.0
        return torch.from_numpy(self.output_scale.copy()).to(o)

    def _bias_column(self, o):
        if self.bias is None:
            return 0.0
        bias = torch.from_numpy(self.bias.copy()).to(o)
        if bias.ndim > 1:
            return bias
        shape = [1] * (o.ndim - 1)
        shape[self._bias_axis()] = -1
        return bias.reshape(shape)

    def save(self, path):
        """Write the layer to one safetensors file.

        The arrays are tensors and everything else is JSON in the file's header; nothing
        is pickled. The file appears whole or not at all.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        save_arrays(path, *codec.to_parts(self))

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
        arrays, description = load_arrays(path, codec.FORMAT)
        try:
            return codec.from_parts(cls, arrays, description)
        except ValueError as error:
            raise ValueError(f"{path} holds no valid final layer: {error}") from error

    def __sklearn_clone__(self):
        return self

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return codec.from_parts, (FinalLayer, *codec.to_parts(self))

    def __eq__(self, other):
        return isinstance(other, FinalLayer) and self.fingerprint == other.fingerprint

    def __hash__(self):
        return hash(self.fingerprint)

    def __repr__(self):
        kind = " > ".join(map(repr, self.links))
        return (
            f"FinalLayer({kind}, {self.input_shape} -> {self.output_shape}, "
            f"activation={self.activation.name!r}, {self.fingerprint[:8]})"
        )


def _checked_links(links):
    links = tuple(links)
    if not links or not all(isinstance(link, Link) for link in links):
        raise ValueError("links must be a sequence of Link objects, at least one.")
    return links


def _read_only(values, dtype):
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array
