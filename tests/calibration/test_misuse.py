"""Random misuse: the false-negative rate is the chosen one, or there is an error or a warning."""

import warnings

import numpy as np
from scipy import stats
from scipy.spatial import distance
from sklearn.base import BaseEstimator

from sklearn_flipad import FNRThresholdCalibrator, make_rawpad

N_DRAWS, N_NEW = 500, 400
#: A right calibration is outside of its interval with this probability; 500 are drawn.
LEVEL = 1e-6


class Nearest(BaseEstimator):
    """A detector by the distance to the nearest sample, which a copy of a sample has none of."""

    def fit(self, X, y=None):
        self.X_ = np.reshape(X, (len(X), -1))
        return self

    def score_samples(self, X):
        return -distance.cdist(np.reshape(X, (len(X), -1)), self.X_).min(axis=1)


class Case:
    """Own samples of a model, misused at random: what is fitted, and fresh samples of the model."""

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        self.n, self.fnr = int(rng.integers(60, 200)), float(rng.choice([0.1, 0.2, 0.3]))
        self.images = bool(rng.integers(2))
        self.centers = rng.normal(size=(6, 16))
        self.X, self.new = self.own(self.n), self.own(N_NEW)
        self.y = self.groups = None
        self.after = {}
        self.misuses = rng.permutation(
            [self.copy, self.append, self.clip, self.change_level, self.add_others, self.retype]
        )[: rng.integers(1, 4)]
        for misuse in sorted(self.misuses, key=lambda misuse: misuse == self.retype):
            misuse()

    def own(self, n):
        X = self.centers[self.rng.integers(0, 6, n)] + self.rng.normal(size=(n, 16))
        if not self.images:
            return X
        return np.rint(128 + 25 * X).clip(0, 255).astype("u1").reshape(n, 1, 4, 4)

    def take(self, rows):
        self.X = self.X[rows]
        self.y = None if self.y is None else self.y[rows]
        self.groups = None if self.groups is None else self.groups[rows]

    def copy(self):
        """All samples several times, in a row or in any order."""
        rows = np.repeat(np.arange(len(self.X)), self.rng.integers(2, 9))
        self.take(self.rng.permutation(rows) if self.rng.integers(2) else rows)

    def append(self):
        """Some samples again."""
        rows = np.arange(len(self.X))
        again = self.rng.choice(rows, self.rng.integers(1, len(rows)))
        self.take(np.r_[rows, again])

    def clip(self):
        """Frames of clips, of which the caller says the clip."""
        if self.y is not None or len(np.unique(self.X, axis=0)) < len(self.X):
            return  # clips of the same sample would be one group
        size = int(self.rng.integers(2, 8))
        frames = np.repeat(self.X, size, axis=0).astype(float)
        frames += (2.0 if self.images else 0.05) * self.rng.normal(size=frames.shape)
        self.X = np.rint(frames).clip(0, 255).astype("u1") if self.images else frames
        self.groups = np.repeat(np.arange(len(self.X) // size), size)

    def change_level(self):
        """A level or a rule that is set after fit."""
        self.after = {"fnr": 0.5, "rule": str(self.rng.choice(["pac", "quantile", "conformal"]))}

    def add_others(self):
        """Samples of others, among which some of the model's are, and unlabeled copies."""
        if self.y is not None or self.groups is not None:
            return
        others = 255 - self.own(60) if self.images else 4 + self.own(60)
        unlabeled = self.X[: self.rng.integers(1, len(self.X))]
        wrong = self.X[: self.rng.integers(0, 10)]
        self.y = np.repeat([1, -1, 0, -1], [len(self.X), 60, len(unlabeled), len(wrong)])
        self.X = np.concatenate([self.X, others, unlabeled, wrong])

    def retype(self):
        """The same samples in another type, memory layout or shape."""
        forms = [np.asfortranarray, lambda X: X.astype("f8"), lambda X: X[::-1][::-1], list]
        if self.images:
            forms[1] = lambda X: X.astype("i8")
        form = forms[self.rng.integers(len(forms))]
        self.X, self.new = form(self.X), form(self.new)

    def attributor(self):
        options = {"fnr": self.fnr, "random_state": 0}
        if self.images:
            return make_rawpad(detector=Nearest(), **options)
        return FNRThresholdCalibrator(Nearest(), **options)

    def run(self):
        """Whether the user was told, false negatives, and the size of the calibration set."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                fitted = self.attributor().fit(self.X, self.y, groups=self.groups)
            except ValueError:
                return True, 0, 0
            prefix = "detect__" if self.images else ""
            fitted.set_params(**{prefix + name: value for name, value in self.after.items()})
            rejected = fitted.predict(self.new) == -1
            evidence = fitted.evidence(self.new)
        np.testing.assert_array_equal(evidence.own_rejected, rejected)
        assert evidence.fnr == self.fnr
        told = any(issubclass(w.category, UserWarning) for w in caught)
        return told, int(rejected.sum()), evidence.n_calibration


def test_the_rate_holds_or_the_user_is_told():
    silent, told_but_right = 0, 0
    for seed in range(N_DRAWS):
        case = Case(seed)
        told, missed, n = case.run()
        if not n:
            continue
        n_beyond = n - int(np.ceil(round((n + 1) * (1 - case.fnr), 9)))
        law = stats.betabinom(N_NEW, n_beyond + 1, n - n_beyond)
        holds = min(law.sf(missed - 1), law.cdf(missed)) > LEVEL
        names = [misuse.__name__ for misuse in case.misuses]
        assert holds or told, (seed, names, missed / N_NEW, case.fnr, n)
        silent += not told
        told_but_right += told and holds
    # The test is none if everything is refused, and what is warned of is mended, too.
    assert silent > N_DRAWS / 5
    assert told_but_right > N_DRAWS / 5
