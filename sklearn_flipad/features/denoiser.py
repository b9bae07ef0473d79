"""Features of samples that a diffusion network gives without any seed."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.mixins import SampleTransformerMixin, SharingMixin
from sklearn_flipad.base.samples import check_samples, float_type, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.features._bands import bands_of, energies_by_band, limited_to
from sklearn_flipad.generators import DiffusionSampler

__all__ = ["DenoiserTransformer"]

_FEATURES = ("noise", "errors", "coupling")
#: First step that is probed, as a share of all of them: that of the published code of the coupling.
_FIRST = 0.2
#: Noisy copies whose mean noise is that of gray levels, as measured.
_N_COPIES = 8
#: Added to energies before the logarithm; those of unit noise are 1.
_TINY = 1e-8


class DenoiserTransformer(
    SharingMixin, ClassNamePrefixFeaturesOutMixin, SampleTransformerMixin, BaseEstimator
):
    """Features of samples by the network of a diffusion model, without its seeds.

    Energies are means of squares over the Fourier coefficients of a band; bands are rings of equal
    width up to the highest frequency. The kinds of `features` are

    - ``"noise"``: logarithms of the energies by band of the noise that the sampler, run backward,
      finds for the sample, of all its energy, and of the round trip back to the sample;
    - ``"errors"``: logarithms of the energies by band of what the network misses of noise that is
      added to the sample, at each of some levels;
    - ``"coupling"``: shares by band of the energy of what the network misses of noise that is
      limited to one band, for each band and level.

    They tell a model's samples from real ones in part, and hardly from those of siblings and
    copies: noise of full dimension explains everything. Where seeds can be listed, use
    :func:`~sklearn_flipad.make_seeded` instead.

    Parameters
    ----------
    sampler : DiffusionSampler
        The target model, without decoder. Clones share it.
    features : sequence of str, default=("noise", "errors", "coupling")
        Kinds of features, in this order.
    n_bands : int, default=8
        Number of bands.
    n_levels : int, default=5
        Number of steps of the schedule at which noise is added, from a fifth of the steps on.
    n_draws : int, default=1
        Draws of that noise, whose energies are averaged.
    random_state : int, default=0
        Seed of that noise, which is the same for all samples.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    InlierWhitener : The step to put behind it.
    sklearn_flipad.reproduction.SeedSearch : The stronger evidence, where seeds are known.

    Notes
    -----
    Samples are processed one by one, so that the features of one do not depend on others. In
    runs of the network per sample, ``"noise"`` costs 9 times the number of steps for gray levels,
    and ``"coupling"`` ``n_levels * n_bands * n_draws``, all draws and bands of a level in a batch.

    A latent diffusion model is judged by its latents, as floats, with a sampler that ends at them:
    ``DiffusionSampler(network, scheduler, n_steps=50, pixels=False)``. A network that takes a
    condition is wrapped in a module that passes it.

    References
    ----------
    The coupling is that of Meshram and Chandrasekaran, "Diffusion Model Attribution via Spectral
    Coupling of Denoiser Responses", arXiv:2606.28092. Their published code takes the coupling of a
    test image from the network that made it; here it is that of one network for all images.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad import DenoiserTransformer
    >>> from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule
    >>> class Network(torch.nn.Module):
    ...     def forward(self, x, t):
    ...         return torch.tanh(x)
    >>> t = np.linspace(1, 0, 11)
    >>> flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
    >>> sampler = DiffusionSampler(Network(), flow, latent_shape=(1, 8, 8))
    >>> images = sampler.images(torch.randn(2, 1, 8, 8))
    >>> DenoiserTransformer(sampler, n_bands=4).fit_transform(images).shape
    (2, 106)
    """

    _parameter_constraints: dict = {
        "sampler": [DiffusionSampler],
        "features": [tuple, list],
        "n_bands": [Interval(Integral, 1, None, closed="left")],
        "n_levels": [Interval(Integral, 1, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }
    _stored = Stored.stateless("_n_features_out")

    def __init__(
        self,
        sampler,
        *,
        features=_FEATURES,
        n_bands=8,
        n_levels=5,
        n_draws=1,
        random_state=0,
    ):
        self.sampler = sampler
        self.features = features
        self.n_bands = n_bands
        self.n_levels = n_levels
        self.n_draws = n_draws
        self.random_state = random_state

    def fit(self, X, y=None):
        """Validate the parameters and the samples, and try one sample; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, *latent_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as the sampler returns them.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or X is not valid, the sampler has a decoder or no levels, or a band
            has no frequencies.
        """
        self._check_parameters()
        array = self._checked(X, reset=True)
        n_features_out = len(self._features_of(array[0], self._bands(), self._noise()))
        record_samples(self, X, array)
        self._n_features_out = n_features_out
        return self

    def transform(self, X):
        """Compute the features.

        Parameters
        ----------
        X : array-like, shape (n, *latent_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as the sampler returns them.

        Returns
        -------
        ndarray, shape (n, n_features_out)
            float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or of another shape than in fit, or features
            are not finite.
        """
        check_is_fitted(self)
        self._check_parameters()
        array, bands, noise = self._checked(X), self._bands(), self._noise()
        found = np.stack([self._features_of(sample, bands, noise) for sample in array])
        if len(bad := np.flatnonzero(~np.isfinite(found).all(axis=1))):
            raise ValueError(
                f"Sample {bad[0]} of X has features that are not finite: the network returns such "
                "values for it. Leave out the kind of features that is, or the sample."
            )
        return found.astype(float_type(array))

    def _check_parameters(self):
        self._validate_params()
        unknown = [name for name in self.features if name not in _FEATURES]
        if unknown or not len(self.features):
            raise ValueError(
                f"features must be some of {', '.join(_FEATURES)}, got {self.features!r}."
            )
        if self.sampler.decoder is not None:
            raise ValueError(
                "The sampler decodes latents, and these features are of the latents themselves: "
                "pass DiffusionSampler(network, scheduler, n_steps=..., pixels=False) and latents."
            )
        most = self.sampler.schedule.n_steps - 1
        if self.n_levels > most:
            raise ValueError(f"n_levels must be at most {most}, the steps but one.")

    def _checked(self, X, *, reset=False):
        array = check_samples(
            self,
            X,
            reset=reset,
            output_range=self.sampler.output_range,
            sample_shape=self.sampler.latent_shape,
        )
        return array.reshape(-1, *self.sampler.latent_shape)

    def _bands(self):
        bands = bands_of(self.sampler.latent_shape[1:], self.n_bands)
        if len(np.unique(bands)) < self.n_bands:
            raise ValueError(
                f"Some of {self.n_bands} bands have no frequencies of samples of shape "
                f"{self.sampler.latent_shape}: pass a smaller n_bands."
            )
        return bands

    def _noise(self):
        """Draws of white noise."""
        rng = np.random.RandomState(self.random_state)
        return rng.standard_normal((self.n_draws, *self.sampler.latent_shape)).astype(np.float32)

    def _steps(self):
        last = self.sampler.schedule.n_steps - 2
        return np.linspace(min(int(_FIRST * (last + 2)), last), last, self.n_levels).astype(int)

    def _features_of(self, sample, bands, noise):
        """Features of one sample as float64."""
        parts = [getattr(self, f"_{name}_of")(sample, bands, noise) for name in self.features]
        return np.concatenate(parts)

    def _noise_of(self, sample, bands, noise):
        in_levels = sample.dtype == np.uint8
        noise = self.sampler.invert(sample[None], n_copies=_N_COPIES if in_levels else 0).noise
        energies = energies_by_band(noise, bands)[0]
        whole = np.square(noise, dtype=np.float64).mean()
        error = self.sampler.run(noise)[0] * (255.0 if in_levels else 1.0) - sample
        values = [*energies, whole, np.square(error, dtype=np.float64).mean()]
        return np.log(np.array(values) + _TINY)

    def _errors_of(self, sample, bands, noise):
        found = [self._energies(sample, noise, step, bands).mean(axis=0) for step in self._steps()]
        return np.log(np.concatenate(found) + _TINY)

    def _coupling_of(self, sample, bands, noise):
        limited = np.concatenate([limited_to(band, noise, bands) for band in range(self.n_bands)])
        found = []
        for step in self._steps():
            energies = self._energies(sample, limited, step, bands)
            energies = energies.reshape(self.n_bands, self.n_draws, self.n_bands).mean(axis=1)
            found.append(energies / (energies.sum(axis=1, keepdims=True) + _TINY))
        return np.ravel(found)

    def _energies(self, sample, noise, step, bands):
        """Energies by band of the network's errors, for each noise."""
        same = np.repeat(sample[None], len(noise), axis=0)
        return energies_by_band(self.sampler.noise_errors(same, noise, step=int(step)), bands)

    def _shared_by_clones(self):
        return ("sampler",)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
