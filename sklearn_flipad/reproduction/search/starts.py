"""Starting points of the latent search."""

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.randomness import Purpose, separate_stream

__all__ = ["Starts", "draw_starts"]


def draw_starts(process, n, random_state):
    """Random latents (n, n_features) and conditions (n,)."""
    rng = separate_stream(random_state, Purpose.RANDOM_STARTS)
    ((latents, conditions),) = process.draw_latents(n, rng)
    return latents, conditions


class Starts:
    """The encoder's guess, its corrections, parts of it with noise, and random latents.

    Random numbers are drawn once, so that the starts of a sample do not depend on the others.
    """

    def __init__(self, process, encoder, metric, plan, random_state):
        self.encoder, self.plan = encoder, plan
        self.dtype = process.latent_dtype
        self.scale, self.moves = metric.scale, plan.options.moves
        self.n_features = n_features = process.n_features
        rng = separate_stream(random_state, Purpose.START_NOISE)
        self.noise = rng.standard_normal((len(self.moves), n_features))
        n_drawn = plan.n_restarts - plan.options.n_corrections - len(self.moves)
        self.drawn, _ = draw_starts(process, max(n_drawn, 1), random_state)

    def of(self, targets, make, numbers=None):
        """Pairs of latents (n, n_features) and conditions (n,), in the order of their use.

        `make` maps latents, conditions and targets to processed samples; conditions are raised by
        `numbers`, if given.
        """
        guess, ranking = self._guess(targets)
        ranking = ranking if numbers is None else ranking + numbers.to(ranking)[:, None]
        scale = torch.from_numpy(self.scale).to(guess)
        mean = torch.as_tensor(self.encoder.latent_mean, device="cpu").to(guess)
        mean = self._filled(mean[None])[0]
        n_conditions, n_restarts = ranking.shape[1], self.plan.n_restarts
        n_corrections = self.plan.options.n_corrections
        n_corrections = np.clip(n_restarts - n_conditions + 1, 0, n_corrections)
        # The guess with each condition, and its corrections.
        guesses = [guess] * n_conditions + self._corrected(
            targets, guess, ranking[:, 0], n_corrections, make
        )
        starts = []
        for number in range(n_restarts + 1):
            condition = ranking[:, number % n_conditions]
            moved = number - len(guesses)
            if moved < 0:
                latents = guesses[number]
            elif moved < len(self.moves):
                part, spread = self.moves[moved]
                noise = torch.from_numpy(self.noise[moved]).to(guess)
                latents = mean + part * (guess - mean) + spread * noise * scale
            else:
                row = (moved - len(self.moves)) % len(self.drawn)
                latents = self.drawn[row].expand_as(guess).clone()
            starts.append((latents, condition))
        return starts

    def _guess(self, targets):
        guess, ranking = self.encoder.guess(targets)
        return self._filled(guess.to(self.dtype)), ranking

    def _filled(self, guess):
        """Guesses of an encoder that knows no boxes, with the whole image as the box."""
        missing = self.n_features - guess.shape[1]
        if not missing:
            return guess
        if missing < 0:
            return guess[:, : self.n_features]
        return torch.cat([guess, guess.new_zeros(len(guess), missing)], dim=1)

    def _corrected(self, targets, guess, conditions, n, make):
        """The guess, corrected once, twice and so on up to `n` times."""
        size = self.plan.batch_size
        found = [guess]
        for _ in range(n):
            parts = []
            rows = (found[-1], conditions, targets)
            for part in zip(*(part.split(size) for part in rows), strict=True):
                with torch.no_grad():
                    made = in_lanes(make, len(part[0]), *part)
                parts.append(self._guess(made)[0])
            found.append(found[-1] + guess - torch.cat(parts))
        return found[1:]
