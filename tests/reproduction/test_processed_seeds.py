"""Seeds of processed samples: known processing, and the second inversion."""

import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.preprocessing import FunctionTransformer

from sklearn_flipad import SeedDetector, make_seeded
from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.evaluation import FileFormat, UnknownGeometry, UnknownProcessing
from sklearn_flipad.evaluation.perturbations import GaussianBlur, GaussianNoise, JPEGCompression
from sklearn_flipad.evaluation.random_processing import RandomProcessing
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.reproduction import (
    ReproductionDetector,
    SeedCandidates,
    SeedSearch,
    match_seeds,
)
from sklearn_flipad.scoring import ImageDecoder
from tests.diffusion_models import flow_sampler

SHAPE = (1, 16, 16)
MODEL = flow_sampler(side=16)
SEEDS = range(1000, 1400)
JPEG = JPEGCompression(80)
TURNED = Image.Exif()
TURNED[0x0112] = 3


@pytest.fixture(scope="module")
def own():
    """Images of three candidates."""
    return SeedDetector(MODEL, seeds=SEEDS).sample(3)


def file_of(image, name, mode=None, **options):
    """An image as a file holds it."""
    file, own = io.BytesIO(), "L" if len(image) == 1 else "RGB"
    pixels = image[0] if own == "L" else np.moveaxis(image, 0, -1)
    Image.fromarray(np.ascontiguousarray(pixels)).convert(mode or own).save(file, name, **options)
    return ImageDecoder(mode=own)(file.getvalue())[0]


def floats_of(own):
    """Floats of the images."""
    seeds = SeedSearch(MODEL, SEEDS).search(own).seeds
    return np.concatenate([MODEL.run(TorchNoise(SHAPE)(int(seed))) for seed in seeds])


def test_processed_images_are_made_again_in_every_value(own):
    X = JPEG.fit_transform(own)
    plain, known = (SeedSearch(MODEL, SEEDS, processing=steps).search(X) for steps in (None, JPEG))
    assert np.array_equal(plain.seeds, known.seeds)
    assert (known.log_p_values < np.log(1e-6)).all()
    assert known.identical.all()
    assert not plain.identical.any()
    assert np.array_equal(known.samples, X)
    # As they are, they are not what the processing makes.
    assert not SeedSearch(MODEL, SEEDS, processing=JPEG).search(own).identical.any()


def test_the_detector_processes_too(own):
    detector = SeedDetector(MODEL, seeds=SEEDS, processing=[JPEG])
    X = detector.sample(3)
    assert np.array_equal(X, JPEG.fit_transform(own))
    assert np.array_equal(detector.sample(3, dtype="float32"), floats_of(own))
    detector.fit(X)
    assert detector.score_samples(X).tolist() == [0, 0, 0]
    assert detector.predict(own).tolist() == [-1, -1, -1]


def test_files_are_compared_as_each_is_compressed(own):
    search = SeedSearch(MODEL, SEEDS, processing=FileFormat())
    files = [file_of(own[0], "PNG"), file_of(own[1], "JPEG", quality=85)]
    files += [file_of(own[2], "JPEG", quality=62), file_of(255 - own[2], "JPEG", quality=62)]
    found = search.search(files)
    assert found.identical.tolist() == [True, True, True, False]
    assert np.array_equal(found.samples[:3], np.stack(files[:3]))
    assert search.search(files[2:]).identical.tolist() == [True, False]
    # Compression that another file has is not what this one has.
    assert not search.search([FileImage(files[1], JPEGCompression(90))]).identical.any()


@pytest.mark.parametrize(
    ("suspect", "error"),
    [
        (lambda x: x, "does not say how its file is compressed"),
        (lambda x: file_of(x, "JPEG", quality=40), "more strongly than JPEG of quality 60"),
        (lambda x: file_of(x, "WEBP", quality=80), "does not tell all of its compression"),
        (lambda x: file_of(x, "JPEG", exif=TURNED), "does not tell all of its compression"),
        (lambda x: FileImage(x[:, 1:]), "several shapes"),
    ],
)
def test_files_that_cannot_be_compared(own, suspect, error):
    detector = SeedDetector(MODEL, seeds=SEEDS, processing=FileFormat()).fit(own)
    for search in (
        detector.score_samples,
        SeedSearch(MODEL, SEEDS, processing=FileFormat()).search,
    ):
        with pytest.raises(ValueError, match=error):
            search([FileImage(own[0]), suspect(own[1])])


def test_colors_of_files():
    model = flow_sampler(side=16, channels=3)
    (image,) = SeedDetector(model, seeds=SEEDS).sample(1)
    search = SeedSearch(model, SEEDS, processing=FileFormat()).search
    for options in ({}, {"subsampling": 0}, {"progressive": True}):
        assert search([file_of(image, "JPEG", quality=90, **options)]).identical.all()
    for file in (
        file_of(image, "JPEG", quality=90, keep_rgb=True),
        file_of(image, "JPEG", "CMYK", quality=90),
        file_of(image, "JPEG", "L", quality=90),
    ):
        with pytest.raises(ValueError, match="does not tell all of its compression"):
            search([file])


def test_files_that_were_compressed_before_are_named(own):
    before = JPEGCompression(60).fit_transform(own)
    files = [file_of(before[0], "PNG"), file_of(before[1], "JPEG", quality=92)]
    with pytest.warns(UserWarning, match=r"\[JPEGCompression\(60\), FileFormat\(\)\]"):
        found = SeedSearch(MODEL, SEEDS, processing=FileFormat()).search(files)
    assert not found.identical.any()
    steps = [JPEGCompression(60), FileFormat()]
    search = SeedSearch(MODEL, SEEDS, processing=steps)
    assert search.search(files).identical.all()
    # What is known is not missing.
    other = JPEGCompression(60).fit_transform(np.where(own > 128, own - 1, own + 1).astype("uint8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not search.search([file_of(x, "PNG") for x in other]).identical.any()


def test_subsampling_that_cannot_be_written():
    image = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", subsampling=2)
    data = file.getvalue()
    assert ImageDecoder()(data)[0].is_repeatable
    # Sampling factors 2x2 of the luma in the frame's header, made 1x2.
    place = data.index(b"\xff\xc0") + 11
    assert data[place] == 0x22
    assert not ImageDecoder()(data[:place] + b"\x12" + data[place + 1 :])[0].is_repeatable


def test_a_setting_is_no_argument_too():
    model = flow_sampler()
    X = model.images(TorchNoise((1, 8, 8))(3), class_labels=[1])
    candidates = SeedCandidates.of_each(range(9), class_labels=[0, 1])
    with pytest.raises(ValueError, match="class_labels is both a setting"):
        SeedSearch(model, candidates).search(X, class_labels=[1])
    assert SeedSearch(model, candidates).search(X).identical.all()


def test_qualities_are_checked(own):
    with pytest.raises(ValueError, match="'qualities' parameter of FileFormat"):
        SeedSearch(MODEL, SEEDS, processing=FileFormat(qualities=60)).search(list(own))


def test_the_detector_draws_files_too(own):
    detector = SeedDetector(MODEL, seeds=SEEDS, processing=FileFormat(lossless=0.5))
    X = detector.sample(8)
    assert len({None if x.compression is None else x.compression.quality for x in X}) > 3
    assert detector.fit(X).score_samples(X).tolist() == [0] * 8
    attributor = make_seeded(MODEL, seeds=SEEDS, processing=FileFormat(), fnr=0.3).fit(X)
    assert attributor.predict([*X[:2], FileImage(255 - own[0])]).tolist() == [1, 1, -1]


def test_files_of_other_generators_are_refused(own):
    generator = torch.nn.Sequential(torch.nn.Linear(4, 256), torch.nn.Unflatten(1, SHAPE))
    options = {"latent_shape": (4,), "output_range": (-1, 1), "encoder": torch.nn.Flatten()}
    for steps, error in (
        (FileFormat(), "followed for diffusion models"),
        ([UnknownGeometry(), FileFormat()], "FileFormat\\(\\). Pass the steps themselves"),
    ):
        detector = SeedDetector(generator, seeds=range(9), processing=steps, **options)
        with pytest.raises(ValueError, match=error):
            detector.sample(2)


def test_noise_is_left_out(own):
    noise = GaussianNoise(0.02, random_state=1)
    X = noise.fit_transform(JPEG.fit_transform(own))
    with pytest.raises(ValueError, match=r"noise of GaussianNoise .* Leave it out"):
        SeedSearch(MODEL, SEEDS, processing=[JPEG, noise]).search(X)
    with pytest.raises(ValueError, match="noise of GaussianNoise"):
        SeedDetector(MODEL, seeds=SEEDS, processing=noise).sample(3)
    # As the error says.
    found = SeedSearch(MODEL, SEEDS, processing=JPEG).search(X)
    assert np.array_equal(found.samples, JPEG.fit_transform(own))
    assert (found.log_p_values < np.log(1e-6)).all()
    assert not found.identical.any()
    assert (found.distances.min(axis=1) < 6 * 0.02 * 255).all()


def test_gray_levels_that_were_scaled_are_no_floats_of_the_model(own):
    search = SeedSearch(MODEL, SEEDS)
    floats = floats_of(own)
    for dtype in (np.float64, np.float32):
        X = np.concatenate([floats, (own / 255)]).astype(dtype)
        with pytest.raises(ValueError, match=r"sample 3 are gray levels .* from 0 to 1.* uint8"):
            search.search(X)
    # Values at the ends are the same either way.
    ends = np.array([0.0, 1.0, 1.0, 0.0] * 64, np.float32).reshape(1, *SHAPE)
    found = search.search(np.concatenate([floats, ends]))
    assert found.identical.tolist() == [True] * 3 + [False]
    with pytest.raises(ValueError, match="gray levels that were scaled"):
        SeedDetector(MODEL, seeds=SEEDS).fit(floats).predict(own / 255)


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        (UnknownProcessing(), "in place of UnknownProcessing"),
        ([JPEG, RandomProcessing("web")], "in place of RandomProcessing"),
        (FunctionTransformer(lambda X: X[:, :, 1:, 1:]), "put crops back in their place"),
    ],
)
def test_processing_that_nothing_repeats(own, steps, error):
    with pytest.raises(ValueError, match=error):
        SeedSearch(MODEL, SEEDS, processing=steps).search(own)


def test_floats_are_not_processed():
    floats = MODEL.run(TorchNoise(SHAPE)(1000))
    with pytest.raises(ValueError, match="pass uint8"):
        SeedSearch(MODEL, SEEDS, processing=JPEG).search(floats)


def test_processing_of_a_generator_whose_latents_are_found():
    torch.manual_seed(0)
    generator = torch.nn.Sequential(
        torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Unflatten(1, (1, 8, 8))
    )
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 16))
    blur = GaussianBlur(3, sigma=0.5)
    detector = ReproductionDetector(
        generator, encoder=encoder, latent_shape=(16,), output_range=(-1, 1), processing=blur
    )
    with torch.no_grad():
        made = generator(TorchNoise((16,))(7)).numpy()
    X = blur.fit_transform(np.round(127.5 * (made + 1)).astype(np.uint8))
    found = SeedSearch(detector, range(400)).search(X)
    assert found.seeds == 7
    assert found.identical.all()
    detector.set_params(processing=None)
    with pytest.warns(UserWarning, match=r"have to be scaled to that range"):
        SeedSearch(detector, range(400)).search(made.astype(np.float32) ** 2)
    with pytest.raises(ValueError, match="scaled to floats from -1 to 1"):
        SeedSearch(detector, range(400)).search(X / 127.5 - 1)


def test_only_what_does_not_come_back_is_inverted_again(own, monkeypatch):
    inverted, invert = [], DiffusionSampler.invert

    def noted(self, X, *, deviation, **options):
        inverted.append((len(X), deviation))
        return invert(self, X, deviation=deviation, **options)

    monkeypatch.setattr(DiffusionSampler, "invert", noted)
    X = np.concatenate([own[:1], 255 - own[1:], own[2:]])
    together = SeedSearch(MODEL, SEEDS).search(X)
    assert inverted == [(4, 0.05), (2, 0.2)]
    assert together.identical.tolist() == [True, False, False, True]
    for k, x in enumerate(X):
        alone = SeedSearch(MODEL, SEEDS).search(x[None])
        assert alone.seeds == together.seeds[k]
        assert alone.log_p_values[0] == pytest.approx(together.log_p_values[k], rel=1e-12)
        assert np.array_equal(alone.inversion.noise[0], together.inversion.noise[k])
    # Both count, whichever it was.
    once = match_seeds(together.inversion.noise, seeds=SEEDS)
    twice = np.minimum(once.log_p_values + np.log(2), 0)
    np.testing.assert_allclose(together.log_p_values, twice, rtol=1e-9)
    np.testing.assert_allclose(together.matches.log_p_values, twice, rtol=1e-9)


@pytest.mark.parametrize("kind", ["levels", "floats"])
def test_the_next_inversion_finds_what_the_first_one_does_not(own, kind, monkeypatch):
    X = own if kind == "levels" else floats_of(own)
    expected, invert = SeedSearch(MODEL, SEEDS).search(X), DiffusionSampler.invert
    first = 0.05 if kind == "levels" else None

    def lost(self, X, **options):
        found = invert(self, X, **options)
        if options.get("deviation") == first:
            found.noise[:] = 0
        return found

    monkeypatch.setattr(DiffusionSampler, "invert", lost)
    found = SeedSearch(MODEL, SEEDS).search(X)
    assert np.array_equal(found.seeds, expected.seeds)
    assert found.identical.all()
    assert (found.log_p_values < np.log(1e-6)).all()
    assert np.array_equal(found.rows, expected.rows)
    assert found.settings == ({}, {}, {})
