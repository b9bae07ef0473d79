"""Reproduction: own samples, all other shipped generators, and what a verdict costs.

For each owner an encoder is trained and an attributor fitted to 1,000 of its samples with a
false-negative rate of 0.5 %. Fresh samples of the owner and of every other generator are judged.
``--adam N`` adds the paper's search, ten random starts of 1,000 steps of Adam, for N own samples
of each owner. One line of JSON for each owner is appended to ``reproduction.jsonl`` in the folder
``--out``; owners that are there already are left out. Encoders are kept in ``encoders``.
"""

import argparse
import json
import time
from collections import Counter

import numpy as np
from cards import BATCH_SIZE, device_name
from output import add_out
from problems import public_dcgan

from sklearn_flipad import LatentEncoder, SMInvDetector, make_reproduction
from sklearn_flipad.evaluation.metrics import clopper_pearson
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import list_pretrained, load_pretrained

FNR = 0.005
#: Training steps of the encoders: about a minute, and less than three for 64x64 pixels.
STEPS = 1000


def load(name):
    """A generator by name, with the shape of its latents."""
    if name != "public":
        return load_pretrained(name)
    generator = public_dcgan()
    generator.latent_shape = (100, 1, 1)
    return generator


def trained_encoder(name, generator, folder, processing=None):
    """The encoder of a generator, and the seconds that its training took."""
    path = folder / f"{name.replace('/', '-')}.encoder"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return LatentEncoder.load(path), None
    start = time.perf_counter()
    encoder = LatentEncoder(max_steps=STEPS, processing=processing).fit(generator)
    seconds = time.perf_counter() - start
    encoder.save(path)
    return encoder, seconds


def suspects(name, owner, n):
    """Samples of another generator, in the size of the owner's."""
    X = sample(load(name), n, random_state=3)
    if owner == "public":  # 64x64 pixels in color, all others 32x32 in gray
        X = X.repeat(3, axis=1).repeat(2, axis=2).repeat(2, axis=3)
    return X


def judged(attributor, X):
    """Verdicts and outcomes for samples, with the milliseconds for each."""
    calibrator = attributor["detect"]
    start = time.perf_counter()
    found = calibrator.estimator_.reconstruct(X)
    milliseconds = (time.perf_counter() - start) / len(X) * 1e3
    accepted = -found.distances >= calibrator.offset_
    rate = clopper_pearson(accepted.sum(), len(X))
    return {
        "n": len(X),
        "accepted": int(accepted.sum()),
        "interval": [round(float(end), 5) for end in (rate.low, rate.high)],
        "outcomes": dict(Counter(found.outcomes.tolist())),
        "ms": round(milliseconds, 2),
        "distances": [round(float(q), 3) for q in np.quantile(found.distances, [0, 0.5, 0.99, 1])],
        "equal": round(float(np.median(found.equal)), 4),
        "n_iter": round(float(np.mean(found.n_iter)), 1),
    }


def adam(generator, X):
    """The paper's search: share of own samples that it reproduces, and what it costs."""
    detector = SMInvDetector(generator)
    start = time.perf_counter()
    found = detector.reconstruct(X)
    return {
        "n": len(X),
        "reproduced": int(found.reproduced.sum()),
        "median_distance": round(float(np.median(found.distances)), 3),
        "ms": round((time.perf_counter() - start) / len(X) * 1e3, 1),
    }


def row(name, others, args):
    """All that is measured of one owner."""
    generator = load(name)
    encoder, seconds = trained_encoder(name, generator, args.out / "encoders")
    attributor = make_reproduction(generator, encoder=encoder, fnr=FNR)
    attributor.set_params(detect__estimator__batch_size=BATCH_SIZE)
    start = time.perf_counter()
    attributor.fit(sample(generator, args.n_own, random_state=1))
    result = {
        "owner": name,
        "device": device_name(),
        "encoder_seconds": seconds,
        "encoder": encoder.history_,
        "fit_seconds": round(time.perf_counter() - start, 1),
        "threshold": round(float(-attributor["detect"].offset_), 4),
        "bounds": attributor["detect"].estimator_.bounds_,
        "own": judged(attributor, sample(generator, args.n_own, random_state=2)),
        "others": {
            other: judged(attributor, suspects(other, name, args.n_others))
            for other in others
            if other != name
        },
    }
    if args.adam:
        result["adam"] = adam(generator, sample(generator, args.adam, random_state=2))
    return result


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    parser.add_argument("--owners", nargs="*", default=[*list_pretrained("fashion"), "public"])
    parser.add_argument("--n-own", type=int, default=1000, help="own samples to fit, and fresh")
    parser.add_argument("--n-others", type=int, default=250, help="samples of each other")
    parser.add_argument("--adam", type=int, default=0, help="own samples for the paper's search")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "reproduction.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    done = {json.loads(line)["owner"] for line in lines}
    for name in args.owners:
        if name in done:
            continue
        others = [n for n in list_pretrained("fashion") if name != "public" or n.endswith("-0")]
        result = row(name, others, args)
        with open(path, "a") as file:
            file.write(json.dumps(result) + "\n")
        own, rest = result["own"], result["others"].values()
        rejected = sum(r["n"] - r["accepted"] for r in rest) / max(sum(r["n"] for r in rest), 1)
        print(
            f"{name}: own reproduced {own['outcomes'].get('reproduced', 0)} of {own['n']}, "
            f"accepted {own['accepted']}, {own['ms']} ms; others rejected {rejected:.2%}, "
            f"{np.mean([r['ms'] for r in rest]) if rest else 0:.1f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
