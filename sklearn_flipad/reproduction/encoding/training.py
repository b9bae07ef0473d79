"""Training of an encoder on the samples that a generator makes, resumable."""

import copy
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.base.modules import (
    check_returned,
    device_of,
    float_type_of,
    moved_to,
    unwrap,
)
from sklearn_flipad.base.precision import plain_defaults
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.randomness import Purpose, seeded, separate_stream
from sklearn_flipad.reproduction.encoding.networks import make_encoder_network, n_outputs_of
from sklearn_flipad.reproduction.search.latent_search import search_latents
from sklearn_flipad.reproduction.search.metric import LatentMetric, deviations
from sklearn_flipad.reproduction.search.noise import objective_and_metric, with_noise
from sklearn_flipad.reproduction.search.plan import SearchPlan
from sklearn_flipad.reproduction.search.records import REPRODUCED
from sklearn_flipad.storage.files import writable_path, write_atomically

__all__ = ["TrainedEncoder", "train_encoder"]

#: Samples from which means and deviations are taken.
_N_SEEN = 512
#: Fresh samples of a look, and trials of the search from the guesses.
_N_FRESH, _N_TRIALS = 32, 50
#: Looks at fresh samples, and checkpoints, in a whole training.
_N_LOOKS = 5
_N_CHECKPOINTS = 50


@dataclass(frozen=True)
class TrainedEncoder:
    """The end of a training.

    `history` is that of :class:`~sklearn_flipad.LatentEncoder`; `statistics` holds ``mean`` and
    ``deviation`` of the values of samples, and ``latent_mean`` and ``latent_scale``, arrays of
    shape (n_features,).
    """

    module: nn.Module
    metric: LatentMetric
    history: list
    statistics: dict


def train_encoder(
    process, module, *, max_steps, batch_size, lr, random_state, checkpoint=None, verbose=0
):
    """Train a network to guess the latents of a process's samples; see LatentEncoder."""
    training = _Training(process, module, max_steps, batch_size, lr, random_state)
    if checkpoint is not None:
        training.resume(Path(checkpoint))
    with progress(
        max_steps, "training the encoder, steps", verbose=verbose, initial=training.step
    ) as bar:
        while training.step < max_steps and not training.is_good_enough:
            training.advance()
            bar.update()
            if training.step % max(max_steps // _N_LOOKS, 1) == 0:
                training.look()
                last = training.history[-1]
                bar.set_postfix_str(
                    f"error {last['error']:.3f}, reproduced {last['reproduced']:.0%}"
                )
            if checkpoint is not None and training.step % -(-max_steps // _N_CHECKPOINTS) == 0:
                training.write(Path(checkpoint))
    if not training.history or training.history[-1]["step"] != training.step:
        training.look()
    if checkpoint is not None:
        training.write(Path(checkpoint))
    return TrainedEncoder(training.module, training.metric, training.history, training.statistics)


class _Training:
    def __init__(self, process, module, max_steps, batch_size, lr, random_state):
        self.process = process
        self.batch_size = batch_size
        self.random_state = random_state
        n_features = process.n_features
        self.n_conditions = len(process.space.conditions)
        if module is None:
            n_outputs = n_outputs_of(n_features, self.n_conditions)
            with seeded(random_state), plain_defaults():
                module = make_encoder_network(process.sample_shape, n_outputs)
        module = moved_to(unwrap(module, "module"), device_of(module))
        if float_type_of(module) not in (None, torch.float32):
            raise ValueError(
                f"module computes in {str(float_type_of(module)).removeprefix('torch.')}: pass it "
                "in single precision, module.float(), in which it is trained."
            )
        # In channels-last format, a step takes up to a fifth less on a CPU.
        self.module = _channels_last(copy.deepcopy(module).to(process.device))
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=lr)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, lr, total_steps=max_steps + 1
        )
        self.step, self.history = 0, []
        self._take_statistics()
        self.settings = {
            "max_steps": max_steps,
            "batch_size": batch_size,
            "lr": float(lr),
            "random_state": random_state,
            "network": _digest(module.state_dict()),
            "generator": _digest(process.generator.state_dict()),
            "output_range": str(process.output_range),
            "processing": repr(process.processing.steps),
        }

    @property
    def is_good_enough(self):
        if not self.history or self.history[-1]["reproduced"] < 1.0:
            return False
        # Within noise that is not searched, even a poor guess seems to be reproduced.
        return self.process.noise is not None or not self.process.noise_variance

    def _take_statistics(self):
        rng = separate_stream(self.random_state, Purpose.ENCODER_STATISTICS)
        X, latents, conditions = zip(*self.process.draw(_N_SEEN, rng), strict=True)
        targets = torch.cat([self.process.targets(x) for x in X])
        latents, conditions = torch.cat(latents), torch.cat(conditions)
        scale = deviations(latents)
        self.statistics = {
            "mean": float(targets.mean()),
            "deviation": max(float(targets.std()), 1e-12),
            "latent_mean": latents.mean(dim=0).double().cpu().numpy(),
            "latent_scale": scale.double().cpu().numpy(),
        }
        self.metric = LatentMetric.estimate(self.process, latents, conditions, targets, scale)
        self.latent_mean, self.latent_scale = latents.mean(dim=0).float(), scale.float()

    def _batch(self, rng, n):
        ((X, latents, conditions),) = self.process.draw(n, rng, batch_size=n)
        x = self.process.targets(X)
        standardized = (x.float() - self.statistics["mean"]) / self.statistics["deviation"]
        return x, standardized, latents.float(), conditions

    def _loss(self, outputs, latents, conditions):
        n_features = latents.shape[1]
        wanted = (latents - self.latent_mean) / self.latent_scale
        error = (outputs[:, :n_features] - wanted).square().mean()
        if self.n_conditions == 1:
            return error, error
        return error + nn.functional.cross_entropy(outputs[:, n_features:], conditions), error

    def advance(self):
        """Make one step, whose samples depend on its number alone."""
        rng = np.random.RandomState([self.random_state, Purpose.ENCODER_TRAINING, self.step])
        _, x, latents, conditions = self._batch(rng, self.batch_size)
        self.module.train()
        # Seeded for what the network draws, such as dropout.
        with torch.enable_grad(), seeded(self.random_state + self.step, x.device):
            outputs = check_returned(self.module(_channels_last(x)), "module", "latents").flatten(1)
            _check_outputs(outputs, n_outputs_of(latents.shape[1], self.n_conditions))
            loss, _ = self._loss(outputs, latents, conditions)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.schedule.step()
        self.step += 1

    @torch.no_grad()
    def look(self):
        """Note the error on fresh samples, and the share that a short search reproduces."""
        rng = separate_stream(self.random_state, Purpose.ENCODER_VALIDATION)
        x, standardized, latents, conditions = self._batch(rng, _N_FRESH)
        self.module.eval()
        outputs = in_lanes(self.module, len(standardized), standardized).flatten(1)
        _, error = self._loss(outputs, latents, conditions)
        n_features = latents.shape[1]
        start = outputs[:, :n_features] * self.latent_scale + self.latent_mean
        if self.n_conditions > 1:
            conditions = outputs[:, n_features:].argmax(dim=1)
        share = 0.0
        if self.process.has_gradients and self.process.processing.exact:
            start = with_noise(start.to(self.process.latent_dtype), self.process)
            searched = objective_and_metric(self.process, self.metric, self.random_state)
            with self.process.running():
                records = search_latents(*searched, x, [(start, conditions)], SearchPlan(_N_TRIALS))
            share = float(np.mean([record.outcome == REPRODUCED for record in records]))
        self.history.append({"step": self.step, "error": float(error), "reproduced": share})

    def write(self, path):
        state = {
            "settings": self.settings,
            "step": self.step,
            "history": self.history,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        write_atomically(path, lambda file: torch.save(state, file))

    def resume(self, path):
        """Continue from a checkpoint, if there is one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path = writable_path(path)  # before hours of training
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            settings = state["settings"]
        except OSError:
            raise
        except Exception as error:  # a damaged file can fail in any way
            raise ValueError(
                f"{path} is no checkpoint of a LatentEncoder, or is damaged. Delete it to train "
                "from the start, or give another path."
            ) from error
        different = [k for k in self.settings if settings.get(k) != self.settings[k]]
        if different:
            raise ValueError(
                f"The checkpoint {path} is that of a training with another "
                f"{', '.join(different)}. Continue with the same, or give another path."
            )
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.schedule.load_state_dict(state["schedule"])
        self.step, self.history = state["step"], state["history"]


def _channels_last(x):
    """A network or samples, in channels-last format where they are of images."""
    if torch.is_tensor(x) and x.ndim != 4:
        return x
    return x.to(memory_format=torch.channels_last)


def _check_outputs(outputs, n_outputs):
    if outputs.shape[1] != n_outputs:
        raise ValueError(
            f"module returns {outputs.shape[1]} numbers for a sample; the generator's latents and "
            f"conditions take {n_outputs}."
        )


def _digest(state):
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
