"""Attribution of sounds and signals to generators that others trained.

Two HiFi-GAN vocoders that share their architecture, on the same spectrograms of speech: clips of
one second, and clips of a quarter of a second cut from them anywhere. Two generators of detector
noise. A generator of ECGs, and one recorded ECG. Everything is judged as integers, as files hold
it. Negatives in training are real speech, and for detector noise series of random phases; the
sibling is only ever a suspect. Needs soundfile.
"""

from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.mixture import GaussianMixture

from benchmarks.attributors import QUICK, make_reproduction, one_layer_detector
from benchmarks.data import ecg as ecgs
from benchmarks.data import sound as sounds
from benchmarks.judging import judge, judge_pair
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad import (
    FinalLayer,
    FinalLayerInverter,
    InlierWhitener,
    LatentEncoder,
    SpectrogramTransformer,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_residual,
    make_spectral,
    make_whitened,
)
from sklearn_flipad.calibration import Conformal, conformal_p_values
from sklearn_flipad.datasets import quantize_audio
from sklearn_flipad.generators import sample

WINDOW, MAX_WINDOWS = 512, 8
#: Samples of a quarter of a second, in whole frames.
QUARTER = 21 * 256
VOCODERS, DETECTORS = ("universal", "LJSpeech"), ("L1", "H1")
METHODS = (
    *("RawPAD", "DCTPAD", "DCTPAD whitened", "spectral", "spectral whitened", "whitened"),
    "FLIPAD",
)
#: Methods that run the whole generator: of vocoders, and of detector noise.
WHOLE = ("re-vocoded", "residual", "residual, Gaussian")
TASKS = ("vocoders", "detectors", "ecg")
KEYS = ("task", "owner", "method")
OPTIONS = (
    selection("tasks", TASKS),
    selection(
        "methods",
        (*METHODS, *WHOLE, "reproduction"),
        small=("RawPAD", "spectral", "re-vocoded", "residual", "reproduction"),
    ),
    Option("fnr", 0.05, 0.2, "false-negative rate"),
    Option("n_clips", 100, 20, "clips of a vocoder, half of which calibrate"),
    Option("n_test", 60, 2, "clips of each source"),
    Option("n_series", 1000, 40, "series of a detector"),
    Option("n_searched", 30, 10, "samples of each source for searches"),
    Option("n_ecg", 39, 1),
    Option("max_epochs", 20, 1, "epochs of the detector"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    QUICK,
    Option("max_iter", 2000, 20, "iterations of the inversion of ECGs"),
)


def common(options):
    """Parameters of all attributors."""
    detector = one_layer_detector(options.max_epochs)
    return {"fnr": options.fnr, "cv": 0.5, "random_state": 0, "detector": detector}


def attributor_of_clips(method, layer, params):
    """An attributor of clips of any length, by windows of 512 samples; spectra are of all."""
    if method == "spectral":
        return make_spectral(n_fft=WINDOW, **params)
    if method == "spectral whitened":
        whitener = InlierWhitener()
        return make_spectral(n_fft=WINDOW, windows=4 * WINDOW, scaler=whitener, **params)
    params = {**params, "windows": WINDOW}
    if method == "DCTPAD whitened":
        return make_dctpad(scaler=InlierWhitener(), **params)
    if method == "FLIPAD":
        # Some windows of each clip, or it would take most of an hour.
        params["windows"] = {"size": WINDOW, "max_windows": MAX_WINDOWS}
        return make_flipad(layer(), pool_size=8, **params)
    makers = {"RawPAD": make_rawpad, "DCTPAD": make_dctpad, "whitened": make_whitened}
    return makers[method](**params)


def attributor_of_series(method, layer, params):
    """An attributor of series of one length."""
    if method == "FLIPAD":
        return make_flipad(layer(), pool_size=8, **params)
    if method.endswith(" whitened"):
        params = {**params, "scaler": InlierWhitener()}
    if method.startswith("spectral"):
        return make_spectral(n_fft=128, **params)
    if method.startswith("DCTPAD"):
        return make_dctpad(**params)
    return {"RawPAD": make_rawpad, "whitened": make_whitened}[method](**params)


def log_spectra(x):
    """Log magnitudes of frames of 1,024 samples, of a clip."""
    window = torch.hann_window(1024)
    return torch.log(torch.stft(x[0], 1024, 256, window=window, return_complex=True).abs() + 1e-3)


def revocoded(owner, X, tests, options):
    """Rows of reproduction from the mel spectrograms of suspects, without a search.

    The score is the mean difference between the log spectra of a clip and of what the vocoder
    makes of its mel spectrogram.
    """
    revocoder = sounds.Revocoder(sounds.vocoder(owner, options.work))

    @torch.no_grad()
    def distances(clips):
        made = (revocoder(torch.from_numpy(clip[None]))[0] for clip in clips)
        pairs = zip(torch.from_numpy(clips), made, strict=True)
        return np.array([float((log_spectra(x) - log_spectra(y)).abs().mean()) for x, y in pairs])

    n = options.n_searched
    calibration, seconds = timed(distances, X[:n])
    scores = {name: -distances(clips[:n]) for name, clips in tests.items()}
    least = -Conformal().threshold(calibration, options.fnr)
    times = {"fit_min": 0.0, "score_min": seconds * len(tests) / 60}
    return [
        {"source": name, **judge_pair(scores[owner], scores[name], least), **times}
        for name in scores
        if name != owner
    ]


def attributor_of_residuals(method, owner, options):
    """An attributor of the residuals that re-vocoding leaves in the mean log spectrum of a clip.

    The Gaussian learns from own clips alone; behind the whitening it has one variance.
    """
    params = common(options)
    params["detector"].set_params(center="inliers")
    if method.endswith("Gaussian"):
        params["detector"] = GaussianMixture(covariance_type="spherical")
    return make_residual(
        sounds.Revocoder(sounds.vocoder(owner, options.work)),
        features=SpectrogramTransformer(n_fft=1024, average=True),
        **params,
    )


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
    inputs = sounds.mel_spectrograms(clips)

    def sampler(n, rng):
        return inputs[rng.choice(len(inputs), n)]

    generator = sounds.vocoder(name, folder)
    return FinalLayer.from_generator(
        generator, sampler=sampler, n_samples=len(clips), batch_size=4, random_state=0
    )


def vocoder_tasks(options):
    """Yield the tasks of the vocoders: name, owner, samples, labels, tests, layer."""
    speech = sounds.speech(options.work)
    n_train, n = options.n_clips, options.n_clips + options.n_test
    spoken, real = speech[:n], speech[-n:]
    made = {name: sounds.vocoded(name, spoken, options.work) for name in VOCODERS}
    y = np.repeat([1, -1], n_train)
    for owner in VOCODERS:
        layer = partial(layer_of_vocoder, owner, spoken[: min(16, n_train)], options.work)
        sources = {**made, "real": real}
        for task, cut in (("one second", None), ("quarter", quarters)):
            parts = {
                name: clips if cut is None else cut(clips, seed)
                for seed, (name, clips) in enumerate(sources.items())
            }
            X = np.concatenate([parts[owner][:n_train], parts["real"][:n_train]])
            tests = {name: clips[n_train:] for name, clips in parts.items()}
            yield task, owner, X, y, tests, layer


def detector_tasks(options):
    """Yield the tasks of the detectors' noise."""
    generators = {name: sounds.glitch_generator(name, options.work) for name in DETECTORS}
    draw = partial(sample, dtype="float32")
    n = options.n_series
    tests = {
        name: quantize_audio(draw(g, n // 4, random_state=1)) for name, g in generators.items()
    }
    for owner, generator in generators.items():
        own = quantize_audio(draw(generator, n, random_state=0))
        X = np.concatenate([own, sounds.surrogates(own[: n // 2], 0)])
        y = np.repeat([1, -1], [n, n // 2])
        others = {"random phases": sounds.surrogates(tests[owner], 1)}
        layer = partial(FinalLayer.from_generator, generator, n_samples=1000, random_state=0)
        yield "detector noise", owner, X, y, {**tests, **others}, layer


def reproduction(owner, options):
    """An attributor from an encoder's guess, for detector noise, and samples to fit it to."""
    generator = sounds.glitch_generator(owner, options.work)
    encoder = LatentEncoder(max_steps=options.max_steps, random_state=0)
    attributor = make_reproduction(
        generator, encoder, quick=options.quick, fnr=options.fnr, random_state=0
    )
    n = 2 * options.n_searched
    return attributor, quantize_audio(sample(generator, n, dtype="float32", random_state=2))


def rows_of(method, make, owner, X, y, tests, layer, options):
    """Rows of one method on the data of a task, for the sources that are not the owner."""
    if method == "re-vocoded":
        return revocoded(owner, X, tests, options)
    if method in WHOLE:
        attributor = attributor_of_residuals(method, owner, options)
    elif method == "reproduction":
        attributor, X = reproduction(owner, options)
        y, tests = None, {name: x[: options.n_searched] for name, x in tests.items()}
    else:
        attributor = make(method, layer, common(options))
    return judge(attributor, X, y, tests, owner=owner, fnrs=(options.fnr,))


def ecg(options):
    """Relative residuals of the final layer's inversion, of generated and of recorded ECGs."""
    generator = ecgs.ecg_generator(options.work)
    layer = FinalLayer.from_generator(
        generator, sampler=ecgs.uniform, n_samples=64, batch_size=8, random_state=0
    )
    draw = {"sampler": ecgs.uniform, "dtype": "float32", "random_state": 1}
    own = sample(generator, options.n_ecg, **draw)
    inverter = FinalLayerInverter(layer, lam=1e-6, max_iter=options.max_iter)
    residuals = {}
    suspects = {"own": ecgs.as_ecg_file(own), "recorded": ecgs.real_ecg(options.work)}
    for name, X in suspects.items():
        rest = X - inverter.inverse_transform(inverter.invert(X).activations)
        norms = [np.linalg.norm(a.reshape(len(X), -1), axis=1) for a in (rest, X)]
        residuals[name] = norms[0] / norms[1]
    p_value = conformal_p_values(residuals["own"], residuals["recorded"])
    return {
        "n_test": options.n_ecg,
        "residuals": {name: np.quantile(r, [0, 0.5, 1]).tolist() for name, r in residuals.items()},
        "p_value": float(p_value[0]),
    }


def run(options, results):
    """Judge each method of each task."""
    for name, tasks, make, methods in (
        ("vocoders", vocoder_tasks, attributor_of_clips, (*METHODS, *WHOLE)),
        ("detectors", detector_tasks, attributor_of_series, (*METHODS, "reproduction")),
    ):
        for task, owner, *data in tasks(options) if name in options.tasks else ():
            for method in methods:
                if method not in options.methods or results.has(task, owner, method):
                    continue
                names = {"task": task, "owner": owner, "method": method, "fnr": options.fnr}
                rows = rows_of(method, make, owner, *data, options)
                rows = [names | row for row in rows]
                results.add(*rows)
    if "ecg" in options.tasks and not results.has("ECG", "deepfake-ecg", "residual"):
        row, seconds = timed(ecg, options)
        names = {"task": "ECG", "owner": "deepfake-ecg", "method": "residual"}
        results.add({**names, **row, "minutes": seconds / 60})


def table(rows, task):
    """Accuracies, and areas in parentheses, against sibling and other source of each owner."""
    lines = {}
    for row in rows:
        if row["task"] == task:
            other = {"real": "speech", "random phases": "phases"}.get(row["source"], "sibling")
            line = lines.setdefault(row["method"], {"method": row["method"]})
            line[f"{row['owner']}, {other}"] = f"{row['accuracy']:.2f} ({row['auc']:.2f})"
    order = [*METHODS, *WHOLE, "reproduction"]
    return pd.DataFrame([lines[method] for method in order if method in lines])


TABLES = {
    "sound_second": partial(table, task="one second"),
    "sound_quarter": partial(table, task="quarter"),
    "sound_detectors": partial(table, task="detector noise"),
}
