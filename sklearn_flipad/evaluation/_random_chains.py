"""Chains of processing steps that are drawn for each sample, by its content and a seed."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from sklearn_flipad.evaluation._bases import rng_of

__all__ = ["Choice", "Number", "RandomChain", "Step"]


@dataclass(frozen=True)
class Number:
    """A number that is drawn uniformly from [low, high], which lies within [least, most]."""

    low: float
    high: float
    least: float
    most: float
    whole: bool = False

    def within(self, given, name):
        """The same with the range that was given: a number or a pair of numbers."""
        kind = Integral if self.whole else Real
        pair = (given, given) if isinstance(given, kind) else given
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            pair = (None, None)
        if not all(isinstance(x, kind) and not isinstance(x, bool) for x in pair) or not (
            self.least <= pair[0] <= pair[1] <= self.most
        ):
            whole = "whole " if self.whole else ""
            raise ValueError(
                f"{name} must be a {whole}number, or a pair of them in order, in "
                f"[{self.least}, {self.most}], got {given!r}."
            )
        return Number(*pair, self.least, self.most, self.whole)

    def draw(self, rng):
        """One number."""
        if self.whole:
            return int(rng.integers(self.low, self.high, endpoint=True))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Choice:
    """A name that is drawn from several, all equally likely."""

    names: tuple
    known: tuple

    def within(self, given, name):
        """The same with the names that were given: one or a sequence."""
        names = (given,) if isinstance(given, str) else given
        if not isinstance(names, list | tuple) or not names or not {*names} <= {*self.known}:
            raise ValueError(f"{name} must be one or several of {self.known}, got {given!r}.")
        return Choice(tuple(names), self.known)

    def draw(self, rng):
        """One name."""
        return self.names[rng.integers(len(self.names))]


@dataclass(frozen=True)
class Step:
    """A step of a chain: ``apply(values, rng, **drawn)``, and what is drawn for it."""

    apply: object
    drawn: dict
    probability: float = 1.0


class RandomChain:
    """Mixin of perturbations whose steps differ from sample to sample.

    Subclasses define `_kinds`, a dict of steps by name, `_presets`, `_limits`, between which the
    values of each step are clipped, and `_decimals`, to which values are rounded to seed the draws.
    """

    #: A search cannot repeat what it would have to draw.
    is_known = False

    _parameter_constraints: dict = {
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def draw(self, X):
        """Return the steps that samples are put through, and their numbers.

        Parameters
        ----------
        X : array-like, shape (n, n_channels, ...)
            Samples, as :meth:`transform` takes them.

        Returns
        -------
        DataFrame
            A row for each sample. The columns are ``<step>_<parameter>``; the second step of a kind
            is ``<step>_2``. A step that a sample is not put through has NaN for numbers and None
            for names.

        Raises
        ------
        ValueError
            If a parameter or X is not valid.
        """
        self._validate_params()
        samples, steps = self._values(self._checked(X)), self._steps()
        drawn = [self._drawn(steps, sample)[0] for sample in samples]
        # Of one type, whatever a batch happens to hold.
        return pd.DataFrame(
            {
                f"{label}_{name}": pd.Series(
                    [None if values[label] is None else values[label][name] for values in drawn],
                    dtype=float if isinstance(value, Number) else object,
                )
                for label, step in steps.items()
                for name, value in step.drawn.items()
            }
        )

    def _checked(self, X, *, reset=False):
        self._steps()
        return super()._checked(X, reset=reset)

    def _steps(self):
        """Steps by label, in the order in which they are applied."""
        known = ", ".join(self._kinds)
        if isinstance(self.chain, str) and self.chain not in self._presets:
            raise ValueError(
                f"chain must be one of {tuple(self._presets)} or a sequence of steps, got "
                f"{self.chain!r}."
            )
        chain = self._presets[self.chain] if isinstance(self.chain, str) else self.chain
        if not isinstance(chain, list | tuple) or not len(chain):
            raise ValueError(f"chain must have at least one step of {known}, got {chain!r}.")
        steps = {}
        for given in chain:
            kind, probability, ranges = _parts(given)
            if kind not in self._kinds:
                raise ValueError(f"chain has the step {given!r}; the kinds are {known}.")
            step = self._kinds[kind]
            if unknown := [name for name in ranges if name not in step.drawn]:
                raise ValueError(
                    f"{kind!r} has no parameter {unknown[0]!r}, only {', '.join(step.drawn)}."
                )
            drawn = {
                name: value.within(ranges[name], f"{name!r} of {kind!r}")
                if name in ranges
                else value
                for name, value in step.drawn.items()
            }
            n_before = sum(label.partition("_")[0] == kind for label in steps)
            label = f"{kind}_{n_before + 1}" if n_before else kind
            steps[label] = Step(step.apply, drawn, probability)
        return steps

    def _drawn(self, steps, sample):
        """Numbers of a sample by label, None where a step is left out; and the generator."""
        # Rounded, so that floats get the same draw as the gray levels that they stand for.
        rng = rng_of(sample.round(self._decimals) + 0.0, self.random_state)
        drawn = {}
        for label, step in steps.items():
            applied = rng.random() < step.probability
            # Drawn in any case, so that no step changes what is drawn for later ones.
            values = {name: value.draw(rng) for name, value in step.drawn.items()}
            drawn[label] = values if applied else None
        return drawn, rng

    def _processed(self, sample, steps):
        """One sample after its own steps."""
        drawn, rng = self._drawn(steps, sample)
        for label, step in steps.items():
            if drawn[label] is not None:
                sample = np.clip(step.apply(sample, rng, **drawn[label]), *self._limits)
        return sample


def _parts(given):
    """Kind, probability and ranges of a step, the last two of which may be left out."""
    given = (given,) if isinstance(given, str) else given
    if isinstance(given, list | tuple) and 1 <= len(given) <= 3:
        kind, probability, ranges = (*given, *(1.0, {})[len(given) - 1 :])
        if isinstance(kind, str) and isinstance(ranges, dict) and isinstance(probability, Real):
            if not 0 <= probability <= 1:
                raise ValueError(f"The probability of {kind!r} must be in [0, 1], got {given!r}.")
            return kind, float(probability), ranges
    raise ValueError(
        f"A step of chain is (kind, probability, ranges), such as ('blur', 0.5, "
        f"{{'sigma': (0.3, 1)}}), got {given!r}."
    )
