"""Adam against L-BFGS for the latent search of SM-Inv, at equal numbers of gradients.

Median distances to the best reconstruction, for samples of the model itself and of another. All
start from the same latents. scipy's L-BFGS-B, a sample at a time, stands beside the batched one;
every trial of a line search counts as a gradient.
"""

import numpy as np
import torch
from scipy.optimize import minimize

from benchmarks.options import Option
from sklearn_flipad import SMInvDetector
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction.search.distances import euclidean_distance
from sklearn_flipad.zoo import load_pretrained

KEYS = ("samples of", "gradients a restart")
OPTIONS = (
    Option("n", 8, 2, "samples of each generator"),
    Option("restarts", 4, 1),
    Option("budgets", (100, 300), (5,), "gradients a restart", selects=True),
)


def batched(optimizer, generator, X, budget, n_restarts):
    """Best distances of searches of `budget` gradients each, as `euclidean_distance` has them."""
    detector = SMInvDetector(
        generator,
        n_restarts=n_restarts,
        optimizer=optimizer,
        max_iter=budget,
        patience=budget + 1,
    )
    # The detector's are root mean squares in gray levels.
    return -detector.score_samples(X) / (127.5 * np.sqrt(X[0].size))


def scipy_lbfgs(generator, X, budget, n_restarts):
    """The same by scipy, on the squared distance, whose minima are the same."""
    rng = np.random.RandomState(0)
    starts = rng.standard_normal((n_restarts, *generator.latent_shape)).astype(np.float32)
    best = np.full(len(X), np.inf)
    for index, image in enumerate(torch.from_numpy(X).float() / 127.5 - 1):
        for start in starts:
            least = [np.inf]

            def objective(flat, image=image, least=least):
                z = torch.tensor(flat, dtype=torch.float32).reshape(1, *generator.latent_shape)
                z.requires_grad_(True)
                distance = euclidean_distance(image[None], generator(z))
                least[0] = min(least[0], distance.item())
                square = torch.square(distance * image.numel())
                (gradient,) = torch.autograd.grad(square.sum(), z)
                return square.item(), gradient.double().numpy().ravel()

            options = {"maxfun": budget, "maxiter": budget, "ftol": 0, "gtol": 0, "maxcor": 10}
            minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
            best[index] = min(best[index], least[0])
    return best


def run(options, results):
    """Compare the searches by their budget."""
    generator = load_pretrained("fashion/dcgan-0")
    for name in ("fashion/dcgan-0", "fashion/wgan-gp-0"):
        X = sample(load_pretrained(name), options.n, random_state=1)
        for budget in options.budgets:
            if results.has(name, budget):
                continue
            row = {"samples of": name, "gradients a restart": budget}
            for optimizer in ("adam", "lbfgs"):
                distances = batched(optimizer, generator, X, budget, options.restarts)
                row[optimizer] = float(np.median(distances))
            distances = scipy_lbfgs(generator, X, budget, options.restarts)
            results.add({**row, "scipy": float(np.median(distances))})
