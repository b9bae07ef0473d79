"""Where reproduction ends: a generator whose latents are as many as the elements of its samples.

The ECG generator of the package deepfake-ecg (MIT) makes 8 leads of 5,000 values from 8 x 5,000
uniform ones. Its own samples, those of a copy with noise on its weights, and series that are no
ECG at all are inverted by L-BFGS from a random start. Root mean square errors, as shares of each
sample's own root mean square, go to ``large_latents.json`` in the folder ``--out``.
"""

import argparse
import io
import json
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from output import add_out
from packages import downloaded

from sklearn_flipad import SMInvDetector
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.generators import sample

SHAPE = (8, 5000)


def ecg_generator():
    """The generator, from its wheel."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = downloaded("deepfake-ecg==1.1.2", Path(folder))
        with zipfile.ZipFile(wheel) as content:
            content.extract("deepfakeecg/models/pulse2pulse.py", folder)
            state = content.read("deepfakeecg/checkpoints/g_stat.pt")
        # Its package imports what is not needed here.
        sys.path.insert(0, str(Path(folder) / "deepfakeecg" / "models"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # old names of initializers
            from pulse2pulse import Pulse2pulseGenerator

            generator = Pulse2pulseGenerator(model_size=50)
    state = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
    generator.load_state_dict(state["stat_dict"])
    return generator.eval()


def uniform(n, rng):
    """Latents: as in the package, uniform on [-1, 1]."""
    return rng.uniform(-1, 1, (n, *SHAPE)).astype(np.float32)


def random_walks(n, rng):
    """Samples that no generator made, on the scale of its own."""
    walks = np.cumsum(rng.standard_normal((n, *SHAPE)), axis=2)
    walks -= walks.mean(axis=2, keepdims=True)
    return (0.1 * walks / walks.std(axis=2, keepdims=True)).astype(np.float32).clip(-1, 1)


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    parser.add_argument("--n", type=int, default=4, help="samples of each source")
    parser.add_argument("--max-iter", type=int, default=200, help="gradients")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    generator, rng = ecg_generator(), np.random.default_rng(0)
    sources = {"own": sample(generator, args.n, sampler=uniform, random_state=1, dtype="float32")}
    copy = noisy_copy(generator, 0.2, where="earlier", sampler=uniform, random_state=0)
    sources["copy, 20 % of noise"] = sample(
        copy, args.n, sampler=uniform, random_state=1, dtype="float32"
    )
    sources["random walks"] = random_walks(args.n, rng)
    # One random start is enough: there are as many latents as elements.
    detector = SMInvDetector(
        generator, sampler=uniform, optimizer="lbfgs", n_restarts=1, max_iter=args.max_iter
    )
    result = {"n": args.n, "max_iter": args.max_iter, "sources": {}}
    for name, X in sources.items():
        start = time.perf_counter()
        found = detector.reconstruct(X)
        scale = np.sqrt(np.square(X.astype(float)).reshape(len(X), -1).mean(axis=1))
        errors = np.sort(found.distances / scale)
        result["sources"][name] = {
            "relative_errors": [float(f"{e:.3g}") for e in errors],
            "seconds": round((time.perf_counter() - start) / len(X), 1),
        }
        print(name, result["sources"][name], flush=True)
    (args.out / "large_latents.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
