"""Attacks on attributors: samples that are changed a little so that the verdict changes.

Removal makes the model's own samples pass for foreign ones, forgery makes foreign ones pass for the
model's own. No pixel changes by more than a budget of whole gray levels, so the result is an image
file as it is, and nothing is lost by rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from sklearn_flipad.base.samples import as_array
from sklearn_flipad.evaluation._bases import rng_of

__all__ = ["AttackResult", "forgery_attack", "removal_attack"]

#: Share of the pixels in the first windows, as in AutoAttack.
_SHARE = 0.8
#: Parts of the queries after which the windows are half as large, those of the reference.
_HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
#: Gradient steps of one gray level, for each level of the budget.
_STEPS_PER_LEVEL = 4

_CONSTRAINTS = {
    "attributor": [HasMethods(["decision_function"])],
    "budget": [Interval(Integral, 1, 255, closed="both")],
    "max_queries": [Interval(Integral, 1, None, closed="left")],
    "gradient": [Callable, None],
    "random_state": [Interval(Integral, 0, None, closed="left")],
}


@dataclass(frozen=True)
class AttackResult:
    """The result of an attack.

    Attributes
    ----------
    samples : ndarray of uint8, shape (n, channels, height, width)
        The samples whose scores were nearest to success, or the first ones that succeeded.
    success : ndarray of bool, shape (n,)
        Whether the verdict is the wanted one. Samples that had it before are successes with one
        query and no change.
    queries : ndarray of int, shape (n,)
        Numbers of scores that were asked for, up to the success.
    scores : ndarray of float64, shape (n,)
        Values of ``decision_function`` of `samples`.
    psnr : ndarray of float64, shape (n,)
        Peak signal-to-noise ratios in decibels, infinite where nothing was changed.
    """

    samples: np.ndarray
    success: np.ndarray
    queries: np.ndarray
    scores: np.ndarray
    psnr: np.ndarray


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def removal_attack(
    attributor, X, *, budget=4, max_queries=1000, toward=None, gradient=None, random_state=0
):
    """Change own samples until an attributor calls them foreign.

    By default a square attack: a random search that only asks for scores. It starts with stripes,
    then changes windows, ever smaller ones, by plus or minus the whole budget, and keeps what is
    nearer to success. It also keeps the sample itself if the stripes are no better. The result for
    a sample depends on the sample and the seed, not on the others. The failure of an attack does
    not show that there is no better one.

    Parameters
    ----------
    attributor : estimator
        Fitted attributor with a ``decision_function``, negative for what it calls foreign.
    X : array-like of uint8, shape (n, channels, height, width)
        Images.
    budget : int, default=4
        Largest change of a pixel in gray levels.
    max_queries : int, default=1000
        Largest number of scores of a sample, that of the unchanged one included.
    toward : array-like, shape (n, channels, height, width), default=None
        Images in gray levels to move to, as far as the budget allows, before the search: for
        example reconstructions, or the results for another attributor.
    gradient : callable, default=None
        ``gradient(X)`` returns the gradients of the scores with respect to float64 gray levels, in
        the shape of X. Projected gradient steps then come before the search. By default the
        adversary knows scores alone.
    random_state : int, default=0
        Seed.

    Returns
    -------
    AttackResult

    Raises
    ------
    ValueError
        If a parameter is not valid, X is not uint8 images, or a score is NaN.

    See Also
    --------
    forgery_attack : Changes foreign samples until they pass for own ones.

    References
    ----------
    Andriushchenko, Croce, Flammarion and Hein, "Square Attack: a query-efficient black-box
    adversarial attack via random search", ECCV 2020. Projected gradient steps: Madry et al.,
    "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sklearn_flipad.evaluation import removal_attack
    >>> X = np.random.default_rng(0).integers(100, 110, (60, 1, 4, 4), dtype=np.uint8)
    >>> rows = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    >>> attributor = make_pipeline(rows, IsolationForest(random_state=0)).fit(X)
    >>> found = removal_attack(attributor, X[:5], budget=8, max_queries=100)
    >>> bool(found.success.all())
    True
    >>> int(abs(found.samples.astype(int) - X[:5]).max())
    8
    """
    return _attack(attributor, X, -1, budget, max_queries, toward, gradient, random_state)


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def forgery_attack(
    attributor, X, *, budget=4, max_queries=1000, toward=None, gradient=None, random_state=0
):
    """Change foreign samples until an attributor calls them the model's own.

    Parameters
    ----------
    attributor, X, budget, max_queries, toward, gradient, random_state
        As in :func:`removal_attack`.

    Returns
    -------
    AttackResult

    Raises
    ------
    ValueError
        As in :func:`removal_attack`.

    See Also
    --------
    removal_attack : The same search in the other direction.
    """
    return _attack(attributor, X, 1, budget, max_queries, toward, gradient, random_state)


def _attack(attributor, X, direction, budget, max_queries, toward, gradient, random_state):
    """Move scores in a direction until their sign is the wanted one."""
    X, budget = _checked(X, "X"), int(budget)
    bounds = np.maximum(X, budget) - budget, 255 - np.maximum(255 - X, budget) + budget
    if toward is not None:
        toward = np.clip(_checked(toward, "toward", X.shape), *bounds)
    best, queries = X.copy(), np.ones(len(X), dtype=int)
    scores = _scores(attributor, X)
    search = _SquareSearch(X, bounds, budget, max_queries, random_state)
    moved = X.astype(np.float64)
    n_steps = 0 if gradient is None else _STEPS_PER_LEVEL * budget
    n_first = int(toward is not None)
    for query in range(max_queries - 1):
        rows = np.flatnonzero(~_succeeded(scores, direction))
        if not len(rows):
            break
        if query < n_first:
            candidates = toward[rows]
        elif query < n_first + n_steps:
            signs = direction * np.sign(np.asarray(gradient(moved[rows]), dtype=np.float64))
            moved[rows] = np.clip(moved[rows] + signs, *(bound[rows] for bound in bounds))
            candidates = moved[rows].astype(np.uint8)
        elif query == n_first + n_steps:
            candidates = search.stripes(rows)
        else:
            candidates = search.windows(rows, best, query - n_first - n_steps)
        found = _scores(attributor, candidates)
        queries[rows] += 1
        better = direction * (found - scores[rows]) > 0
        best[rows[better]], scores[rows[better]] = candidates[better], found[better]
    return AttackResult(best, _succeeded(scores, direction), queries, scores, _psnr(X, best))


class _SquareSearch:
    """Candidates of the square attack, drawn for each sample by a stream of its own."""

    def __init__(self, X, bounds, budget, max_queries, random_state):
        self.bounds = bounds
        self.sides = X.shape[2:]
        self.max_queries = max_queries
        self.rngs = [rng_of(x, random_state) for x in X]
        self.n_channels = X.shape[1]

    def stripes(self, rows):
        """The samples with vertical stripes at the ends of the budget."""
        shape = (self.n_channels, 1, self.sides[1])
        return np.stack([self._ends(row, shape) for row in rows])

    def windows(self, rows, best, n_tried):
        """The best so far, with a window at one end of the budget in each channel."""
        n_halvings = sum(n_tried > part * self.max_queries for part in _HALVINGS)
        side = np.sqrt(_SHARE / 2**n_halvings * np.prod(self.sides))
        height, width = (min(max(round(float(side)), 1), of) for of in self.sides)
        candidates = best[rows].copy()
        for candidate, row in zip(candidates, rows, strict=True):
            rng = self.rngs[row]
            top, left = (
                rng.integers(of - n + 1) for of, n in zip(self.sides, (height, width), strict=True)
            )
            window = np.s_[:, top : top + height, left : left + width]
            kept = candidate[window].copy()
            # Not what it is already: one of the two ends of each pixel is another level.
            while (candidate[window] == kept).all():
                candidate[window] = self._ends(row, (self.n_channels, 1, 1))[window]
        return candidates

    def _ends(self, row, shape):
        """Lower and upper bounds of a sample, by signs that are drawn in a shape."""
        upper = self.rngs[row].integers(2, size=shape).astype(bool)
        return np.where(upper, self.bounds[1][row], self.bounds[0][row])


def _checked(X, name, shape=None):
    X = np.asarray(as_array(X))
    if X.dtype != np.uint8 or X.ndim != 4 or not X.size:
        raise ValueError(
            f"{name} must be images of gray levels, uint8 of shape (n, channels, height, width), "
            f"got {X.dtype} of shape {X.shape}."
        )
    if shape is not None and X.shape != shape:
        raise ValueError(f"{name} must have the shape of X, {shape}, got {X.shape}.")
    return X


def _scores(attributor, X):
    scores = np.asarray(attributor.decision_function(X), dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError("The attributor's decision_function returned NaN.")
    return scores


def _succeeded(scores, direction):
    return scores >= 0 if direction > 0 else scores < 0


def _psnr(X, changed):
    errors = np.square(X.astype(np.float64) - changed).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / errors)
