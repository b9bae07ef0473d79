"""All that is linear before a generator's output activation, with all that its inversion needs."""

from math import prod

import numpy as np
import torch

from sklearn_flipad.base.output_ranges import check_range
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.final_layer._branches import split
from sklearn_flipad.final_layer._checks import check_order, check_scale, check_values
from sklearn_flipad.final_layer._constructors import FinalLayerConstructors
from sklearn_flipad.final_layer._parts import FinalLayerParts
from sklearn_flipad.final_layer._windows import window_layer
from sklearn_flipad.final_layer.column_activations import ColumnActivations
from sklearn_flipad.generators.activations import OutputActivation
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.operators.links.checks import check_shape
from sklearn_flipad.operators.links.link import Link, build_chain, weights_of
from sklearn_flipad.storage.arrays import content_digest

__all__ = ["FinalLayer"]


class FinalLayer(FinalLayerConstructors, FinalLayerParts):
    """All that is linear before a generator's output activation: an immutable value.

    Mostly that is the last linear layer; with padding, upsampling or further layers between it
    and the last nonlinearity, it is a chain of them. It holds the linear map G, its bias, the
    invertible output activation, the mean activation before the map and the shapes. That is
    all that the inversion needs, so a verifier never has to be given the whole generator.
    Instances are shared rather than copied by :func:`sklearn.base.clone` and
    :func:`copy.deepcopy`, and :func:`joblib.hash` depends on their content alone.

    Build one with :meth:`from_generator`, :meth:`from_diffusers` or :meth:`from_module`, by hand
    from links, or read one with :meth:`load`.

    Parameters
    ----------
    links : sequence of Link
        The linear maps, in the order in which they run; mostly just one.
    input_shape : tuple of int
        Shape of one activation before the layer.
    mean_activation : array-like, shape input_shape, default=None
        The mean activation, the point around which the inversion is sparse; zero by default.
    activation : str, OutputActivation or ColumnActivations, default="identity"
        The output activation, behind the linear map.
    bias : array-like, default=None
        Constants that the links add in all: one per output channel (output feature, for a single
        ``"linear"`` link), or one per element of the output.
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
        For layers that make the columns of a table: divisors of the linear map's outputs in the
        inversion, so that each column counts whatever its unit. 1 by default.

    Attributes
    ----------
    links : tuple of Link
        As given.
    input_shape, output_shape, activation, output_range
        As given, or the defaults.
    bias : ndarray of float32 or None
        Read-only.
    mean_activation : ndarray of float64
        Read-only.
    output_order : ndarray of int64 or None
        Read-only.
    output_scale : ndarray of float64 or None
        Read-only.
    branch_shapes : tuple of tuple of int
        Shapes of the activations that the linear map starts from: `input_shape` alone, or one
        for each branch of a generator with skip connections, whose input is all of them as one
        row.
    fingerprint : str
        SHA-256 of the content.
    map_fingerprint : str
        SHA-256 of the content but for the mean activation. Models that share it, as diffusion
        models with the same autoencoder do, cannot be told apart by inverting their final layers.

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
        links,
        *,
        input_shape,
        mean_activation=None,
        activation="identity",
        bias=None,
        output_shape=None,
        output_range=None,
        output_order=None,
        output_scale=None,
    ):
        self.links = tuple(links)
        if not self.links or not all(isinstance(link, Link) for link in self.links):
            raise ValueError("links must be a sequence of Link objects, at least one.")
        self.activation = (
            OutputActivation(activation) if isinstance(activation, str) else activation
        )
        if not isinstance(self.activation, OutputActivation | ColumnActivations):
            raise ValueError(f"activation must be an OutputActivation, got {activation!r}.")
        self.bias = None if bias is None else _read_only(bias, np.float32)
        self.input_shape = check_shape("input_shape", input_shape)
        if mean_activation is None:
            mean_activation = np.zeros(self.input_shape)
        self.mean_activation = _read_only(mean_activation, np.float64)
        self.output_scale = None
        if output_scale is not None:
            self.output_scale = _read_only(output_scale, np.float64)
            check_scale(self.output_scale, build_chain(self.links, self.input_shape).output_shape)
        check_values(self, list(weights_of(self.links)))
        operator = self._build_operator()
        self._operators = {(operator.device, operator.dtype): operator}
        output_shape = operator.output_shape if output_shape is None else output_shape
        self.output_shape = check_shape("output_shape", output_shape)
        self.output_range = check_range(output_range, self.activation.range)
        self.output_order = output_order
        if output_order is not None:
            self.output_order = _read_only(output_order, np.int64)
            check_order(self.output_order, operator.n_outputs)
        self._check_shapes(operator)
        self.fingerprint = content_digest(*self.to_parts())

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
        expected = (shape[self._bias_axis()],), shape
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
        """Axis of the linear map's output along which a bias of one axis varies."""
        return self.links[0].row.bias_axis if len(self.links) == 1 else 0

    @property
    def branch_shapes(self):
        """Shapes of the activations that the linear map starts from, one per branch."""
        return self.links[0].arguments.get("shapes", (self.input_shape,))

    def split(self, activations):
        """Split activations into those of each branch.

        Parameters
        ----------
        activations : torch.Tensor or ndarray, shape (n, *input_shape)
            Activations before the layer, such as a
            :class:`~sklearn_flipad.FinalLayerInverter` returns.

        Returns
        -------
        list of torch.Tensor or ndarray, each shape (n, *branch_shape)
            In the order of `branch_shapes`.

        Raises
        ------
        ValueError
            If the activations are of another shape, for example because they were pooled.
        """
        if prod(activations.shape[1:]) != prod(self.input_shape):
            raise ValueError(
                f"activations must have shape (n, {', '.join(map(str, self.input_shape))}), got "
                f"{tuple(activations.shape)}."
            )
        return split(activations, self.branch_shapes)

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
            See :func:`~sklearn_flipad.generators.sample`.

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
        """Return the linear map of the inversion: its outputs are divided by `output_scale`.

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
        """Compute the target ``b`` of the lasso problem (8) for each sample.

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

    @full_precision()
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

    def __sklearn_clone__(self):
        return self

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __eq__(self, other):
        return isinstance(other, FinalLayer) and self.fingerprint == other.fingerprint

    def __hash__(self):
        return hash(self.fingerprint)

    def __repr__(self):
        links = " > ".join(map(repr, self.links))
        return (
            f"FinalLayer({links}, {self.input_shape} -> {self.output_shape}, "
            f"activation={self.activation.name!r}, {self.fingerprint[:8]})"
        )


def _read_only(values, dtype):
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array
