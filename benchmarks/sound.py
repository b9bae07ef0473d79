"""Attribution of sounds and signals to generators that others trained.

Two HiFi-GAN vocoders that share their architecture, on the same spectrograms of speech: clips of
one second, and clips of a quarter of a second cut from them anywhere. Two generators of detector
noise. A generator of ECGs, and one recorded ECG. Everything is judged as integers, as files hold
it. Negatives in training are real speech, and for detector noise series of random phases; the
sibling is only ever a suspect. One line of JSON for each task, owner and method goes to
``sound.jsonl`` in the folder ``--out``; what is there already is left out. Needs soundfile.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import sound_data
import torch
from attribution import Setting, one_layer_detector, row_of_pair
from large_latents import ecg_generator, uniform
from output import add_out, read_rows
from sklearn.mixture import GaussianMixture

from sklearn_flipad import (
    FinalLayer,
    FinalLayerInverter,
    InlierWhitener,
    LatentEncoder,
    SpectrogramTransformer,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_residual,
    make_spectral,
    make_whitened,
)
from sklearn_flipad.calibration import Conformal, conformal_p_values
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.generators import sample

FNR = 0.05
WINDOW, MAX_WINDOWS = 512, 8
#: Samples of a quarter of a second, in whole frames.
QUARTER = 21 * 256
VOCODERS, DETECTORS = ("universal", "LJSpeech"), ("L1", "H1")
COMMON = {"fnr": FNR, "cv": 0.5, "random_state": 0}
METHODS = (
    *("RawPAD", "DCTPAD", "DCTPAD whitened", "spectral", "spectral whitened", "whitened"),
    "FLIPAD",
)
REPRODUCTION = ("re-vocoded", "residual", "residual, Gaussian", "reproduction")


def detector():
    """The detector of all methods."""
    return one_layer_detector(Setting(), 0)


def attributor_of_clips(method, layer):
    """An attributor of clips of any length, by windows of 512 samples; spectra are of all."""
    common = {**COMMON, "detector": detector()}
    if method == "spectral":
        return make_spectral(n_fft=WINDOW, **common)
    if method == "spectral whitened":
        whitener = InlierWhitener()
        return make_spectral(n_fft=WINDOW, windows=4 * WINDOW, scaler=whitener, **common)
    common["windows"] = WINDOW
    if method == "DCTPAD whitened":
        return make_dctpad(scaler=InlierWhitener(), **common)
    if method == "FLIPAD":
        # Some windows of each clip, or it would take most of an hour.
        common["windows"] = {"size": WINDOW, "max_windows": MAX_WINDOWS}
        return make_flipad(layer(), pool_size=8, **common)
    makers = {"RawPAD": make_rawpad, "DCTPAD": make_dctpad, "whitened": make_whitened}
    return makers[method](**common)


def attributor_of_series(method, layer):
    """An attributor of series of one length."""
    common = {**COMMON, "detector": detector()}
    if method == "FLIPAD":
        return make_flipad(layer(), pool_size=8, **common)
    if method.endswith(" whitened"):
        common["scaler"] = InlierWhitener()
    if method.startswith("spectral"):
        return make_spectral(n_fft=128, **common)
    if method.startswith("DCTPAD"):
        return make_dctpad(**common)
    return {"RawPAD": make_rawpad, "whitened": make_whitened}[method](**common)


def judged(attributor, X, y, tests, owner):
    """Rates of a fitted attributor against each other source, and times."""
    start = time.perf_counter()
    attributor.fit(X, y)
    fitted = time.perf_counter()
    scores = {name: attributor.score_samples(samples) for name, samples in tests.items()}
    n = sum(map(len, scores.values()))
    row = {"fit_s": fitted - start, "score_ms": 1e3 * (time.perf_counter() - fitted) / n}
    calibrator = attributor["detect"]
    row |= {"n_calibration": len(calibrator.calibration_scores_), "n_test": len(scores[owner])}
    return row | rates(scores, owner, calibrator.offset_)


def of_method(make, method, layer, X, y, tests, owner):
    """Rates of one method; `make` builds its attributor, only now."""
    return judged(make(method, layer), X, y, tests, owner)


def log_spectra(x):
    """Log magnitudes of frames of 1,024 samples, of a clip."""
    window = torch.hann_window(1024)
    return torch.log(torch.stft(x[0], 1024, 256, window=window, return_complex=True).abs() + 1e-3)


def revocoded(owner, X, tests, args):
    """Rates of reproduction from the mel spectrograms of suspects, without a search.

    The score is the mean difference between the log spectra of a clip and of what the vocoder
    makes of its mel spectrogram.
    """
    revocoder = sound_data.Revocoder(sound_data.vocoder(owner, args.work))
    start = time.perf_counter()

    @torch.no_grad()
    def distances(clips):
        made = (revocoder(torch.from_numpy(clip[None]))[0] for clip in clips)
        pairs = zip(torch.from_numpy(clips), made, strict=True)
        return np.array([float((log_spectra(x) - log_spectra(y)).abs().mean()) for x, y in pairs])

    n = args.n_searched
    calibration = distances(X[:n])
    scores = {name: -distances(clips[:n]) for name, clips in tests.items()}
    row = {"score_ms": 1e3 * (time.perf_counter() - start) / (n * (1 + len(tests)))}
    least = -Conformal().threshold(calibration, FNR)
    return row | {"n_calibration": n, "n_test": n} | rates(scores, owner, least)


def residual(method, owner, X, y, tests, args):
    """Rates of the residuals that re-vocoding leaves in the mean log spectrum of a clip.

    The Gaussian learns from own clips alone; behind the whitening it has one variance.
    """
    judge = detector().set_params(center="inliers")
    if method.endswith("Gaussian"):
        judge = GaussianMixture(covariance_type="spherical")
    attributor = make_residual(
        sound_data.Revocoder(sound_data.vocoder(owner, args.work)),
        features=SpectrogramTransformer(n_fft=1024, average=True),
        detector=judge,
        **COMMON,
    )
    return judged(attributor, X, y, tests, owner)


def rates(scores, owner, least):
    """Rates against each other source, where scores of `least` or more are accepted."""
    row = {}
    for name in scores:
        if name != owner:
            found = row_of_pair(scores[owner], scores[name], least)
            row["own_missed"] = found.pop("found_fnr")
            row[name] = found
    return row


def quarters(clips, seed):
    """A quarter of a second of each clip, cut anywhere; not its quietest quarter."""
    rng = np.random.default_rng(seed)
    parts = []
    for clip in clips:
        starts = rng.integers(0, clip.shape[1] - QUARTER + 1, 4)
        candidates = [clip[:, start : start + QUARTER] for start in starts]
        parts.append(max(candidates, key=lambda part: np.abs(part).sum()))
    return np.stack(parts)


def layer_of_vocoder(name, clips, folder):
    """The final layer, with the mean activation of the given clips."""
    inputs = sound_data.mel_spectrograms(clips)

    def sampler(n, rng):
        return inputs[rng.choice(len(inputs), n)]

    generator = sound_data.vocoder(name, folder)
    return FinalLayer.from_generator(
        generator, sampler=sampler, n_samples=len(clips), batch_size=4, random_state=0
    )


def vocoder_tasks(args):
    """Yield the tasks of the vocoders: name, owner, samples, labels, tests, layer."""
    speech = sound_data.speech(args.work)
    n_train, n = args.n_clips, args.n_clips + args.n_test
    spoken, real = speech[:n], speech[-n:]
    made = {name: sound_data.vocoded(name, spoken, args.work) for name in VOCODERS}
    y = np.repeat([1, -1], n_train)
    for owner in VOCODERS:
        layer = partial(layer_of_vocoder, owner, spoken[: min(16, n_train)], args.work)
        sources = {**made, "real": real}
        for task, cut in (("one second", None), ("quarter", quarters)):
            parts = {
                name: clips if cut is None else cut(clips, seed)
                for seed, (name, clips) in enumerate(sources.items())
            }
            X = np.concatenate([parts[owner][:n_train], parts["real"][:n_train]])
            tests = {name: clips[n_train:] for name, clips in parts.items()}
            yield task, owner, X, y, tests, layer


def detector_tasks(args):
    """Yield the tasks of the detectors' noise."""
    generators = {name: sound_data.glitch_generator(name, args.work) for name in DETECTORS}
    draw = partial(sample, dtype="float32")
    n = args.n_series
    tests = {
        name: quantize_audio(draw(g, n // 4, random_state=1)) for name, g in generators.items()
    }
    for owner, generator in generators.items():
        own = quantize_audio(draw(generator, n, random_state=0))
        X = np.concatenate([own, sound_data.surrogates(own[: n // 2], 0)])
        y = np.repeat([1, -1], [n, n // 2])
        others = {"random phases": sound_data.surrogates(tests[owner], 1)}
        layer = partial(FinalLayer.from_generator, generator, n_samples=1000, random_state=0)
        yield "detector noise", owner, X, y, {**tests, **others}, layer


def reproduction(owner, tests, args):
    """Rates of reproduction from an encoder's guess, for detector noise."""
    generator = sound_data.glitch_generator(owner, args.work)
    encoder = LatentEncoder(max_steps=args.encoder_steps, random_state=0)
    attributor = make_reproduction(generator, encoder=encoder, fnr=FNR, random_state=0)
    own = sample(generator, 2 * args.n_searched, dtype="float32", random_state=2)
    few = {name: X[: args.n_searched] for name, X in tests.items()}
    return judged(attributor, quantize_audio(own), None, few, owner)


def ecg(args):
    """Relative residuals of the final layer's inversion, of generated and of recorded ECGs."""
    generator, start = ecg_generator(), time.perf_counter()
    layer = FinalLayer.from_generator(
        generator, sampler=uniform, n_samples=64, batch_size=8, random_state=0
    )
    own = sample(generator, args.n_ecg, sampler=uniform, dtype="float32", random_state=1)
    inverter = FinalLayerInverter(layer, lam=1e-6, max_iter=2000)
    residuals = {}
    suspects = {"own": sound_data.as_ecg_file(own), "recorded": sound_data.real_ecg(args.work)}
    for name, X in suspects.items():
        rest = X - inverter.inverse_transform(inverter.invert(X).activations)
        norms = [np.linalg.norm(a.reshape(len(X), -1), axis=1) for a in (rest, X)]
        residuals[name] = norms[0] / norms[1]
    p_value = conformal_p_values(residuals["own"], residuals["recorded"])
    return {
        "n_test": args.n_ecg,
        "residuals": {name: np.quantile(r, [0, 0.5, 1]).tolist() for name, r in residuals.items()},
        "p_value": float(p_value[0]),
        "minutes": (time.perf_counter() - start) / 60,
    }


def rounded(value):
    """Numbers with four digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main():
    """Measure what is missing in the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    parser.add_argument("--work", type=Path, default=Path("sound"), help="folder of what is kept")
    parser.add_argument("--n-clips", type=int, default=100, help="of a vocoder; half calibrate")
    parser.add_argument("--n-test", type=int, default=60, help="clips of each source")
    parser.add_argument("--n-series", type=int, default=1000, help="of a detector")
    parser.add_argument("--n-searched", type=int, default=30, help="of each source")
    parser.add_argument("--encoder-steps", type=int, default=1000)
    parser.add_argument("--n-ecg", type=int, default=39)
    tasks = ["vocoders", "detectors", "ecg"]
    parser.add_argument("--tasks", nargs="*", choices=tasks, default=tasks)
    parser.add_argument("--methods", nargs="*", default=[*METHODS, *REPRODUCTION])
    args = parser.parse_args()
    for folder in (args.out, args.work):
        folder.mkdir(parents=True, exist_ok=True)
    path = args.out / "sound.jsonl"
    rows = read_rows(path)
    done = {(row["task"], row["owner"], row["method"]) for row in rows}

    def measure(task, owner, method, work):
        if method not in args.methods or (task, owner, method) in done:
            return
        row = rounded({"task": task, "owner": owner, "method": method, **work()})
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    for name, tasks, make in (
        ("vocoders", vocoder_tasks, attributor_of_clips),
        ("detectors", detector_tasks, attributor_of_series),
    ):
        for task, owner, X, y, tests, layer in tasks(args) if name in args.tasks else ():
            for method in METHODS:
                judge = partial(of_method, make, method, layer, X, y, tests, owner)
                measure(task, owner, method, judge)
            if make is attributor_of_clips:
                measure(task, owner, "re-vocoded", partial(revocoded, owner, X, tests, args))
                for method in ("residual", "residual, Gaussian"):
                    judge = partial(residual, method, owner, X, y, tests, args)
                    measure(task, owner, method, judge)
            else:
                measure(task, owner, "reproduction", partial(reproduction, owner, tests, args))
    if "ecg" in args.tasks:
        measure("ECG", "deepfake-ecg", "residual", partial(ecg, args))


if __name__ == "__main__":
    main()
