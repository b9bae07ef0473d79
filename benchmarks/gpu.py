"""Inversion, detection and reproduction on a CUDA device, with the CPU beside it in one run.

All parts are of the public 64x64 DCGAN but for the layer of a latent-diffusion decoder. One line
of JSON for each part and device is appended to ``gpu.jsonl`` in the folder ``--out``: seconds,
and how far the results are from those of the CPU. The last part judges samples that the owner's
generator made on the device in each arithmetic that torch has, with an attributor that was
fitted to samples of single precision. ``--small`` runs a part of everything.
"""

import argparse
import copy
import json
import time
from collections import Counter
from functools import partial

import numpy as np
import torch
from ladder_suspects import PUBLIC, Owner
from output import add_out
from reproduction import suspects
from sizes import CASES, LAM, targets

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    FinalLayerInverter,
    LatentEncoder,
    make_reproduction,
)
from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.generators import latent_batches, sample
from sklearn_flipad.operators import ConvOperator
from sklearn_flipad.solvers import DouglasRachford, LassoProblem

FNR = 0.005
#: In which the owner's samples may have been made, and the type of autocast.
ARITHMETICS = {
    "float32": None,
    "TensorFloat-32": None,
    "autocast bfloat16": torch.bfloat16,
    "autocast float16": torch.float16,
}


class Run:
    """What is measured, and on what."""

    def __init__(self, args):
        self.args = args
        args.out.mkdir(parents=True, exist_ok=True)
        self.path = args.out / "gpu.jsonl"
        self.devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        self.card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
        self.generator = Owner(PUBLIC, args.out / "networks").generator
        self.generator.latent_shape = (100, 1, 1)

    def n(self, full, small):
        """How many, in a full and in a small run."""
        return small if self.args.small else full

    def write(self, part, device, **values):
        """Add a line."""
        row = {"part": part, "device": device, "card": self.card, "torch": torch.__version__}
        row |= {"threads": torch.get_num_threads(), **values}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def timed(function):
    """The result of a function, and its seconds."""
    start = time.perf_counter()
    result = function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - start


def inversion(run):
    """The default inverter; what it takes to set up is in the first call."""
    X = sample(run.generator, run.n(256, 32), random_state=1)
    layer = FinalLayer.from_generator(run.generator, random_state=0)
    plain = None
    for device in run.devices:
        inverter = FinalLayerInverter(layer, device=device).fit(X)
        _, first = timed(partial(inverter.transform, X[:16]))
        found, seconds = timed(partial(inverter.transform, X))
        plain = found if plain is None else plain
        difference = float(np.abs(found - plain).max() / np.abs(plain).max())
        run.write(
            "inversion", device, n=len(X), first_s=first, seconds=seconds, difference=difference
        )


def large_layer(run):
    """The last convolution of a latent-diffusion decoder."""
    name = "Conv2d(128 -> 3, k3), 64x64" if run.args.small else "Conv2d(128 -> 3, k3), 512x512"
    weight_shape, input_shape, n = CASES[name]
    torch.manual_seed(0)
    weight = torch.empty(weight_shape)
    torch.nn.init.kaiming_uniform_(weight, a=5**0.5)
    on_cpu = ConvOperator(weight, input_shape, padding=1)
    b, plain = targets(n, on_cpu.output_shape), None
    for device in run.devices:
        operator, solver = on_cpu.to(device=device), DouglasRachford()
        state, set_up = timed(partial(solver.prepare, operator))
        problem = LassoProblem(operator, b.to(device), LAM)
        result, seconds = timed(partial(solver.solve, problem, state=state))
        objective = result.objective.cpu().double()
        plain = objective if plain is None else plain
        run.write(
            name,
            device,
            n=n,
            set_up_s=set_up,
            seconds=seconds,
            iterations=result.n_iter.tolist(),
            difference=float((objective / plain - 1).abs().max()),
        )


def deep_sad(run):
    """Training and scoring of the detector."""
    X = np.random.default_rng(0).normal(size=(run.n(8000, 400), 3 * 64 * 64)).astype(np.float32)
    y = np.where(np.arange(len(X)) < 0.8 * len(X), 1, -1)
    X[y == -1] += 0.1
    for device in run.devices:
        detector = DeepSADDetector(max_epochs=5, device=device, random_state=0)
        _, seconds = timed(partial(detector.fit, X, y))
        _, score_s = timed(partial(detector.score_samples, X))
        run.write("DeepSAD", device, n=len(X), seconds=seconds, score_s=score_s)


def reproduction(run):
    """Encoder, calibration and verdicts; both devices judge with one encoder."""
    own = sample(run.generator, run.n(400, 32), random_state=1)
    fresh = sample(run.generator, run.n(128, 16), random_state=2)
    other = suspects("fashion/ebgan-0", "public", len(fresh))
    path, device = run.args.out / "gpu.encoder", run.devices[-1]
    encoder = LatentEncoder(max_steps=run.n(1000, 5), device=device)
    _, seconds = timed(partial(encoder.fit, run.generator))
    run.write("encoder", device, seconds=seconds, history=encoder.history_[-1])
    encoder.save(path)
    attributor = None
    for device, batch_size in [("cuda", 32), ("cuda", 128), ("cpu", 32)]:
        if device not in run.devices:
            continue
        judge = make_reproduction(
            run.generator,
            encoder=LatentEncoder.load(path),
            fnr=run.n(FNR, 0.1),
            device=device,
            random_state=0,
        ).set_params(detect__estimator__batch_size=batch_size)
        _, seconds = timed(partial(judge.fit, own))
        values = {"fit_s": seconds, "threshold": threshold(judge)}
        values |= {name: judged(judge, X) for name, X in {"own": fresh, "other": other}.items()}
        run.write("reproduction", device, batch_size=batch_size, **values)
        attributor = attributor or judge
    if "cuda" in run.devices:
        arithmetics(run, attributor)


def threshold(attributor):
    """The largest distance that is accepted."""
    return float(-attributor["detect"].offset_)


def judged(attributor, X):
    """Outcomes, and milliseconds for each sample."""
    found, seconds = timed(partial(attributor["detect"].estimator_.reconstruct, X))
    return {
        "n": len(X),
        "accepted": int((found.distances <= threshold(attributor)).sum()),
        "outcomes": dict(Counter(found.outcomes.tolist())),
        "median_distance": float(np.median(found.distances)),
        "n_iter": float(found.n_iter.mean()),
        "ms": 1000 * seconds / len(X),
    }


def arithmetics(run, attributor):
    """Own samples, made on the device as torch's settings would have it."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    generator = copy.deepcopy(run.generator).cuda()
    latents = torch.cat([z for (z,) in latent_batches(generator, run.n(48, 16), random_state=5)])
    plain = None
    for name, dtype in ARITHMETICS.items():
        tf32 = name == "TensorFloat-32"
        cudnn.allow_tf32, matmul.allow_tf32 = tf32, tf32
        with torch.no_grad(), torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
            x = generator(latents).float().cpu().numpy()
        cudnn.allow_tf32, matmul.allow_tf32 = True, False
        X = to_gray_levels(x, (-1.0, 1.0))
        plain = X if plain is None else plain
        run.write(
            "arithmetic",
            "cuda",
            arithmetic=name,
            equal=float((plain == X).mean()),
            rms=float(np.sqrt(np.square(X.astype(float) - plain).mean())),
            own=judged(attributor, X),
        )


PARTS = {
    "inversion": inversion,
    "deep-sad": deep_sad,
    "reproduction": reproduction,
    "large-layer": large_layer,
}


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="a part of everything")
    add_out(parser)
    run = Run(parser.parse_args())
    for part in run.args.parts:
        PARTS[part](run)


if __name__ == "__main__":
    main()
