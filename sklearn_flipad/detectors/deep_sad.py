"""DeepSAD as a scikit-learn outlier estimator (Appendix B)."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted
from skorch import NeuralNet
from skorch.callbacks import LRScheduler

from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.labels import check_labels, check_two_classes
from sklearn_flipad.base.mixins import OffsetMixin
from sklearn_flipad.base.modules import training
from sklearn_flipad.base.precision import plain_defaults
from sklearn_flipad.base.randomness import draw_seed, seeded
from sklearn_flipad.base.samples import check_features, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.rules import Quantile
from sklearn_flipad.detectors._distance import SCORED_AT_ONCE, distances
from sklearn_flipad.detectors._training import (
    BatchesOnCPU,
    Progress,
    check_converged,
    check_variation,
    drop_training,
)
from sklearn_flipad.detectors.loss import DeepSADLoss
from sklearn_flipad.detectors.networks import MLP, LeNet

__all__ = ["DeepSADDetector"]


class DeepSADDetector(OffsetMixin, BaseEstimator):
    """Deep semi-supervised anomaly detection.

    A network is trained to map inliers close to a fixed center and outliers far from it;
    the anomaly score of a sample is the distance of its representation to the center.

    Parameters
    ----------
    module : type, default=None
        Class of the network, called as ``module(input_shape, **module_params)``. By
        default :class:`~sklearn_flipad.detectors.LeNet` for images of shape
        ``(channels, height, width)`` and signals of shape ``(channels, length)``, and
        :class:`~sklearn_flipad.detectors.MLP` for rows of a table.
    module_params : dict, default=None
        Further arguments of the network, as ``{"channels": (128, 256, 128)}``. Each can also
        be set, and so searched over, as ``module__channels``.
    eta : float, default=1
        Weight of the labeled samples, > 0.
    max_epochs : int, default=50
        Passes over the data.
    lr : float, default=5e-4
        Learning rate of Adam.
    milestones : sequence of int, default=(25,)
        Epochs at which the learning rate is multiplied by `gamma`.
    gamma : float, default=0.1
        Factor of the learning rate, > 0.
    weight_decay : float, default=5e-7
        Weight decay, >= 0.
    batch_size : int, default=128
        Samples in a training step, >= 2.
    center : {"all", "inliers"}, default="all"
        Training samples whose mean initial representation is the center. ``"all"`` is the
        paper's choice. Labeled outliers much farther out than the inliers, as there may be after
        whitening, pull the center toward themselves; ``"inliers"`` leaves them out.
    min_center : float, default=0.1
        Smallest distance of the center's coordinates from 0, >= 0; a coordinate at 0 could be
        reached by zero weights.
    fnr : float, default=0.005
        Fraction of the training inliers that the detector's own threshold calls
        outliers. Training scores are optimistic: for a false-negative rate that holds on
        new samples use :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    device : str or torch.device, default=None
        Device to train on; by default CUDA if available, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights and of the order of the samples. Torch's global random state does
        not change. Training also depends on the number of torch's threads, through rounding.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained network, without the optimizer.
    center_ : ndarray of float32, shape (rep_dim,)
        The center: the mean initial representation of the training samples, or the inliers.
    history_ : list of float
        Training loss of every epoch.
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    FNRThresholdCalibrator : Places the threshold on held-out inliers.

    References
    ----------
    Equation (6), Appendix B and Appendix G.7 of Laszkiewicz et al., ICML 2024; Ruff et
    al., "Deep Semi-Supervised Anomaly Detection", ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad import DeepSADDetector
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (200, 5)), rng.normal(4, 1, (200, 5))])
    >>> y = np.repeat([1, -1], 200)
    >>> detector = DeepSADDetector(max_epochs=5, random_state=0).fit(X, y)
    >>> detector.predict(X[[0, -1]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "module": [type, None],
        "module_params": [dict, None],
        "eta": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "milestones": [tuple, list],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "center": [StrOptions({"all", "inliers"})],
        "min_center": [Interval(Real, 0, None, closed="left")],
        "fnr": [Interval(Real, 0, 1, closed="neither")],
        "device": [str, torch.device, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _stored = Stored.with_samples("net_", "center_", "history_", "offset_", "_network_shape")

    def __init__(
        self,
        *,
        module=None,
        module_params=None,
        eta=1.0,
        max_epochs=50,
        lr=5e-4,
        milestones=(25,),
        gamma=0.1,
        weight_decay=5e-7,
        batch_size=128,
        center="all",
        min_center=0.1,
        fnr=0.005,
        device=None,
        random_state=None,
        verbose=0,
    ):
        self.module = module
        self.module_params = module_params
        self.eta = eta
        self.max_epochs = max_epochs
        self.lr = lr
        self.milestones = milestones
        self.gamma = gamma
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.center = center
        self.min_center = min_center
        self.fnr = fnr
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep=True):
        """Get the parameters of this detector.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the entries of `module_params`, as ``module__<name>``.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=False)
        if deep and isinstance(self.module_params, dict):
            params |= {f"module__{k}": v for k, v in self.module_params.items()}
        return params

    def set_params(self, **params):
        """Set parameters; ``module__<name>`` sets an entry of `module_params`.

        Parameters
        ----------
        **params : dict
            Parameters.

        Returns
        -------
        self
        """
        prefix = "module__"
        of_module = {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}
        super().set_params(**{k: v for k, v in params.items() if not k.startswith(prefix)})
        if of_module:
            self.module_params = {**(self.module_params or {}), **of_module}
        return self

    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width) or (n, n_features)
            Features, standardized or not.
        y : array-like of shape (n,), default=None
            +1 for inliers, -1 for outliers, 0 for unlabeled samples, which the loss
            treats as inliers of weight one. None means that all are unlabeled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X or y is not valid, the labeled samples are all of one class, the
            inliers are all the same, or the training diverges.

        Warns
        -----
        UserWarning
            If labeled outliers end up no farther from the center than the inliers.
        """
        self._validate_params()
        array = check_features(self, X, reset=True, dtype=np.float32)
        y = check_labels(y, len(array))
        check_two_classes(y)
        if len(array) < 2:
            raise ValueError("Training needs at least 2 samples, got n_samples=1.")
        inliers = array[y == 1] if (y == 1).any() else array
        check_variation(inliers)
        device = resolve_device(self.device)
        seed = draw_seed(self.random_state)
        with training(seed, device):
            with plain_defaults():
                net = self._build_net(array.shape[1:], len(array), seed, device).initialize()
            central = array if self.center == "all" else array[y != -1]
            center = self._initial_center(net, central)
            net.criterion_.center = center.to(device)
            net.partial_fit(array, y.astype(np.float32))
        history = net.history[:, "train_loss"]
        check_converged(history)
        drop_training(net)
        scores = distances(net, inliers)
        self._check_ranking(scores, array[y == -1], net)
        self.net_ = net
        self.center_ = center.numpy()
        self.history_ = history
        self.offset_ = -Quantile().threshold(scores, self.fnr)
        self._network_shape = array.shape[1:]
        record_samples(self, X, array)
        return self

    def check_fit(self, X, y=None):
        """Check labels before features are computed.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples; only their number counts.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.

        Raises
        ------
        ValueError
            If a parameter or y is not valid, or the labeled samples are all of one class.
        """
        self._validate_params()
        check_two_classes(check_labels(y, _num_samples(X)))

    def score_samples(self, X):
        """Minus the anomaly score, the distance to the center; larger is more normal.

        Parameters
        ----------
        X : array-like, shape of the training samples
            Features.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If X is not finite or of another shape than in fit.
        """
        check_is_fitted(self)
        X = check_features(self, X, dtype=np.float32)
        return -distances(self.net_, X.reshape(-1, *self._network_shape))

    def _build_net(self, sample_shape, n_samples, seed, device):
        module = self.module or (LeNet if len(sample_shape) in (2, 3) else MLP)
        params = {f"module__{k}": v for k, v in (self.module_params or {}).items()}
        schedule = LRScheduler("MultiStepLR", milestones=list(self.milestones), gamma=self.gamma)
        return NeuralNet(
            module,
            DeepSADLoss,
            criterion__eta=self.eta,
            optimizer=torch.optim.Adam,
            optimizer__weight_decay=self.weight_decay,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            train_split=None,
            iterator_train=BatchesOnCPU,
            iterator_valid=BatchesOnCPU,
            iterator_train__shuffle=True,
            # Batch norm cannot be trained on a batch of one.
            iterator_train__drop_last=n_samples % self.batch_size == 1,
            iterator_train__generator=torch.Generator("cpu").manual_seed(seed),
            # A loader always draws a seed; with a generator of its own not from the global one.
            iterator_valid__batch_size=SCORED_AT_ONCE,
            iterator_valid__generator=torch.Generator("cpu"),
            callbacks=[("schedule", schedule), ("progress", Progress(self.verbose))],
            module__input_shape=tuple(sample_shape),
            device=str(device),
            verbose=0,
            **params,
        )

    def _untrained_net(self, module, arguments, sample_shape):
        """A net for scoring only, whose weights and center are to be set."""
        detector = DeepSADDetector(module=module, module_params=arguments, eta=self.eta)
        device = resolve_device(self.device)
        with seeded(0, device), plain_defaults():
            net = detector._build_net(sample_shape, 2, 0, device).initialize()
        drop_training(net)
        return net

    def _set_center(self, center):
        device = self.net_.criterion_.center.device
        self.net_.criterion_.center = torch.tensor(center, device=device)

    def _initial_center(self, net, X):
        """Mean initial representation, shape (rep_dim,), with coordinates kept off 0."""
        total = sum(batch.double().sum(dim=0) for batch in net.forward_iter(X))
        center = (total / len(X)).float()
        away = center.abs().clamp_min(self.min_center)
        return torch.where(center < 0, -away, away)

    def _check_ranking(self, scores, outliers, net):
        """Warn if most of the outliers seen in training are no farther out than the inliers."""
        if not len(outliers) or np.median(distances(net, outliers)) > np.median(scores):
            return
        advice = "train for more epochs, or pass another detector"
        if self.center == "all":
            advice = 'pass center="inliers" to DeepSADDetector'
        warnings.warn(
            "After training, most of the training outliers are no farther from the center than "
            f"inliers are, so that other samples will be taken for the model's: {advice}.",
            UserWarning,
            stacklevel=3,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.non_deterministic = self.random_state is None
        return tags
