"""An encoder that guesses the latents of a generator's samples."""

from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.buffers import give_buffers, unsaved_buffers
from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.modules import moved_to
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.samples import check_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.generators.process.framing import N_BOX
from sklearn_flipad.generators.process.generative_process import GenerativeProcess
from sklearn_flipad.generators.process.latent_function import LatentFunction
from sklearn_flipad.reproduction.encoding.networks import make_encoder_network, n_outputs_of
from sklearn_flipad.reproduction.search.metric import LatentMetric
from sklearn_flipad.storage.arrays import load_arrays, save_arrays

__all__ = ["LatentEncoder"]

_FORMAT = "sklearn_flipad.LatentEncoder"
_VERSION = 1


class LatentEncoder(BaseEstimator):
    """A network that guesses the latents of a generator's samples, trained on them.

    :class:`~sklearn_flipad.ReproductionDetector` starts its search at these guesses.

    Parameters
    ----------
    max_steps : int, default=1000
        Largest number of training steps. Training ends earlier where a short search from the
        guesses reproduces all of 32 fresh samples.
    batch_size : int, default=64
        Samples that each step draws.
    lr : float, default=2e-3
        Largest learning rate of Adam, with a one-cycle schedule.
    module : torch.nn.Module, default=None
        The network: it maps samples, standardized by one mean and one deviation, to latents
        and, where the generator has conditions, their scores, as one row each. By default
        one for the shape of a sample: images of any size, signals or tables.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`. Integer
        and one-hot inputs count as conditions, all others as latents.
    dtype : {"auto", "uint8", "float32"}, default="auto"
        Type of the samples: gray levels, or the generator's own values. ``"auto"`` takes
        gray levels for images.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default found as
        :func:`~sklearn_flipad.generators.sample` finds them.
    processing : transformer or sequence of transformer, default=None
        Perturbations that are applied to the samples of the training, where suspects come
        processed. See :mod:`sklearn_flipad.evaluation.perturbations`;
        :class:`~sklearn_flipad.evaluation.UnknownProcessing` draws one for each sample, and
        :class:`~sklearn_flipad.evaluation.UnknownGeometry` a box, too, which is guessed with the
        latents.
    checkpoint : path-like, default=None
        File from which an interrupted training continues.
    device : str or torch.device, default=None
        Target device; CUDA if there is one, else the CPU.
    random_state : int, default=0
        Seed of the network and of the latents. They are not the latents that
        :func:`~sklearn_flipad.generators.sample` draws with the same seed. Training also depends
        on the number of torch's threads, through rounding.
    verbose : int, default=0
        Whether to show progress, with the error of the latents, in their deviations, and
        the share of fresh samples that a short search reproduces.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, in eval mode on the CPU.
    history_ : list of dict
        For each validation on fresh samples: ``step``, ``error``, the mean squared error of the
        latents in units of their variance, and ``reproduced``, a share.
    metric_ : LatentMetric
        Coordinates for the search.
    sample_shape_ : tuple of int
        Shape of one sample.
    latent_shape_ : tuple of int
        Shape of one latent.
    n_conditions_ : int
        Number of conditions, 1 where there are none.
    processing_ : str
        The perturbations that were applied to the samples of the training.

    References
    ----------
    Zhu et al., "Generative visual manipulation on the natural image manifold", ECCV 2016,
    Section 3.2, starts the search for latents with an encoder.

    Examples
    --------
    >>> from sklearn_flipad import LatentEncoder
    >>> from sklearn_flipad.generators import sample
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> encoder = LatentEncoder(max_steps=2).fit(generator)
    >>> encoder.encode(sample(generator, 3, random_state=0)).shape
    (3, 64, 1, 1)
    """

    _parameter_constraints: dict = {
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "module": [torch.nn.Module, None],
        "latent_shape": [tuple, list, Integral, None],
        "sampler": [callable, None],
        "dtype": [StrOptions({"auto", "uint8", "float32"})],
        "output_range": [tuple, list, None],
        "processing": "no_validation",
        "checkpoint": [str, PathLike, None],
        "device": [str, torch.device, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }
    _stored = Stored(
        (
            *("module_", "metric_", "history_", "processing_", "_statistics", "_output_range"),
            *("sample_shape_", "latent_shape_", "n_conditions_"),
        )
    )

    def __init__(
        self,
        *,
        max_steps=1000,
        batch_size=64,
        lr=2e-3,
        module=None,
        latent_shape=None,
        sampler=None,
        dtype="auto",
        output_range=None,
        processing=None,
        checkpoint=None,
        device=None,
        random_state=0,
        verbose=0,
    ):
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.lr = lr
        self.module = module
        self.latent_shape = latent_shape
        self.sampler = sampler
        self.dtype = dtype
        self.output_range = output_range
        self.processing = processing
        self.checkpoint = checkpoint
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, generator, y=None):
        """Train on samples that the generator makes.

        Parameters
        ----------
        generator : torch.nn.Module
            The generator. It runs in eval mode and is not changed.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter is not valid, the generator's inputs are not known, it computes in
            half precision, or the checkpoint is that of another training.
        """
        # Not at the top: scoring with a trained encoder does not need it.
        from sklearn_flipad.reproduction.encoding.training import train_encoder

        self._validate_params()
        with torch.inference_mode(False), full_precision():
            function = LatentFunction(
                generator,
                device=resolve_device(self.device),
                latent_shape=self.latent_shape,
                sampler=self.sampler,
                random_state=self.random_state,
            )
            if function.noise is None:
                function.warn_if_random(searches_noise=True)
            process = GenerativeProcess(
                function,
                dtype=self.dtype,
                output_range=self.output_range,
                processing=self.processing,
            )
            trained = train_encoder(
                process,
                self.module,
                max_steps=self.max_steps,
                batch_size=self.batch_size,
                lr=self.lr,
                random_state=self.random_state,
                checkpoint=self.checkpoint,
                verbose=self.verbose,
            )
        self.module_ = trained.module.cpu().to(memory_format=torch.contiguous_format).eval()
        self.metric_ = trained.metric
        self.history_ = trained.history
        self._statistics = trained.statistics
        self.sample_shape_ = process.sample_shape
        self.latent_shape_ = tuple(process.space.shape)
        self.n_conditions_ = len(process.space.conditions)
        self.processing_ = repr(process.processing.steps)
        self._output_range = process.output_range
        return self

    @property
    def latent_mean(self):
        """Mean of the generator's latents, shape ``(n_features,)``."""
        check_is_fitted(self)
        return self._statistics["latent_mean"]

    def encode(self, X):
        """Guess latents.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as the generator makes them.

        Returns
        -------
        ndarray of float32, shape (n, *latent_shape)

        Raises
        ------
        ValueError
            If X is not valid.
        """
        check_is_fitted(self)
        X = check_samples(self, X, output_range=self._output_range, sample_shape=self.sample_shape_)
        x = from_gray_levels(torch.from_numpy(X), self._output_range)
        latents, _ = self.guess(x.float().reshape(-1, *self.sample_shape_))
        latents = latents[:, : np.prod(self.latent_shape_)]  # without boxes
        return latents.numpy().reshape(-1, *self.latent_shape_)

    @full_precision()
    def guess(self, x):
        """Guess latents and conditions.

        Parameters
        ----------
        x : torch.Tensor, shape (n, *sample_shape)
            Samples in the generator's values.

        Returns
        -------
        latents : torch.Tensor, shape (n, n_features)
            Trained with :class:`~sklearn_flipad.evaluation.UnknownGeometry`, the last four are
            numbers of a box.
        ranking : torch.Tensor of int64, shape (n, n_conditions)
            Numbers of the conditions, the likeliest first.
        """
        check_is_fitted(self)
        module = moved_to(self.module_, x.device)
        standardized = (x.float() - self._statistics["mean"]) / self._statistics["deviation"]
        parts = []
        with torch.no_grad():
            for begin in range(0, len(x), 64):
                rows = standardized[begin : begin + 64]
                parts.append(in_lanes(module, len(rows), rows).flatten(1))
        outputs = torch.cat(parts)
        n_features = len(self._statistics["latent_mean"])
        mean, scale = (
            torch.as_tensor(self._statistics[name], dtype=outputs.dtype, device=x.device)
            for name in ("latent_mean", "latent_scale")
        )
        ranking = outputs[:, n_features:].argsort(dim=1, descending=True, stable=True)
        if self.n_conditions_ == 1:
            ranking = torch.zeros(len(x), 1, dtype=torch.int64, device=x.device)
        return outputs[:, :n_features] * scale + mean, ranking

    def save(self, path):
        """Write the encoder, without pickle.

        Parameters
        ----------
        path : path-like
            File to write, in the safetensors format.
        """
        check_is_fitted(self)
        arrays = {
            f"module.{name}": tensor.cpu().numpy()
            for name, tensor in self.module_.state_dict().items()
        }
        for name, tensor in unsaved_buffers(self.module_).items():
            arrays[f"buffer.{name}"] = tensor.cpu().numpy()
        arrays["latent_mean"] = self._statistics["latent_mean"]
        arrays["latent_scale"] = self._statistics["latent_scale"]
        if self.metric_.matrix is not None:
            arrays["metric"] = self.metric_.matrix
        description = {
            "format": _FORMAT,
            "version": _VERSION,
            "own_module": self.module is not None,
            "mean": self._statistics["mean"],
            "deviation": self._statistics["deviation"],
            "sample_shape": list(self.sample_shape_),
            "latent_shape": list(self.latent_shape_),
            "n_conditions": self.n_conditions_,
            "output_range": None if self._output_range is None else list(self._output_range),
            "processing": self.processing_,
            "history": self.history_,
        }
        save_arrays(path, arrays, description)

    @classmethod
    def load(cls, path, module=None):
        """Read an encoder that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            File to read.
        module : torch.nn.Module, default=None
            The network, where one was passed when the encoder was made. Its weights are
            overwritten.

        Returns
        -------
        LatentEncoder

        Raises
        ------
        ValueError
            If the file is damaged or not that of an encoder, or `module` is missing or of
            another shape.
        """
        arrays, description = load_arrays(path, _FORMAT)
        try:
            return cls._from_parts(arrays, description, module)
        except (KeyError, TypeError, RuntimeError, AttributeError, ValueError) as error:
            raise ValueError(f"{path} cannot be used as a LatentEncoder: {error}") from error

    @classmethod
    def _from_parts(cls, arrays, description, module):
        if description["version"] != _VERSION:
            raise ValueError(f"it has format {description['version']}, not {_VERSION}.")
        if description["own_module"] and module is None:
            raise ValueError("it has a network of its own: pass module=, of the same class.")
        encoder = cls(module=module)
        encoder.sample_shape_ = tuple(map(int, description["sample_shape"]))
        encoder.latent_shape_ = tuple(map(int, description["latent_shape"]))
        encoder.n_conditions_ = int(description["n_conditions"])
        latent_mean, latent_scale = arrays["latent_mean"], arrays["latent_scale"]
        n_features = len(latent_mean)
        n_latents = int(np.prod(encoder.latent_shape_))
        if n_features not in (n_latents, n_latents + N_BOX) or len(latent_scale) != n_features:
            raise ValueError("its latents have another shape than it says.")
        encoder._statistics = {
            "mean": float(description["mean"]),
            "deviation": float(description["deviation"]),
            "latent_mean": latent_mean,
            "latent_scale": latent_scale,
        }
        if module is None:
            n_outputs = n_outputs_of(n_features, encoder.n_conditions_)
            module = make_encoder_network(encoder.sample_shape_, n_outputs)
        state = {
            name.removeprefix("module."): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith("module.")
        }
        module.load_state_dict(state)
        buffers = {name: array for name, array in arrays.items() if name.startswith("buffer.")}
        buffers = {k.removeprefix("buffer."): torch.from_numpy(a) for k, a in buffers.items()}
        give_buffers(module, buffers)
        encoder.module_ = module.eval()
        encoder.metric_ = LatentMetric(arrays.get("metric"), latent_scale)
        encoder.processing_ = str(description["processing"])
        encoder.history_ = description["history"]
        output_range = description["output_range"]
        encoder._output_range = None if output_range is None else tuple(map(float, output_range))
        return encoder
