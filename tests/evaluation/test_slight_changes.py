"""Slight changes of images: by one pixel, and by five steps of quality."""

import numpy as np
import pytest

from sklearn_flipad.evaluation import slight_changes
from sklearn_flipad.evaluation.perturbations import JPEGCompression

RNG = np.random.default_rng(0)
#: Smooth images, which survive a resize.
X = RNG.integers(60, 200, (4, 1, 4, 4), dtype=np.uint8).repeat(5, axis=2).repeat(6, axis=3)


def test_each_image_is_compressed_by_a_quality_near_its_own():
    found = slight_changes(X, quality=[80, 97, 3, 100])
    for name, qualities in (
        ("lower quality", (75, 92, 1, 95)),
        ("higher quality", (85, 100, 8, 100)),
    ):
        expected = [
            JPEGCompression(q).fit_transform(x[None])[0] for q, x in zip(qualities, X, strict=True)
        ]
        np.testing.assert_array_equal(found[name], expected)
    np.testing.assert_array_equal(
        slight_changes(X)["lower quality"], JPEGCompression(95).fit_transform(X)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_changes_are_slight_and_depend_on_the_image_alone(dtype):
    images = X if dtype == np.uint8 else (X / 127.5 - 1).astype(dtype)
    found = slight_changes(images)
    assert list(found) == ["lower quality", "higher quality", "resized by a pixel and back"]
    for name, changed in found.items():
        assert changed.shape == X.shape
        assert changed.dtype == dtype
        assert (changed != images).any(axis=(1, 2, 3)).all()
        levels = changed if dtype == np.uint8 else 127.5 * (changed + 1)
        distance = np.sqrt(np.square(levels - X.astype(float)).mean())
        assert distance < 12  # gray levels, of edges as sharp as can be
        np.testing.assert_array_equal(slight_changes(images[2:3])[name], changed[2:3])


def test_other_samples_are_refused():
    for wrong in (X[0], X.repeat(2, axis=1), X[..., :1]):
        with pytest.raises(ValueError, match="Slight changes are for images"):
            slight_changes(wrong)
