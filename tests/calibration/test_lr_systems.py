"""Likelihood ratios of attributors: bounded, with intervals, and the same wherever they stand."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.svm import OneClassSVM

from sklearn_flipad import (
    FNRThresholdCalibrator,
    OpenSetAttributor,
    inspect_attributor,
    load_attributor,
    make_rawpad,
    save_attributor,
)
from sklearn_flipad.calibration.likelihood_ratios import (
    ELUB,
    ENFSI_SCALE,
    LR_CALIBRATORS,
    CountBounds,
    GaussianLR,
    IsotonicLR,
    KernelDensityLR,
    LogisticLR,
    LRCalibrator,
    LRSystem,
    VerbalScale,
    as_lr_system,
)
from sklearn_flipad.scoring import score_files
from sklearn_flipad.scoring.runs.tables import read_table


@pytest.fixture(scope="module")
def samples():
    """Own images, which are darker, others, and suspects of both kinds."""
    rng = np.random.default_rng(0)
    own, others = (rng.integers(low, low + 128, (240, 1, 4, 4), dtype=np.uint8) for low in (0, 96))
    return own[:200], others[:200], np.concatenate([own[200:], others[200:]])


def attributor_of(samples, **options):
    own, others, _ = samples
    X, y = np.concatenate([own, others]), np.repeat([1, -1], [len(own), len(others)])
    options = {"fnr": 0.1, "reference": "the bright ones", "random_state": 0, **options}
    return make_rawpad(detector=OneClassSVM(), scaler=None, **options).fit(X, y)


@pytest.fixture(scope="module")
def attributor(samples):
    return attributor_of(samples, lr="logistic")


def test_evidence_of_an_attributor(samples, attributor):
    evidence = attributor.evidence(samples[2])
    logs, ratios = evidence.log10_lr, evidence.ratios
    assert np.median(logs[:40]) > 0.5
    assert np.median(logs[40:]) < -0.5
    low, high = ratios.bounds
    assert low < 0 < high
    assert ((low <= logs) & (logs <= high)).all()
    np.testing.assert_array_equal(ratios.at_bound, (logs == low) | (logs == high))
    np.testing.assert_array_equal(evidence.to_frame()["lr_at_bound"], ratios.at_bound)
    assert (ratios.interval[:, 0] <= logs).all()
    assert (logs <= ratios.interval[:, 1]).all()
    frame = evidence.to_frame()
    np.testing.assert_array_equal(frame["log10_lr"], logs)
    np.testing.assert_array_equal(frame[["log10_lr_low", "log10_lr_high"]], ratios.interval)
    # The same verdicts as without, and of the scores alone.
    plain = attributor_of(samples)
    np.testing.assert_array_equal(plain.evidence(samples[2]).verdicts, evidence.verdicts)
    assert plain.evidence(samples[2]).log10_lr is None
    again = attributor.weigh(evidence.anomaly_scores[::-1])
    np.testing.assert_array_equal(again.log10_lr, logs[::-1])


def test_chosen_before_suspects_are_seen(samples):
    attributor = attributor_of(samples, lr="isotonic")
    before = attributor.evidence(samples[2]).log10_lr
    attributor.set_params(detect__lr="gaussian")
    np.testing.assert_array_equal(attributor.evidence(samples[2]).log10_lr, before)
    assert attributor["detect"].lr_ == LRSystem(IsotonicLR())
    attributor.set_params(detect__lr=None)
    X, y = np.concatenate(samples[:2]), np.repeat([1, -1], 200)
    assert attributor.fit(X, y).evidence(samples[2]).log10_lr is None


def test_without_a_reference_population(samples):
    with pytest.warns(UserWarning, match=r"lr asks for .* calibrate_reference"):
        attributor = attributor_of(samples, lr="logistic", reference=None)
    suspects = samples[2]
    assert attributor.evidence(suspects).log10_lr is None
    assert "own" not in attributor.verdict(suspects)
    with pytest.raises(NotFittedError, match="calibrate_reference"):
        attributor.joint_lr(suspects)
    # As the message says.
    attributor.calibrate_reference(suspects[40:60], name="new bright ones")
    assert np.median(attributor.evidence(suspects[60:]).log10_lr) < 0


def test_what_has_no_ratios(samples):
    with pytest.raises(NotImplementedError, match="conformal"):
        attributor_of(samples, lr="logistic", rule="quantile")
    with pytest.raises(ValueError, match="lr"):
        attributor_of(samples, lr="probit")
    with pytest.raises(ValueError, match="lr='logistic'"):
        attributor_of(samples).joint_lr(samples[2])


@dataclass(frozen=True)
class OwnLR(LRCalibrator):
    """A user's calibrator."""

    def _fitted(self, own, reference):
        return lambda scores: np.where(scores < own[-1], 1.0, -1.0)


@pytest.mark.filterwarnings("ignore:The ratio of 3")
@pytest.mark.parametrize(
    "lr",
    [
        *LR_CALIBRATORS,
        LogisticLR(C=10.0),
        LRSystem(GaussianLR(), CountBounds(), confidence=0.9, n_bootstrap=20),
        LRSystem(IsotonicLR(), bounds=None),
        LRSystem(LogisticLR(), ELUB(n_misleading=2)),
    ],
    ids=str,
)
def test_saved_and_loaded(samples, lr, tmp_path):
    attributor = attributor_of(samples, lr=lr)
    save_attributor(attributor, tmp_path / "a.flipad")
    loaded = load_attributor(tmp_path / "a.flipad")
    assert loaded["detect"].lr == lr
    for found in (loaded.evidence(samples[2]).ratios, loaded.joint_lr(samples[2][:3])):
        assert found is not None
    ours, theirs = attributor.evidence(samples[2]).ratios, loaded.evidence(samples[2]).ratios
    np.testing.assert_array_equal(theirs.log10_lr, ours.log10_lr)
    np.testing.assert_array_equal(theirs.interval, ours.interval)
    assert inspect_attributor(tmp_path / "a.flipad").lr.startswith("LRSystem(calibrator=")


def test_calibrators_of_users(samples, tmp_path):
    attributor = attributor_of(samples, lr=OwnLR())
    logs = attributor.evidence(samples[2]).log10_lr
    assert set(np.sign(logs)) == {-1, 1}
    with pytest.raises(ValueError, match="OwnLR"):
        save_attributor(attributor, tmp_path / "a.flipad")


def test_suspects_from_one_source(samples, attributor):
    suspects = samples[2][:5]
    with pytest.warns(UserWarning, match="independent draws") as caught:
        found = attributor.joint_lr(suspects)
    assert "equal" not in str(caught[0].message)
    alone = attributor.evidence(suspects).ratios
    assert found.log10_lr == pytest.approx(alone.log10_lr.sum())
    np.testing.assert_allclose(found.bounds, 5 * np.array(alone.bounds))
    assert found.interval.shape == (2,)
    # The calibration samples are the same for all: their chance does not average out.
    width = np.ptp(found.interval)
    assert width > 3 * np.ptp(alone.interval, axis=1).min()
    with pytest.warns(UserWarning, match="1 of them are equal"):
        attributor.joint_lr(suspects[[0, 1, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert attributor.joint_lr(suspects[:1]).log10_lr == alone.log10_lr[0]


def test_intervals_hold_the_ratio_of_the_populations():
    rng, held = np.random.default_rng(0), []
    for _ in range(60):
        own, reference = rng.normal(0, 1, 80), rng.normal(1, 1, 120)
        system = LRSystem(GaussianLR(), bounds=None, n_bootstrap=60)
        found = system.weigh(own, reference, [0.0])
        held.append(found.interval[0, 0] <= 0.5 / np.log(10) <= found.interval[0, 1])
    assert 0.85 <= np.mean(held) <= 1


def test_few_samples_bound_the_ratio():
    """Draws of three samples are often three times the same, which has no density."""
    system = LRSystem(GaussianLR(), n_bootstrap=100)
    found = system.weigh([0.0, 0.1, 0.2], [5.0, 5.1, 5.2, 5.3], [0.0, 5.0])
    low, high = found.bounds
    assert -1 < low <= high < 1
    np.testing.assert_allclose(found.interval, [[low, high], [low, high]])
    with pytest.raises(ValueError, match="IsotonicLR"):
        system.weigh([1.0, 1.0], [2.0, 3.0], [1.0])


def test_ratios_that_say_nothing():
    """Equal populations support no ratio but 1, which favors neither."""
    rng = np.random.default_rng(0)
    own, alike = rng.integers(0, 256, (2, 100, 1, 4, 4), dtype=np.uint8)
    with pytest.warns(UserWarning, match="ratios of all suspects will be 1"):
        attributor = attributor_of((own, alike, None), lr="isotonic")
    ratios = attributor.evidence(own[:5]).ratios
    np.testing.assert_array_equal(ratios.log10_lr, 0)
    assert not ratios.at_bound.any()
    with pytest.warns(UserWarning, match="ratios of all suspects will be 1"):
        attributor.calibrate_reference(alike[:3] // 2 + 1, name="three")


def test_samples_that_were_seen(samples):
    own, others, suspects = samples
    attributor = attributor_of(samples, lr="logistic")
    assert attributor.was_seen(np.concatenate([own, others])).all()
    assert not attributor.was_seen(suspects).any()
    attributor.calibrate_reference(suspects[40:60], name="new bright ones")
    np.testing.assert_array_equal(attributor.was_seen(suspects[40:]), np.repeat([True, False], 20))


def test_infinite_ratios_without_bounds():
    found = LRSystem(IsotonicLR(), bounds=None).weigh([0, 1, 2], [5, 6, 7], [1.0, 3.5, 6.0])
    assert found.log10_lr.tolist() == [np.inf, 0, -np.inf]
    assert not np.isnan(found.interval).any()
    system = LRSystem(IsotonicLR(), bounds=None)
    with pytest.raises(ValueError, match="contradict each other"):
        system.weigh_together([0, 1, 2], [5, 6, 7], [1.0, 6.0])
    assert system.weigh_together([0, 1, 2], [5, 6, 7], [1.0, 2.0]).log10_lr == np.inf


def test_systems_by_name():
    assert as_lr_system("gaussian") == LRSystem(GaussianLR())
    assert as_lr_system(GaussianLR()) == LRSystem(GaussianLR())
    with pytest.raises(ValueError, match="logistic, isotonic"):
        as_lr_system("probit")
    for options in ({"confidence": 1.0}, {"n_bootstrap": 1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            LRSystem(**options)
    with pytest.raises(ValueError, match="lr must be one of"):
        as_lr_system(["logistic"])
    for wrong in (
        lambda: LogisticLR(C=-1),
        lambda: ELUB(0),
        lambda: KernelDensityLR(bandwidth=0),
        lambda: LRSystem().cross_validated([1, 2], [3, 4], n_folds=1),
    ):
        with pytest.raises(ValueError, match="must be"):
            wrong()
    for options in ({"calibrator": "logistic"}, {"bounds": "elub"}):
        with pytest.raises(TypeError, match=next(iter(options))):
            LRSystem(**options)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_tables_of_files(samples, attributor, tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    suspects, folder = samples[2], tmp_path / "suspects"
    folder.mkdir()
    for k in (0, 1, 60):
        Image.fromarray(suspects[k, 0]).save(folder / f"{k:03}.png")
    expected = attributor.evidence(suspects[[0, 1, 60]]).to_frame()
    out = tmp_path / f"v.{suffix}"
    assert score_files(attributor, folder, out, mode="L").n_scored == 3
    rows = list(read_table(out))
    for column in ("log10_lr", "log10_lr_low", "log10_lr_high", "lr_at_bound"):
        np.testing.assert_array_equal([row[column] for row in rows], expected[column])
    plain = tmp_path / f"plain.{suffix}"
    score_files(attributor_of(samples), folder, plain, mode="L")
    assert {row["log10_lr"] for row in read_table(plain)} == {None}


def test_tables_of_earlier_versions(samples, tmp_path):
    folder = tmp_path / "suspects"
    folder.mkdir()
    Image.fromarray(samples[2][0, 0]).save(folder / "a.png")
    score_files(attributor_of(samples), folder, tmp_path / "v.csv", mode="L")
    header, row = (tmp_path / "v.csv").read_text().splitlines()
    kept = [
        k for k, name in enumerate(header.split(",")) if "_lr" not in name and "lr_" not in name
    ]
    lines = [",".join(line.split(",")[k] for k in kept) for line in (header, row)]
    (tmp_path / "old.csv").write_text("\n".join(lines) + "\n")
    (found,) = read_table(tmp_path / "old.csv")
    assert found == next(iter(read_table(tmp_path / "v.csv")))


def test_words():
    logs = np.log10([1, 1.9, 2, 9, 10, 100, 1000, 1e4, 1e6, 1e9])
    degrees = [ENFSI_SCALE.degree(value) for value in logs]
    strengths = ["weak", "weak", "moderate", "moderately strong", "strong"]
    strengths += ["very strong", "extremely strong", "extremely strong"]
    assert degrees == [None, None, *(f"{word} support" for word in strengths)]
    assert [ENFSI_SCALE.degree(-value) for value in logs] == degrees
    own = VerbalScale((10,), (None, "support"))
    assert own.words_of([0.9, -1]) == ["no support for either", "support for the second"]
    with pytest.raises(ValueError, match="NaN"):
        ENFSI_SCALE.words_of([np.nan])
    with pytest.raises(ValueError, match="limits"):
        VerbalScale((1, 10), (None, "a", "b"))
    with pytest.raises(ValueError, match="words"):
        VerbalScale((10,), (None,))


def test_a_calibrator_by_itself():
    X = np.random.default_rng(0).normal(size=(400, 2)) + np.repeat([0, 3], 200)[:, None]
    calibrator = FNRThresholdCalibrator(
        OneClassSVM(), fnr=0.1, reference="far", lr="logistic", random_state=0
    ).fit(X, np.repeat([1, -1], 200))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert calibrator.evidence([[0.0, 0.0], [3.0, 3.0]]).log10_lr[0] > 0


def test_several_models(samples):
    """The ratio of each model is that of its attributor; sets and predictions stay."""
    suspects = samples[2]
    parts = [("a", attributor_of(samples, lr="logistic")), ("b", attributor_of(samples))]
    several = OpenSetAttributor([(name, FrozenEstimator(part)) for name, part in parts]).fit()
    evidence = several.evidence(suspects)
    alone = parts[0][1].evidence(suspects)
    np.testing.assert_array_equal(evidence.log10_lr[:, 0], alone.log10_lr)
    assert np.isnan(evidence.log10_lr[:, 1]).all()
    frame = evidence.to_frame()
    assert list(frame.columns[-2:]) == ["p(b)", "log10_lr(a)"]
    np.testing.assert_array_equal(evidence.by_model["a"].own_rejected, alone.own_rejected)
