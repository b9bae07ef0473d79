"""SM-Inv: the paper's search for a sample's latents from random starts (Appendix E)."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.reproduction._search_detector import _SearchDetector
from sklearn_flipad.reproduction.search.restarted import RestartedSearch

__all__ = ["SMInvDetector"]


class SMInvDetector(_SearchDetector):
    """Distance of a sample to the best reconstruction that a search from random starts finds.

    The paper's baseline SM-Inv.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model. It runs in eval mode, and clones share it.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`. Integer
        and one-hot inputs are conditions, such as classes, and are drawn with the starts.
    distance : {"l2", "inception"} or callable, default="l2"
        Distance that the search minimizes and that a reconstruction is judged by: the root mean
        square difference; the Euclidean distance of Inception-V3 features; or
        ``distance(x, reconstruction)`` that returns a tensor ``(n,)``, for example a
        :class:`~sklearn_flipad.reproduction.FeatureDistance` or ``lpips.LPIPS()``.
    inception_weights : path-like, default=None
        File with the weights for ``"inception"``.
    n_restarts : int, default=10
        Random starting points, all of which are used.
    optimizer : {"adam", "lbfgs"}, default="adam"
        The paper's Adam on the distance, or L-BFGS on its square.
    max_iter : int, default=1000
        Largest number of gradients from a start.
    lr : float, default=0.1
        Learning rate of Adam.
    patience : int, default=200
        A sample is finished when no step of the last `patience` improved its distance by a
        thousandth.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default found as
        :func:`~sklearn_flipad.generators.sample` finds them.
    fnr : float, default=None
        Fraction of the training inliers that the detector's own threshold calls
        outliers. By default it has no threshold, since fitting one searches all of them;
        :class:`~sklearn_flipad.FNRThresholdCalibrator` places one.
    batch_size : int, default=32
        Samples searched side by side.
    device : str or torch.device, default=None
        Target device; CUDA if there is one, else the CPU.
    random_state : int, default=0
        Seed of the starting points. They are not the latents that
        :func:`~sklearn_flipad.generators.sample` draws with the same seed.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers. Only with `fnr`.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    ReproductionDetector : The search from an encoder's guess, which reproduces own samples.
    FingerprintDetector : The other baseline, SM-F.

    Notes
    -----
    ``score_samples`` works without ``fit``.

    References
    ----------
    Appendices E and G.7 of Laszkiewicz et al., ICML 2024; Albright and McCloskey, "Source
    generator attribution via inversion", CVPR Workshops 2019.
    """

    _parameter_constraints: dict = {
        **_SearchDetector._parameter_constraints,
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions({"adam", "lbfgs"})],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        generator,
        *,
        latent_shape=None,
        sampler=None,
        distance="l2",
        inception_weights=None,
        n_restarts=10,
        optimizer="adam",
        max_iter=1000,
        lr=0.1,
        patience=200,
        output_range=None,
        fnr=None,
        batch_size=32,
        device=None,
        random_state=0,
        verbose=0,
    ):
        self.generator = generator
        self.latent_shape = latent_shape
        self.sampler = sampler
        self.distance = distance
        self.inception_weights = inception_weights
        self.n_restarts = n_restarts
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.lr = lr
        self.patience = patience
        self.output_range = output_range
        self.fnr = fnr
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Check the samples, and place a threshold if asked; nothing else is learned.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as the generator makes them.
        y : array-like of shape (n,), default=None
            +1 for the model's samples; others are ignored. None means that all are the
            model's.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X or y is not valid, or no sample is the model's.
        FileNotFoundError
            With `fnr`, if the weights of ``"inception"`` are missing.
        """
        return self._fit(X, y)

    def _learned(self, process, own):
        return {}, None if self.fnr is None else self._searching(process)

    def _searching(self, process):
        return RestartedSearch(
            process,
            self._distance_function(),
            n_starts=self.n_restarts,
            batch_size=self.batch_size,
            random_state=self.random_state,
            optimizer=self.optimizer,
            max_iter=self.max_iter,
            lr=self.lr,
            patience=self.patience,
        )
