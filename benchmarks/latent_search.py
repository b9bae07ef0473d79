"""Adam against L-BFGS for the latent search of SM-Inv, at equal numbers of gradients.

Median distances to the best reconstruction, for samples of the model itself and of another.
All start from the same latents. scipy's L-BFGS-B, a sample at a time, stands beside the
batched one; every trial of a line search counts as a gradient. The rows are printed, and
written to ``latent_search.json`` in the folder ``--out``.
"""

import argparse
import json

import numpy as np
import torch
from output import add_out
from scipy.optimize import minimize

from sklearn_flipad import SMInvDetector
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction.search.distances import euclidean_distance
from sklearn_flipad.zoo import load_pretrained

N_SAMPLES, N_RESTARTS, BUDGETS = 8, 4, (100, 300)


def batched(optimizer, generator, X, budget):
    """Best distances of `N_RESTARTS` searches of `budget` gradients each."""
    detector = SMInvDetector(
        generator,
        n_restarts=N_RESTARTS,
        optimizer=optimizer,
        max_iter=budget,
        patience=budget + 1,
    )
    return -detector.score_samples(X)


def scipy_lbfgs(generator, X, budget):
    """The same by scipy, on the squared distance, whose minima are the same."""
    rng = np.random.RandomState(0)
    starts = rng.standard_normal((N_RESTARTS, *generator.latent_shape)).astype(np.float32)
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


def main():
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    generator = load_pretrained("fashion/dcgan-0")
    results = []
    for name in ("fashion/dcgan-0", "fashion/wgan-gp-0"):
        X = sample(load_pretrained(name), N_SAMPLES, random_state=1)
        for budget in BUDGETS:
            row = {"samples of": name, "gradients a restart": budget}
            for optimizer in ("adam", "lbfgs"):
                distances = batched(optimizer, generator, X, budget)
                row[optimizer] = float(np.median(distances))
            row["scipy"] = float(np.median(scipy_lbfgs(generator, X, budget)))
            results.append(row)
            print(row, flush=True)
    (args.out / "latent_search.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
