"""The latent search, many samples side by side.

Each sample starts from latents that an encoder guessed. Quasi-Newton steps in coordinates in
which the generator changes its samples about equally in all directions bring most of a
generator's own samples to the error of rounding. At checkpoints, starts that are farther than the
generator's own samples are there are given up. A sample that is not decided then has further
starts, some side by side, and in the end a few steps of Gauss-Newton. A sample that has ended
leaves the batch, and the next takes its place.
"""

import numpy as np
import torch

from sklearn_flipad.base.lanes import LANES, in_lanes
from sklearn_flipad.reproduction.search.bfgs import BatchedBFGS
from sklearn_flipad.reproduction.search.gauss_newton import levenberg_marquardt
from sklearn_flipad.reproduction.search.lbfgs import BatchedLBFGS
from sklearn_flipad.reproduction.search.records import (
    REJECTED,
    REPRODUCED,
    UNDECIDED,
    SearchRecord,
)

__all__ = ["search_latents"]


def search_latents(objective, metric, targets, starts, plan):
    """The records of the search of targets, shape (n, *sample_shape); none depends on the others.

    `starts` lists pairs of latents (n, n_features) and conditions (n,), in the order of their use:
    the first goes alone, the others in rounds side by side, and the first of a round that arrives
    at the floor ends it. The first ones have a condition each; the others take the best condition
    so far, once a start has ended in a minimum.
    """
    return _Search(objective, metric, targets, starts, plan).run()


class _Search:
    def __init__(self, objective, metric, targets, starts, plan):
        self.objective = objective
        self.metric = metric
        self.targets = targets
        self.starts = starts
        self.plan, self.options = plan, plan.options
        self.scale = torch.from_numpy(metric.scale).to(starts[0][0])
        self.checkpoints = plan.checkpoints
        self.progress = self.options.progress
        if metric.matrix is None:
            self.progress = self.options.slow_progress
        self.floors = objective.floor(targets).cpu().numpy()
        latents, conditions = starts[0]
        self.records = [
            SearchRecord(z, int(c)) for z, c in zip(latents, conditions.tolist(), strict=True)
        ]
        #: Best distances before the present round of each sample.
        self.before = np.full(len(targets), np.inf)
        #: Rounds that wait for places, the next one last: a sample, and numbers of its starts.
        self.waiting = [(sample, [0]) for sample in range(len(targets))][::-1]
        #: Places: each holds a sample and the number of its start, or None.
        self.slots = []

    def run(self):
        if self.plan.max_iter == 0:
            self._only_evaluate()
        elif self.waiting:
            self._make_places()
        while self.waiting or any(self.slots):
            self._fill()
            self._advance()
            self._compact()
        return self.records

    def _only_evaluate(self):
        for begin in range(0, len(self.targets), self.plan.batch_size):
            rows = slice(begin, begin + self.plan.batch_size)
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
        """Make as many places as the samples need, in whole lanes, with something in each."""
        n_lanes = min(max(self.plan.batch_size // LANES, 1), -(-len(self.targets) // LANES))
        self.slots = [None] * (n_lanes * LANES)
        rows = [0] * len(self.slots)
        latents, conditions = (part[rows].clone() for part in self.starts[0])
        self.conditions, self.best_latents = conditions, latents
        self.x = self.targets[rows].clone()
        coordinates = self.metric.to_coordinates(latents)
        if self.metric.matrix is None:
            self.optimizer = BatchedLBFGS(coordinates, memory=self.options.memory)
        else:
            self.optimizer = BatchedBFGS(coordinates, self.options.curvature)
        self.done = np.zeros(len(self.slots), dtype=int)
        self.best = np.full(len(self.slots), np.inf)
        self.reference = [[] for _ in self.slots]

    def _fill(self):
        """Give the rounds that wait a place for each start."""
        free = [place for place, slot in enumerate(self.slots) if slot is None]
        entering = []
        while self.waiting and len(self.waiting[-1][1]) <= len(free):
            sample, numbers = self.waiting.pop()
            self.before[sample] = self.records[sample].distance
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
        """Latents (n_features,) of a start, and its condition."""
        latents, conditions = (part[sample] for part in self.starts[number])
        record = self.records[sample]
        if number < self.plan.n_conditions or record.n_given_up == record.n_starts:
            return latents, int(conditions)
        return latents, record.condition

    def _compact(self):
        """Drop places that no start needs, in whole lanes."""
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
        """Make one trial of each start, and end the starts that are done."""
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
        if len(reference) > self.options.window:
            before = reference.pop(0)
            moves = before and self.best[place] < np.inf
            left = self.best[place] / before if moves else 1.0
        # From the paths of first starts, bounds are learned.
        path = self.records[sample].path if number == 0 else []
        if done in self.checkpoints:
            path.append(distance)
            checkpoint = self.checkpoints.index(done)
            if left > (1 - self.options.slow) ** 2 and self._is_beyond(checkpoint, distance):
                self._give_up(place)
                return
        settled = distance <= self.floors[sample] and self._has_settled(reference)
        goes_on = not settled and left < 1 - self.progress and done < self.plan.max_iter
        if goes_on and not (done % self.options.window == 0 and done and self._is_back(place)):
            return
        path.append(distance)
        if self._is_beyond(-1, distance):
            self._give_up(place)
        else:
            self._arrive(place)

    def _has_settled(self, squares):
        """Whether the last trials hardly made the squared distance smaller."""
        n = self.options.settling
        before = squares[-1 - n] if len(squares) > n else np.inf
        return squares[-1] >= (1 - self.options.settled) * before

    def _is_beyond(self, number, distance):
        """Whether a start is farther than those that reproduced the generator's own samples."""
        return bool(self.plan.bounds) and distance > self.plan.bounds[number]

    def _give_up(self, place):
        sample, number = self.slots[place]
        record = self.records[sample]
        limit = self.options.nearer * self.before[sample]
        is_nearer = number > 0 and np.sqrt(self.best[place]) < limit
        record.n_given_up += 1
        record.n_in_vain += not is_nearer
        self._leave(place)
        self._go_on(sample)

    def _arrive(self, place):
        """End a start whose trials have ended, and perhaps the search of its sample."""
        sample, _ = self.slots[place]
        record = self.records[sample]
        is_back = self._is_back(place)
        self._leave(place)
        record.is_confirmed |= is_back
        close = record.distance <= self.options.close * self.floors[sample]
        if record.distance <= self.floors[sample] or (is_back and close):
            for other in self._places_of(sample):
                self._leave(other)
            self._conclude(sample)
        else:
            self._go_on(sample)

    def _is_back(self, place):
        """Whether a start is at the minimum that is the best so far."""
        record = self.records[self.slots[place][0]]
        if record.n_given_up == record.n_starts or self.conditions[place] != record.condition:
            return False
        apart = (self.best_latents[place] - record.latents) / self.scale
        return bool(apart.square().mean() <= self.options.same**2)

    def _places_of(self, sample):
        return [place for place, slot in enumerate(self.slots) if slot and slot[0] == sample]

    def _leave(self, place):
        sample, _ = self.slots[place]
        record = self.records[sample]
        record.n_iter += int(self.done[place])
        record.n_starts += 1
        value = self.best[place]
        self._improve(sample, self.best_latents[place], self.conditions[place], value)
        self.slots[place] = None

    def _go_on(self, sample):
        """Begin the next round of a sample after the last start of one, or end its search."""
        if self._places_of(sample):
            return
        record = self.records[sample]
        used = record.n_starts
        all_given_up = record.n_given_up == used
        if all_given_up:
            size = max(self.plan.n_chances - record.n_in_vain, 0)
        else:
            is_nearer = record.distance < self.options.nearer * self.before[sample]
            goes_on = is_nearer or not record.is_confirmed or used < self.plan.n_conditions
            size = self.options.round_size if goes_on and self.plan.has_floor else 0
        numbers = list(range(used, min(used + size, len(self.starts))))
        if numbers:
            self.waiting.append((sample, numbers))
        elif all_given_up:
            record.outcome = REJECTED
        else:
            self._conclude(sample)

    def _improve(self, sample, latents, condition, value):
        distance = float(np.sqrt(float(value)))
        record = self.records[sample]
        if distance < record.distance:
            record.latents, record.condition = latents.clone(), int(condition)
            record.distance, record.is_confirmed = distance, False

    def _conclude(self, sample):
        """End the search of a sample, by Gauss-Newton if it is at no floor or confirmed minimum."""
        record, floor = self.records[sample], self.floors[sample]
        if self.plan.n_newton and record.distance > floor and not record.is_confirmed:
            latents, value, n_iter = levenberg_marquardt(
                self.objective,
                record.latents[None],
                torch.tensor([record.condition], device=self.targets.device),
                self.targets[sample : sample + 1],
                self.scale,
                max_iter=self.plan.n_newton,
            )
            record.n_iter += n_iter
            self._improve(sample, latents[0], record.condition, value)
        record.outcome = REPRODUCED if record.distance <= floor else UNDECIDED
