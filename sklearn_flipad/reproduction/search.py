"""The search for the latents that reproduce a sample, many samples side by side.

Each sample starts from latents that an encoder guessed. Quasi-Newton steps in coordinates in
which the generator changes its samples about equally in all directions bring most of a
generator's own samples to the error of rounding. At checkpoints, starts that are farther than the
generator's own samples are there are given up. A sample that is not decided then has further
starts, some side by side, and in the end a few steps of Gauss-Newton. One that has ended leaves the
batch, and the next takes its place.
"""

import numpy as np
import torch

from sklearn_flipad.base.lanes import LANES, in_lanes
from sklearn_flipad.reproduction.bfgs import BatchedBFGS
from sklearn_flipad.reproduction.gauss_newton import levenberg_marquardt
from sklearn_flipad.reproduction.lbfgs import BatchedLBFGS
from sklearn_flipad.reproduction.traces import REJECTED, REPRODUCED, UNDECIDED, Trace

__all__ = ["search"]

#: Curvature that BFGS expects at first: ten times that of a mean squared residual in the metric's
#: coordinates. Far from the sample, first steps of full length lead astray.
_CURVATURE = 20.0
#: Pairs that L-BFGS keeps, where the latents are too many for a matrix of them.
_MEMORY = 20
#: Trials in which the squared distance must fall by more than this part: with BFGS and with L-BFGS,
#: which is slower. Own samples hardly ever halt above the floor; what is not own ends sooner.
_WINDOW, _PROGRESS, _SLOW_PROGRESS = 10, 0.02, 2e-3
#: A start is slow if the distance fell by less than this part in as many trials.
_SLOW = 0.15
#: At the floor, a search has arrived whose squared distance fell by less than this part in the
#: last trials.
_SETTLING, _SETTLED = 5, 0.01
#: A start that came nearer than this part of the best distance before it is none in vain: the
#: first one misled.
_NEARER = 0.8
#: The first start goes alone. As long as all were given up, those follow that a rejection still
#: takes; otherwise so many, until one comes back to the best minimum and none leads nearer.
_ROUND = 4
#: Two starts that end nearer to each other than this part of the latents' deviations have found
#: the same minimum. Within so many floors of the sample others would too.
_SAME, _CLOSE = 0.02, 3.0


def search(objective, metric, targets, starts, options, escapes=()):
    """Search the latents of samples.

    Parameters
    ----------
    objective : Objective
        What is to become small.
    metric : LatentMetric
        Coordinates for the search.
    targets : torch.Tensor, shape (n, *sample_shape)
        The samples.
    starts : list of (torch.Tensor, torch.Tensor)
        Starting points, in the order in which they are used: latents of shape
        ``(n, n_features)`` and numbers of conditions of shape ``(n,)``. The first goes alone,
        the others in rounds: those of one round are side by side, and the first of them that
        arrives at the floor ends it.
    options : SearchOptions
        How long to search.
    escapes : list of torch.Tensor or None, default=()
        What leads out of a minimum, for the last starts. After a round in which a start of a
        sample has ended in a minimum that is not the sample, they take the condition that was best
        so far, and where this is noise, shape ``(n_features,)``, the best latents plus noise.

    Returns
    -------
    list of Trace
        One for each sample; it does not depend on the others.
    """
    return _Search(objective, metric, targets, starts, options, escapes).run()


class _Search:
    def __init__(self, objective, metric, targets, starts, options, escapes):
        self.objective = objective
        self.metric = metric
        self.targets = targets
        self.starts = starts
        self.options = options
        self.escapes = escapes
        self.n_guesses = len(starts) - len(escapes)
        self.scale = torch.from_numpy(metric.scale).to(starts[0][0])
        self.progress = _SLOW_PROGRESS if metric.matrix is None else _PROGRESS
        self.floors = objective.floor(targets).cpu().numpy()
        latents, conditions = starts[0]
        self.traces = [Trace(z, int(c)) for z, c in zip(latents, conditions.tolist(), strict=True)]
        #: Best distances before the present round of each sample.
        self.before = np.full(len(targets), np.inf)
        #: Rounds that wait for places, the next one last: a sample, and numbers of its starts.
        self.waiting = [(sample, [0]) for sample in range(len(targets))][::-1]
        #: Places: each holds a sample and the number of its start, or None.
        self.slots = []

    def run(self):
        if self.options.max_iter == 0:
            self._only_evaluate()
        elif self.waiting:
            self._make_places()
        while self.waiting or any(self.slots):
            self._fill()
            self._advance()
            self._compact()
        return self.traces

    def _only_evaluate(self):
        for begin in range(0, len(self.targets), self.options.batch_size):
            rows = slice(begin, begin + self.options.batch_size)
            latents, conditions = (part[rows] for part in self.starts[0])
            x = self.targets[rows]
            residuals = in_lanes(self.objective.residuals, len(x), latents, conditions, x)
            for sample, value in zip(
                range(begin, begin + len(x)), residuals.square().mean(dim=1), strict=True
            ):
                self._improve(sample, latents[sample - begin], conditions[sample - begin], value)
                self._conclude(sample)
        self.waiting = []

    # The places

    def _make_places(self):
        """As many as the samples need, in whole lanes, with something in each."""
        n_lanes = min(max(self.options.batch_size // LANES, 1), -(-len(self.targets) // LANES))
        self.slots = [None] * (n_lanes * LANES)
        rows = [0] * len(self.slots)
        latents, conditions = (part[rows].clone() for part in self.starts[0])
        self.conditions, self.best_latents = conditions, latents
        self.x = self.targets[rows].clone()
        coordinates = self.metric.to_coordinates(latents)
        if self.metric.matrix is None:
            self.optimizer = BatchedLBFGS(coordinates, memory=_MEMORY)
        else:
            self.optimizer = BatchedBFGS(coordinates, _CURVATURE)
        self.done = np.zeros(len(self.slots), dtype=int)
        self.best = np.full(len(self.slots), np.inf)
        self.reference = [[] for _ in self.slots]

    def _fill(self):
        """Give the rounds that wait a place for each start."""
        free = [place for place, slot in enumerate(self.slots) if slot is None]
        entering = []
        while self.waiting and len(self.waiting[-1][1]) <= len(free):
            sample, numbers = self.waiting.pop()
            self.before[sample] = self.traces[sample].distance
            for number in numbers:
                entering.append(free.pop(0))
                self.slots[entering[-1]] = sample, number
        if entering:
            self._enter(entering)

    def _enter(self, places):
        samples = [self.slots[place][0] for place in places]
        starts = [self._start(*self.slots[place]) for place in places]
        latents = torch.stack([latents for latents, _ in starts])
        rows = torch.tensor(places, device=latents.device)
        self.conditions[rows] = self.conditions.new_tensor([c for _, c in starts])
        self.x[rows], self.best_latents[rows] = self.targets[samples], latents
        self.optimizer.restart(rows, self.metric.to_coordinates(latents))
        for place in places:
            self.done[place], self.best[place], self.reference[place] = 0, np.inf, []

    def _start(self, sample, number):
        """The latents of a start, and its condition."""
        latents, conditions = (part[sample] for part in self.starts[number])
        trace = self.traces[sample]
        if number < self.n_guesses or trace.n_given_up == trace.n_starts:
            return latents, int(conditions)
        noise = self.escapes[number - self.n_guesses]
        return latents if noise is None else trace.latents + noise, trace.condition

    def _compact(self):
        """Drop places that nobody needs, in whole lanes."""
        taken = [place for place, slot in enumerate(self.slots) if slot is not None]
        n_kept = -(-len(taken) // LANES) * LANES
        if self.waiting or n_kept == len(self.slots):
            return
        free = [place for place, slot in enumerate(self.slots) if slot is None]
        kept = (taken + free)[:n_kept]
        self.slots = [self.slots[place] for place in kept]
        rows = torch.tensor(kept, dtype=torch.int64, device=self.x.device)
        self.optimizer.keep(rows)
        self.conditions, self.x = self.conditions[rows], self.x[rows]
        self.best_latents = self.best_latents[rows]
        self.done, self.best = self.done[kept], self.best[kept]
        self.reference = [self.reference[place] for place in kept]

    # The search of each

    def _advance(self):
        """One trial for all, and the ends of those that have come to one."""
        latents = self.metric.to_latents(self.optimizer.z)
        values, gradients = self.objective.values_and_gradients(latents, self.conditions, self.x)
        squares = values.double().cpu().numpy()
        better = squares < self.best
        self.best = np.where(better, squares, self.best)
        mask = torch.from_numpy(better).to(latents.device)
        self.best_latents = torch.where(mask[:, None], latents, self.best_latents)
        self.optimizer.step(values, self.metric.gradients(gradients))
        for place in range(len(self.slots)):
            if self.slots[place] is not None:
                self._look_at(place)
        self.done += 1

    def _look_at(self, place):
        sample, number = self.slots[place]
        done, distance = int(self.done[place]), np.sqrt(self.best[place])
        reference = self.reference[place]
        reference.append(self.best[place])
        left = 0.0  # of the squared distance, after the last trials
        if len(reference) > _WINDOW:
            before = reference.pop(0)
            moves = before and self.best[place] < np.inf
            left = self.best[place] / before if moves else 1.0
        # From the paths of first starts, bounds are learned.
        path = self.traces[sample].path if number == 0 else []
        if done in self.options.checkpoints:
            path.append(distance)
            checkpoint = self.options.checkpoints.index(done)
            if left > (1 - _SLOW) ** 2 and self._is_beyond(checkpoint, distance):
                self._give_up(place)
                return
        settled = distance <= self.floors[sample] and self._has_settled(reference)
        goes_on = not settled and left < 1 - self.progress and done < self.options.max_iter
        if goes_on and not (done % _WINDOW == 0 and done and self._is_back(place)):
            return
        path.append(distance)
        if self._is_beyond(-1, distance):
            self._give_up(place)
        else:
            self._arrive(place)

    @staticmethod
    def _has_settled(squares):
        """Whether the last trials brought next to nothing."""
        before = squares[-1 - _SETTLING] if len(squares) > _SETTLING else np.inf
        return squares[-1] >= (1 - _SETTLED) * before

    def _is_beyond(self, number, distance):
        """Whether a start is farther than those that reproduce the generator's own samples."""
        return bool(self.options.bounds) and distance > self.options.bounds[number]

    def _give_up(self, place):
        sample, number = self.slots[place]
        trace = self.traces[sample]
        is_nearer = number > 0 and np.sqrt(self.best[place]) < _NEARER * self.before[sample]
        trace.n_given_up += 1
        trace.n_in_vain += not is_nearer
        self._leave(place)
        self._go_on(sample)

    def _arrive(self, place):
        """The end of a start's trials, and whether that is all."""
        sample, _ = self.slots[place]
        trace = self.traces[sample]
        is_back = self._is_back(place)
        self._leave(place)
        trace.is_confirmed |= is_back
        close = trace.distance <= _CLOSE * self.floors[sample]
        if trace.distance <= self.floors[sample] or (is_back and close):
            for other in self._places_of(sample):
                self._leave(other)
            self._conclude(sample)
        else:
            self._go_on(sample)

    def _is_back(self, place):
        """Whether a start is at the minimum that is the best so far."""
        trace = self.traces[self.slots[place][0]]
        if trace.n_given_up == trace.n_starts or self.conditions[place] != trace.condition:
            return False
        apart = (self.best_latents[place] - trace.latents) / self.scale
        return bool(apart.square().mean() <= _SAME**2)

    def _places_of(self, sample):
        return [place for place, slot in enumerate(self.slots) if slot and slot[0] == sample]

    def _leave(self, place):
        sample, _ = self.slots[place]
        trace = self.traces[sample]
        trace.n_iter += int(self.done[place])
        trace.n_starts += 1
        value = self.best[place]
        self._improve(sample, self.best_latents[place], self.conditions[place], value)
        self.slots[place] = None

    def _go_on(self, sample):
        """After the last start of a round: the next round, or the end."""
        if self._places_of(sample):
            return
        trace = self.traces[sample]
        used = trace.n_starts
        all_given_up = trace.n_given_up == used
        if all_given_up:
            size = max(self.options.n_chances - trace.n_in_vain, 0)
        else:
            is_nearer = trace.distance < _NEARER * self.before[sample]
            goes_on = is_nearer or not trace.is_confirmed or used < self.n_guesses
            size = _ROUND if goes_on and self.options.has_floor else 0
        numbers = list(range(used, min(used + size, len(self.starts))))
        if numbers:
            self.waiting.append((sample, numbers))
        elif all_given_up:
            trace.outcome = REJECTED
        else:
            self._conclude(sample)

    def _improve(self, sample, latents, condition, value):
        distance = float(np.sqrt(float(value)))
        trace = self.traces[sample]
        if distance < trace.distance:
            trace.latents, trace.condition = latents.clone(), int(condition)
            trace.distance, trace.is_confirmed = distance, False

    def _conclude(self, sample):
        """Gauss-Newton for what has neither arrived nor found a sure minimum, and the outcome."""
        trace, floor = self.traces[sample], self.floors[sample]
        if self.options.n_newton and trace.distance > floor and not trace.is_confirmed:
            latents, value, n_iter = levenberg_marquardt(
                self.objective,
                trace.latents[None],
                torch.tensor([trace.condition], device=self.targets.device),
                self.targets[sample : sample + 1],
                self.scale,
                max_iter=self.options.n_newton,
            )
            trace.n_iter += n_iter
            self._improve(sample, latents[0], trace.condition, value)
        trace.outcome = REPRODUCED if trace.distance <= floor else UNDECIDED
