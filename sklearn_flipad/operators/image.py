"""The interface of linear operators of images and signals."""

from abc import abstractmethod

from sklearn_flipad.operators.base import LinearOperator

__all__ = ["ImageOperator"]


class ImageOperator(LinearOperator):
    """A linear map between tensors of shape ``(channels, *spatial)``.

    Away from the borders it treats all positions alike. Parameters and attributes are those of
    :class:`LinearOperator`.

    Parameters
    ----------
    weight : torch.Tensor
        The kernel.
    input_shape, output_shape : tuple of int
        Shapes of one sample.
    """

    @property
    def image(self):
        return self

    @property
    @abstractmethod
    def period(self):
        """Outputs, along each spatial axis, after which the layer repeats itself."""

    @property
    @abstractmethod
    def input_period(self):
        """Inputs, along each spatial axis, that go with one :attr:`period` of outputs."""

    @property
    @abstractmethod
    def reach(self):
        """Distance of a kernel's first and last tap plus one, along each spatial axis."""

    @abstractmethod
    def axis_maps(self):
        """Return how outputs depend on inputs along each spatial axis.

        Returns
        -------
        tuple of scipy.sparse.csr_array, each shape (output size, input size)
            The matrix of a map along one axis with the same geometry and with positive
            weights in general position: entries that are equal, or 0, are so in any such layer.
        """

    @abstractmethod
    def weighted(self, factors):
        """Return the map of inputs whose channels are multiplied by factors.

        Parameters
        ----------
        factors : torch.Tensor, shape (input_shape[0],)
            One factor per channel.

        Returns
        -------
        ImageOperator
        """

    @abstractmethod
    def resized(self, size):
        """Return the same kernel for inputs of another spatial size.

        Parameters
        ----------
        size : tuple of int
            Sizes of the spatial axes.

        Returns
        -------
        ImageOperator
        """
