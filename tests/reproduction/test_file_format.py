"""Suspects whose own files tell how they were compressed."""

import io
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline

from sklearn_flipad import LatentEncoder, ReproductionDetector, make_reproduction
from sklearn_flipad.base.file_images import FileImage
from sklearn_flipad.evaluation import (
    FileFormat,
    UnknownGeometry,
    UnknownProcessing,
    slight_changes,
)
from sklearn_flipad.evaluation.perturbations import Downscale, JPEGCompression, WebPCompression
from sklearn_flipad.generators import sample
from sklearn_flipad.generators.process.generative_process import GenerativeProcess
from sklearn_flipad.generators.process.latent_function import LatentFunction
from sklearn_flipad.report import write_report
from sklearn_flipad.scoring import ImageDecoder, score_files
from sklearn_flipad.zoo import load_pretrained

#: Nothing is found with so few trials, and nothing has to be.
BRIEF = {"max_iter": 2, "n_restarts": 0, "n_calibration": 0}


@pytest.fixture(scope="module")
def fashion():
    return load_pretrained("fashion/dcgan-0")


@pytest.fixture(scope="module")
def encoder(fashion):
    return LatentEncoder(max_steps=1, processing=[UnknownGeometry(), FileFormat()]).fit(fashion)


@pytest.fixture(scope="module")
def own(fashion):
    steps = make_pipeline(UnknownGeometry(sizes=(0.75, 2)), FileFormat())
    return steps.fit_transform(sample(fashion, 16, random_state=1))


def _file(image, name, **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_decoded_image_compresses_others_as_its_file_does(mode):
    rng = np.random.default_rng(0)
    side = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    image = Image.fromarray(side).convert(mode)
    before = ImageDecoder(mode=mode)(_file(image, "PNG"))[0]
    assert before.compression is None
    assert ImageDecoder(mode=mode)(_file(image, "WEBP", lossless=True))[0].compression is None
    for options in (
        {"quality": 71},
        {"quality": 90, "subsampling": 0},
        {"qtables": [[9] * 64] * 2},
    ):
        decoded = ImageDecoder(mode=mode)(_file(image, "JPEG", **options))[0]
        again = decoded.compression.fit_transform(before[None])[0]
        np.testing.assert_array_equal(again, decoded)
        assert isinstance(pickle.loads(pickle.dumps(decoded)).compression, JPEGCompression)
    resized = ImageDecoder(size=24, mode=mode)(_file(image, "JPEG"))[0]
    assert not isinstance(resized, FileImage)


@pytest.mark.parametrize("quality", [75, 85, 95])
def test_the_quality_of_a_webp_file_is_found_nearly(fashion, quality):
    for (x,) in sample(fashion, 4, random_state=0):
        image = Image.fromarray(x).resize((64, 64))
        file = _file(image, "WEBP", quality=quality, exif=b"Exif\0\0" + bytes(200))
        found = ImageDecoder(mode="L")(file)[0].compression.quality
        assert abs(found - quality) <= 6


def test_draws_depend_on_the_image_alone(fashion):
    X = sample(fashion, 24, random_state=0)
    drawn = FileFormat(random_state=1).fit_transform(X)
    for image, alone in zip(drawn[2:5], FileFormat(random_state=1).transform(X[2:5]), strict=True):
        np.testing.assert_array_equal(image, alone)
        assert repr(image.compression) == repr(alone.compression)
    formats = [image.compression for image in drawn]
    assert 1 <= formats.count(None) <= 12
    assert all(60 <= jpeg.quality <= 95 for jpeg in formats if jpeg is not None)
    for image, x in zip(drawn, X, strict=True):
        expected = x if image.compression is None else image.compression.fit_transform(x[None])[0]
        np.testing.assert_array_equal(image, expected)
    assert len({repr(jpeg) for jpeg in formats}) > 8


@pytest.mark.parametrize("unknown", [UnknownGeometry(), UnknownProcessing()])
def test_scores_are_those_of_each_format_named(fashion, unknown, own):
    X = own if hasattr(unknown, "crop") else FileFormat().transform(sample(fashion, 6))
    images = [image for image in X if image.compression is not None][:4]
    encoder = LatentEncoder(max_steps=1, processing=unknown).fit(fashion)

    def scores(images, last):
        detector = ReproductionDetector(
            fashion, encoder=encoder, processing=[unknown, last], **BRIEF
        )
        return detector.score_samples(images)

    found = scores(images, FileFormat())
    for image, score in zip(images, found, strict=True):
        plain = np.asarray(image)
        plain = [plain] if hasattr(unknown, "crop") else plain[None]
        assert scores(plain, image.compression) == score


def test_known_steps_may_come_before(fashion):
    X = FileFormat().transform(Downscale(24).fit_transform(sample(fashion, 4)))
    encoder = LatentEncoder(max_steps=1, processing=Downscale(24)).fit(fashion)
    options = {"encoder": encoder, "processing": [Downscale(24), FileFormat()], **BRIEF}
    found = ReproductionDetector(fashion, **options).reconstruct(X)
    again = FileFormat().alike(Downscale(24).transform(_raw(fashion, found)), X)
    np.testing.assert_array_equal(found.reconstructions, np.stack(again))


def _raw(generator, found):
    process = GenerativeProcess(LatentFunction(generator, device=torch.device("cpu")))
    latents, conditions = (torch.from_numpy(part) for part in (found.latents, found.conditions))
    return process.raw(latents.flatten(1), conditions)


@pytest.mark.filterwarnings("ignore:The search failed")
def test_files_of_several_formats_are_scored(fashion, encoder, own, tmp_path):
    steps = [UnknownGeometry(), FileFormat()]
    options = {"encoder": encoder, "processing": steps, "max_iter": 2, "n_restarts": 0}
    attributor = make_reproduction(fashion, fnr=0.2, **options).fit(own)
    # Of quality 60, a file of slightly lower quality is refused, and the file itself is not.
    for name, options in (("a.png", {}), ("b.jpg", {"quality": 60}), ("c.webp", {"quality": 80})):
        Image.fromarray(np.asarray(own[0][0])).save(tmp_path / name, **options)
    files = sorted(tmp_path.iterdir())
    score_files(attributor, files, tmp_path / "verdicts.csv", mode="L", stability=True)
    table = pd.read_csv(tmp_path / "verdicts.csv", float_precision="round_trip")
    X = [ImageDecoder(mode="L")(file.read_bytes())[0] for file in files]
    np.testing.assert_array_equal(table["score"], attributor.score_samples(X))
    assert table["stability"].notna().all()
    write_report(tmp_path / "verdicts.csv", attributor, tmp_path / "report.html")
    assert "differs" not in (tmp_path / "report.html").read_text()


def test_slight_changes_of_files_know_their_format(own):
    X = [image for image in own if image.shape == own[0].shape]
    changes = slight_changes(X, quality=80)
    assert changes["higher quality"][0].compression.quality == 85
    assert changes["resized by a pixel and back"][0].compression is X[0].compression
    webp, tables = WebPCompression(70), JPEGCompression(tables=[[9] * 64])
    changes = slight_changes([FileImage(X[0], webp), FileImage(X[0], tables)])
    assert changes["lower quality"][0].compression.quality == 65
    assert changes["lower quality"][1].compression is tables


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 48, 40)])
def test_an_earlier_compression_is_seen(shape):
    rng, channels = np.random.default_rng(0), shape[0]
    small = rng.integers(0, 256, (6, channels, 8, 8), dtype=np.uint8)
    X = np.stack(
        [[np.asarray(Image.fromarray(plane).resize(shape[:0:-1])) for plane in x] for x in small]
    )
    mode, seen, once = "L" if channels == 1 else "RGB", FileFormat().earlier_quality, [None] * 6

    def saved(X, name, **options):
        pixels = [x[0] if channels == 1 else np.moveaxis(x, 0, 2) for x in X]
        files = [_file(Image.fromarray(image), name, **options) for image in pixels]
        return [ImageDecoder(mode=mode)(file)[0] for file in files]

    before = JPEGCompression(60).fit_transform(X)
    assert list(map(seen, saved(X, "PNG"))) == once
    assert list(map(seen, saved(before, "PNG"))) == [60] * 6
    for quality in (80, 95):
        assert list(map(seen, saved(X, "JPEG", quality=quality))) == once
        qualities = list(map(seen, saved(before, "JPEG", quality=quality)))
        assert sum(found is not None and abs(found - 60) <= 1 for found in qualities) >= 5


def test_an_earlier_compression_is_a_warning(fashion, encoder, own):
    steps = [UnknownGeometry(), FileFormat()]
    detector = ReproductionDetector(fashion, encoder=encoder, processing=steps, **BRIEF)
    images = JPEGCompression(60).fit_transform(sample(fashion, 3, random_state=0))
    last = JPEGCompression(92)
    twice = [FileImage(last.fit_transform(x[None])[0], last) for x in images]
    match = r"[23] of 3 samples were compressed as JPEG before .* quality (59|60|61), .*names each"
    with pytest.warns(UserWarning, match=match):
        detector.score_samples(twice)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.score_samples(own[:3])
    detector.set_params(processing=[UnknownGeometry(), JPEGCompression(60), last])  # as advised
    assert np.isfinite(detector.score_samples(twice)).all()


def test_what_cannot_be_judged_is_refused(fashion, encoder):
    detector = ReproductionDetector(
        fashion, encoder=encoder, processing=[UnknownGeometry(), FileFormat()], **BRIEF
    )
    X = sample(fashion, 2, random_state=0)
    with pytest.raises(ValueError, match="Sample 0 does not say how its file is compressed"):
        detector.score_samples(X)
    for quality, name in ((58, "JPEG"), (40, "WEBP")):
        file = _file(Image.fromarray(X[0][0]), name, quality=quality)
        with pytest.raises(ValueError, match="more strongly than JPEG of quality 60, the least"):
            detector.score_samples([ImageDecoder(mode="L")(file)[0]])
    image = Image.fromarray(X[0][0])
    for few in (image.quantize(64), image.convert("1")):
        reduced = ImageDecoder(mode="L")(_file(few, "PNG"))[0]
        with pytest.raises(ValueError, match="a palette, or of fewer than 8 bits, it is not known"):
            detector.score_samples([reduced])
    file = _file(image, "JPEG", quality=60)
    assert np.isfinite(detector.score_samples([ImageDecoder(mode="L")(file)[0]])).all()
    images = FileFormat().transform(X)
    assert np.isfinite(detector.score_samples(images)).all()  # as advised
    detector.set_params(processing=[UnknownProcessing(), FileFormat()])
    with pytest.raises(ValueError, match="The encoder guesses 68 numbers, and 64 are searched"):
        detector.score_samples(images)
    with pytest.raises(ValueError, match=r"Pass processing=\[UnknownGeometry\(\), ...\]"):
        detector.score_samples([FileImage(X[0][:, :20])])
    for steps in ([FileFormat(), UnknownProcessing()], [FileFormat(), FileFormat()]):
        with pytest.raises(ValueError, match="it comes once, and last"):
            detector.set_params(processing=steps).score_samples(images)
    for qualities in ((90, 80), (0, 80), (80,), (70.5, 80)):
        with pytest.raises(ValueError, match="smallest and the largest JPEG quality"):
            FileFormat(qualities=qualities).transform(X)
