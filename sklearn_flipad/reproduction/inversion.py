"""Inverting samples with a generator: guided by an encoder, or from random starts."""

import warnings
from itertools import cycle, islice

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.modules import evaluating, moved_to
from sklearn_flipad.base.randomness import separate_stream
from sklearn_flipad.reproduction.distances import euclidean_distance, inception_distance
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.objective import Objective
from sklearn_flipad.reproduction.restarts import search_from_starts
from sklearn_flipad.reproduction.result import ReconstructionResult
from sklearn_flipad.reproduction.search import search
from sklearn_flipad.reproduction.traces import REPRODUCED, UNDECIDED, SearchOptions

__all__ = ["GuidedInversion", "RestartedInversion"]

#: Purpose of the random starts.
_STARTS = 2
#: Trials and further starts with an encoder; starts and trials without one.
_GUIDED, _RESTARTED = (200, 8), (1000, 10)
#: Conditions, such as classes, that are tried.
_MAX_TRIED = 16
#: Numbers of trials after which a start that has become slow may be given up. What is not by
#: then is often an own sample on a detour.
_CHECKPOINTS = tuple(range(15, 41, 5))
#: How far it must be: so many times a quantile of the distances of starts that succeed. A start
#: whose trials have ended may no longer be on a detour.
_MARGIN, _ENDED, _QUANTILE = 3.0, 2.0, 0.95
#: Starts in vain that reject a sample. One may be unlucky; so may the condition that the encoder
#: ranks first, where there are several.
_CHANCES, _WITH_CONDITIONS = 2, 3
#: Further starts where a file format hides the floor.
_WITHOUT_FLOOR = 2
#: Successful starts that this takes.
_N_SUCCESSFUL = 20
#: Where the distance of success is not known: so many times the median.
_ARRIVED = 2.0
#: Further starts: first the encoder's guess, corrected once to so many times. What the encoder
#: guesses of a sample that was made from its guess shows its error.
_N_CORRECTIONS = 6
#: Then parts of the guess, seen from the mean of the latents, and noise in their deviations.
#: Guesses that mislead are often too far out.
_MOVES = ((0.6, 0.0), (0.5, 0.2), (1.0, 0.35), (1.0, 0.5))
#: What leads out of a minimum, in this order and from the start again: a start as above, or noise
#: that is added to the minimum, in the deviations of the latents.
_ESCAPES = (None, None, None, None, None, None, None, 0.7)
#: Largest number of latents for Gauss-Newton.
_MAX_NEWTON = 512
#: Share of own samples that should be reproduced.
_EXPECTED = 0.9


class _Inversion:
    """What both ways have in common.

    Parameters
    ----------
    options : ReconstructionDetector
        Its parameters.
    process : GenerativeProcess
        The generator.
    """

    def __init__(self, options, process):
        self.options = options
        self.process = process
        self.objective = Objective.of(process)
        self.distance = options.distance
        if self.distance == "inception":
            self.distance = inception_distance(options.inception_weights)

    def _result(self, X, latents, conditions, distances, outcomes, n_iter):
        """The result for latents that were found, and the distances that were asked for."""
        process, levels = self.process, X.dtype == np.uint8
        x = X.reshape(-1, *process.sample_shape)
        reconstructions = process.raw(latents, conditions)
        if levels:
            reconstructions = process.processing.apply(reconstructions)
        if not process.processing.exact:
            difference = x.astype(np.float64) - reconstructions
            distances = np.sqrt(np.square(difference).reshape(len(x), -1).mean(axis=1))
        if self.distance != "l2":
            if distances is None:
                distances = self._judged(x, reconstructions)
            outcomes = np.where(outcomes == REPRODUCED, UNDECIDED, outcomes)
        elif not process.processing.exact:
            reproduced = distances <= self.objective.floor(process.targets(X)).cpu().numpy()
            outcomes = np.where(reproduced, REPRODUCED, outcomes)
        equal = np.full(len(x), np.nan)
        if levels:
            equal = (x == reconstructions).reshape(len(x), -1).mean(axis=1)
        return ReconstructionResult(
            latents=latents.float().cpu().numpy().reshape(-1, *process.space.shape),
            conditions=conditions.cpu().numpy(),
            reconstructions=reconstructions,
            distances=distances,
            reproduced=outcomes == REPRODUCED,
            outcomes=outcomes,
            equal=equal,
            n_iter=n_iter,
        )

    def _judged(self, x, reconstructions):
        """The user's distance, on the generator's scale."""
        pairs = (self.process.targets(part) for part in (x, reconstructions))

        def judge(x, reconstruction):
            return self.distance(x, reconstruction).reshape(len(x))

        with torch.no_grad():
            return in_lanes(judge, len(x), *pairs).double().cpu().numpy()

    def _drawn(self, n):
        """Inputs of the generator, as latents and conditions."""
        rng = separate_stream(self.options.random_state, _STARTS)
        ((latents, conditions),) = self.process.space.draw(self.process.generator, n, rng)
        return latents, conditions


class RestartedInversion(_Inversion):
    """The paper's way: several random starts, the same for each sample.

    Parameters
    ----------
    options : ReconstructionDetector
        Its parameters.
    process : GenerativeProcess
        The generator.

    Raises
    ------
    ValueError
        If the generator has no gradients, or samples were processed.
    """

    def __init__(self, options, process):
        super().__init__(options, process)
        if process.processing.steps:
            raise ValueError("processing= needs an encoder; pass encoder=LatentEncoder().")
        if not process.has_gradients:
            raise ValueError(
                "The generator's samples have no gradients with respect to its latents: it runs "
                "without them, or rounds its output. Remove that from its forward; or pass "
                "encoder=LatentEncoder(), whose search can do without gradients."
            )
        max_iter, n_restarts = _RESTARTED
        self.max_iter = max_iter if options.max_iter == "auto" else options.max_iter
        n_starts = n_restarts if options.n_restarts == "auto" else options.n_restarts
        if n_starts < 1:
            raise ValueError("n_restarts must be at least 1 without an encoder.")
        self.starts = self._drawn(n_starts)
        if self.distance == "l2":
            self.measured = euclidean_distance
        else:
            self.measured = self.distance

    def invert(self, X):
        """Search from all starts.

        Parameters
        ----------
        X : ndarray, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ReconstructionResult
        """
        targets, size = self.process.targets(X), self.options.batch_size
        parts = []
        for begin in range(0, len(X), size):
            part = search_from_starts(
                self.objective.generate,
                self.measured,
                *self.starts,
                targets[begin : begin + size],
                optimizer=self.options.optimizer,
                max_iter=self.max_iter,
                lr=self.options.lr,
                patience=self.options.patience,
            )
            parts.append(part)
        latents, conditions, distances, n_iter = (
            torch.cat(column) for column in zip(*parts, strict=True)
        )
        distances = distances.double().cpu().numpy()
        floors = self.objective.floor(targets).cpu().numpy()
        outcomes = np.full(len(X), UNDECIDED)
        if self.distance == "l2":
            # Over the number of elements, as in the paper, to a root mean square.
            distances = distances * np.sqrt(targets[0].numel()) / self.process.unit
            outcomes = np.where(distances <= floors, REPRODUCED, UNDECIDED)
        return self._result(X, latents, conditions, distances, outcomes, n_iter.cpu().numpy())


class GuidedInversion(_Inversion):
    """A search from an encoder's guess, and from other starts where that does not decide.

    Parameters
    ----------
    options : ReconstructionDetector
        Its parameters.
    process : GenerativeProcess
        The generator.
    encoder : LatentEncoder or torch.nn.Module
        Guesses latents.
    bounds : tuple of float
        Largest distances at the checkpoints; empty for no rejection.
    metric : LatentMetric
        Coordinates for the search.
    """

    def __init__(self, options, process, encoder, bounds, metric):
        super().__init__(options, process)
        if not process.processing.exact and process.output_range is None:
            raise ValueError("File formats in processing= take gray levels: pass uint8 samples.")
        self.encoder = encoder
        max_iter, n_restarts = _GUIDED
        max_iter = max_iter if options.max_iter == "auto" else options.max_iter
        n_restarts += min(len(process.space.conditions), _MAX_TRIED) - 1
        self.n_restarts = n_restarts if options.n_restarts == "auto" else options.n_restarts
        if max_iter == 0:
            self.n_restarts = 0
        elif not process.processing.exact and options.n_restarts == "auto":
            self.n_restarts = _WITHOUT_FLOOR
        n_newton = options.n_newton if process.space.n_features <= _MAX_NEWTON else 0
        if not process.has_gradients:
            if not n_newton:
                raise ValueError(
                    "The generator's samples have no gradients with respect to its latents, and "
                    "Gauss-Newton is switched off or would need too many runs of the generator."
                )
            max_iter = self.n_restarts = 0
        checkpoints = tuple(number for number in _CHECKPOINTS if number < max_iter)
        self.search = SearchOptions(
            max_iter=max_iter,
            n_newton=n_newton,
            checkpoints=checkpoints,
            bounds=bounds if len(bounds) == len(checkpoints) + 1 else (),
            n_chances=_WITH_CONDITIONS if len(process.space.conditions) > 1 else _CHANCES,
            has_floor=process.processing.exact,
            batch_size=options.batch_size,
        )
        self.metric = metric
        rng = separate_stream(options.random_state, _STARTS)
        self.noise = rng.standard_normal((len(_MOVES), process.space.n_features))
        n_escapes = max(self.n_restarts - len(process.space.conditions) + 1, 0)
        spreads = list(islice(cycle(_ESCAPES), n_escapes))
        noise = metric.scale * rng.standard_normal((n_escapes, process.space.n_features))
        self.escapes = [
            None if spread is None else spread * row
            for spread, row in zip(spreads, noise, strict=True)
        ]
        self.drawn = self._drawn(max(self.n_restarts - _N_CORRECTIONS - len(_MOVES), 1))

    def _guess(self, targets):
        if isinstance(self.encoder, LatentEncoder):
            return self.encoder.guess(targets)
        encoder = moved_to(self.encoder, targets.device)
        with evaluating(encoder):
            latents = in_lanes(encoder, len(targets), targets).flatten(1)
        if latents.shape[1] != self.process.space.n_features:
            raise ValueError(
                f"The encoder returns {latents.shape[1]} numbers for a sample, but the generator "
                f"takes {self.process.space.n_features}."
            )
        n_conditions = len(self.process.space.conditions)
        every = torch.arange(n_conditions, device=latents.device)
        return latents, every.expand(len(latents), -1)

    def _starts(self, targets):
        guess, ranking = self._guess(targets)
        guess = guess.to(self.process.latents.dtype)
        scale = torch.from_numpy(self.metric.scale).to(guess)
        mean = torch.zeros_like(scale)
        if isinstance(self.encoder, LatentEncoder):
            mean = torch.as_tensor(self.encoder.latent_mean).to(guess)
        n_conditions = ranking.shape[1]
        n_corrections = np.clip(self.n_restarts - n_conditions + 1, 0, _N_CORRECTIONS)
        # The guess with each condition, and its corrections.
        guesses = [guess] * n_conditions + self._corrected(guess, ranking[:, 0], n_corrections)
        starts = []
        for number in range(self.n_restarts + 1):
            condition = ranking[:, number % n_conditions]
            moved = number - len(guesses)
            if moved < 0:
                latents = guesses[number]
            elif moved < len(_MOVES):
                part, spread = _MOVES[moved]
                noise = torch.from_numpy(self.noise[moved]).to(guess)
                latents = mean + part * (guess - mean) + spread * noise * scale
            else:
                row = (moved - len(_MOVES)) % len(self.drawn[0])
                latents = self.drawn[0][row].expand_as(guess).clone()
            starts.append((latents, condition))
        return starts

    def _corrected(self, guess, conditions, n):
        """The guess, corrected once, twice and so on up to `n` times."""
        size = self.options.batch_size
        found = [guess]
        for _ in range(n):
            parts = []
            for part in zip(found[-1].split(size), conditions.split(size), strict=True):
                with torch.no_grad():
                    made = in_lanes(self.objective.make, len(part[0]), *part)
                parts.append(self._guess(made)[0].to(guess))
            found.append(found[-1] + guess - torch.cat(parts))
        return found[1:]

    def _search(self, targets, options):
        with self.process.running():
            starts = self._starts(targets)
            like = starts[0][0]
            escapes = [
                None if row is None else torch.from_numpy(row).to(like) for row in self.escapes
            ]
            return search(self.objective, self.metric, targets, starts, options, escapes)

    def learn_bounds(self, X):
        """Distances that starts from which the generator's samples are reproduced stay below.

        Parameters
        ----------
        X : ndarray, shape (n, *sample_shape) or (n, n_features)
            The generator's own samples.

        Returns
        -------
        tuple of float
            One for each checkpoint and one for the end of the trials; none where too few
            samples are reproduced.

        Warns
        -----
        UserWarning
            If many of the samples are not reproduced.
        """
        traces = self._search(self.process.targets(X), self.search)
        share = np.mean([trace.outcome == REPRODUCED for trace in traces])
        if self.search.max_iter and self.process.processing.exact and share < _EXPECTED:
            typical = np.median([trace.distance for trace in traces])
            warnings.warn(
                f"Only {share:.0%} of the model's own samples are reproduced, the median distance "
                f"is {typical:.3g}. Either they were processed after they were generated (pass "
                "processing=), or were made by another version of the generator or in another "
                "precision; or the generator has too many latents for its size, or the encoder "
                "was trained too briefly. The verdicts hold, but say less.",
                UserWarning,
                stacklevel=3,
            )
        if self.search.has_floor:
            paths = [t.path for t in traces if t.n_starts == 1 and t.outcome == REPRODUCED]
        else:
            typical = np.median([trace.distance for trace in traces])
            paths = [t.path for t in traces if t.distance <= _ARRIVED * typical]
        if not self.search.checkpoints or len(paths) < _N_SUCCESSFUL:
            return ()
        # A start that ends before a checkpoint would be no farther there.
        n = len(self.search.checkpoints)
        filled = [path[:-1] + path[-1:] * (n - len(path[:-1])) for path in paths]
        usual = np.quantile(filled, _QUANTILE, axis=0)
        return (*(_MARGIN * usual).tolist(), float(_ENDED * usual[-1]))

    def invert(self, X):
        """Search from the encoder's guess.

        Parameters
        ----------
        X : ndarray, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ReconstructionResult
        """
        traces = self._search(self.process.targets(X), self.search)
        device = self.process.device
        distances = np.array([trace.distance for trace in traces])
        if self.distance != "l2":
            distances = None
        return self._result(
            X,
            torch.stack([trace.latents for trace in traces]),
            torch.tensor([trace.condition for trace in traces], device=device),
            distances,
            np.array([trace.outcome for trace in traces]),
            np.array([trace.n_iter for trace in traces]),
        )
