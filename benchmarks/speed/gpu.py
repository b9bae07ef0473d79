"""Inversion, detection and reproduction on a CUDA device, with the CPU beside it in one run.

All parts are of the public 64x64 DCGAN but for the layer of a latent-diffusion decoder. Rows have
seconds, and how far the results are from those of the CPU. The last part judges samples that the
owner's generator made on the device in each arithmetic that torch has, with an attributor that was
fitted to samples of single precision.
"""

import copy

import numpy as np
import pandas as pd
import torch

from benchmarks.attributors import QUICK, final_layer, make_reproduction, trained_encoder
from benchmarks.data.generators import generator_by_name
from benchmarks.judging import judge_reproduction
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from benchmarks.speed.sizes import CASES, LAM, operator_of, targets
from sklearn_flipad import DeepSADDetector, FinalLayerInverter
from sklearn_flipad.base.gray_levels import to_gray_levels
from sklearn_flipad.generators import latent_batches, sample
from sklearn_flipad.solvers import DouglasRachford, LassoProblem
from sklearn_flipad.zoo import load_pretrained

#: In which the owner's samples may have been made, and the type of autocast.
ARITHMETICS = {
    "float32": None,
    "TensorFloat-32": None,
    "autocast bfloat16": torch.bfloat16,
    "autocast float16": torch.float16,
}
LARGE = "Conv2d(128 -> 3, k3), 512x512"


class Job:
    """Measurements, and the results that rows are added to if they are not there yet."""

    def __init__(self, options, results):
        self.options, self.results = options, results
        self.devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        self.generator = generator_by_name(options.generator, options.work)

    def add(self, part, device, variant=None, **values):
        """Add a row, where there is none of this part, device and variant."""
        if not self.results.has(part, device, variant):
            self.results.add({"part": part, "device": device, "variant": variant, **values})


def inversion(job):
    """The default inverter; what it takes to set up is in the first call."""
    X = sample(job.generator, job.options.n_inverted, random_state=1)
    layer, plain = final_layer(job.generator, job.options.n_mean), None
    for device in job.devices:
        inverter = FinalLayerInverter(layer, device=device).fit(X)
        _, first = timed(inverter.transform, X[:16])
        found, seconds = timed(inverter.transform, X)
        plain = found if plain is None else plain
        difference = float(np.abs(found - plain).max() / np.abs(plain).max())
        seconds = {"first_s": first, "seconds": seconds}
        job.add("inversion", device, n=len(X), **seconds, difference=difference)


def large_layer(job):
    """The last convolution of a latent-diffusion decoder."""
    *shapes, n = CASES[job.options.layer]
    on_cpu = operator_of(*shapes)
    n, plain = min(n, job.options.n_layer), None
    b = targets(n, on_cpu.output_shape)
    for device in job.devices:
        operator, solver = on_cpu.to(device=device), DouglasRachford()
        state, set_up = timed(solver.prepare, operator)
        problem = LassoProblem(operator, b.to(device), LAM)
        result, seconds = timed(solver.solve, problem, state=state)
        objective = result.objective.cpu().double()
        plain = objective if plain is None else plain
        job.add(
            job.options.layer,
            device,
            n=n,
            set_up_s=set_up,
            seconds=seconds,
            iterations=result.n_iter.tolist(),
            difference=float((objective / plain - 1).abs().max()),
        )


def deep_sad(job):
    """Training and scoring of the detector."""
    n = job.options.n_rows
    X = np.random.default_rng(0).normal(size=(n, 3 * 64 * 64)).astype(np.float32)
    y = np.where(np.arange(n) < 0.8 * n, 1, -1)
    X[y == -1] += 0.1
    for device in job.devices:
        detector = DeepSADDetector(max_epochs=5, device=device, random_state=0)
        _, seconds = timed(detector.fit, X, y)
        _, score_s = timed(detector.score_samples, X)
        job.add("DeepSAD", device, n=n, seconds=seconds, score_s=score_s)


def reproduction(job):
    """Encoder, calibration and verdicts; both devices judge with one encoder."""
    options, generator = job.options, job.generator
    own = sample(generator, options.n_own, random_state=1)
    fresh = sample(generator, options.n_suspects, random_state=2)
    other = enlarged(sample(load_pretrained("fashion/ebgan-0"), len(fresh), random_state=3), fresh)
    name, device = f"gpu-{options.generator}", job.devices[-1]
    encoder, seconds = trained_encoder(
        generator, name, options.work, options.max_steps, device=device
    )
    if seconds is not None:
        job.add("encoder", device, seconds=seconds, history=encoder.history_[-1])
    attributor = None
    for device, batch_size in [("cuda", 32), ("cuda", 128), ("cpu", 32)]:
        if device not in job.devices:
            continue
        encoder, _ = trained_encoder(generator, name, options.work, options.max_steps)
        judge = make_reproduction(
            generator,
            encoder,
            search={"batch_size": batch_size},
            quick=options.quick,
            fnr=options.fnr,
            device=device,
            random_state=0,
        )
        _, seconds = timed(judge.fit, own)
        values = {"fit_s": seconds, "threshold": float(-judge["detect"].offset_)}
        for name, X in {"own": fresh, "other": other}.items():
            values[name] = judge_reproduction(judge, X)
        job.add("reproduction", device, batch_size, **values)
        attributor = attributor or judge
    if "cuda" in job.devices:
        arithmetics(job, attributor)


def enlarged(X, like):
    """Gray images of 32x32 pixels in the shape of others."""
    times = like.shape[-1] // X.shape[-1]
    return X.repeat(like.shape[1], axis=1).repeat(times, axis=2).repeat(times, axis=3)


def arithmetics(job, attributor):
    """Own samples, made on the device as torch's settings would have it."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    generator = copy.deepcopy(job.generator).cuda()
    latents = latent_batches(generator, job.options.n_made, random_state=5)
    latents, plain = torch.cat([z for (z,) in latents]), None
    for name, dtype in ARITHMETICS.items():
        tf32 = name == "TensorFloat-32"
        cudnn.allow_tf32, matmul.allow_tf32 = tf32, tf32
        with torch.no_grad(), torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
            x = generator(latents).float().cpu().numpy()
        cudnn.allow_tf32, matmul.allow_tf32 = True, False
        X = to_gray_levels(x, (-1.0, 1.0))
        plain = X if plain is None else plain
        job.add(
            "arithmetic",
            "cuda",
            name,
            equal=float((plain == X).mean()),
            rms=float(np.sqrt(np.square(X.astype(float) - plain).mean())),
            own=judge_reproduction(attributor, X),
        )


PARTS = {
    "inversion": inversion,
    "deep-sad": deep_sad,
    "reproduction": reproduction,
    "large-layer": large_layer,
}
KEYS = ("part", "device", "variant")
OPTIONS = (
    selection("parts", PARTS),
    Option("generator", "public", "fashion/dcgan-0", "of all parts but the layer and DeepSAD"),
    Option("layer", LARGE, "Conv1d(32 -> 1, k7), 8192", choices=tuple(CASES)),
    Option("n_layer", 16, 1, "most samples that the layer solves at once"),
    Option("n_inverted", 256, 4, "samples that are inverted"),
    Option("n_mean", 5000, 100, "samples of the mean activation"),
    Option("n_rows", 8000, 100, "samples of DeepSAD"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    QUICK,
    Option("n_own", 400, 32, "own samples to fit reproduction"),
    Option("n_suspects", 128, 4, "samples of each source that are judged"),
    Option("n_made", 48, 8, "own samples in each arithmetic"),
    Option("fnr", 0.005, 0.1),
)


def run(options, results):
    """Measure the parts, on each device that there is."""
    job = Job(options, results)
    for part in options.parts:
        PARTS[part](job)


#: What took the seconds that rows have under a key.
TASKS = {
    ("inversion", "seconds"): "inversion, 256 images of 64x64",
    (LARGE, "set_up_s"): f"{LARGE}, set-up",
    (LARGE, "seconds"): f"{LARGE}, one image",
    ("DeepSAD", "seconds"): "DeepSAD, training, 8,000 samples",
    ("DeepSAD", "score_s"): "DeepSAD, scores, 8,000 samples",
    ("encoder", "seconds"): "encoder, training",
    ("reproduction", "fit_s"): "reproduction, calibration, 400 samples",
}


def table(rows):
    """Seconds on a CPU and on a CUDA device: a line for each task."""
    tasks = {}
    for row in rows:
        column = {"cpu": "CPU", "cuda": "CUDA"}[row["device"]]
        if row["part"] == "reproduction" and row["variant"] != 32:
            column += f", {row['variant']} side by side"
        seconds = {
            label: row.get(key) for (part, key), label in TASKS.items() if part == row["part"]
        }
        if row["part"] == "reproduction":
            for source in ("own", "other"):
                n, ms = row[source]["n"], row[source]["ms"]
                seconds[f"reproduction, {n} samples, {source}"] = n * ms / 1000
        for label, value in seconds.items():
            tasks.setdefault(label, {})[column] = f"{value:.2f}"
    return pd.DataFrame([{"seconds": task, **times} for task, times in tasks.items()]).fillna("")


def table_of_arithmetics(rows):
    """Verdicts on own samples by the arithmetic in which they were made."""
    return pd.DataFrame(
        {
            "made in": row["variant"],
            "identical values": f"{row['equal']:.3f}",
            "reproduced": f"{row['own']['outcomes'].get('reproduced', 0)} of {row['own']['n']}",
            "median distance": f"{row['own']['median_distance']:.3f}",
        }
        for row in rows
        if row["part"] == "arithmetic"
    )


TABLES = {"gpu": table, "gpu_arithmetics": table_of_arithmetics}
