"""The shipped generators of Redwine."""

import numpy as np
import pytest

from sklearn_flipad import FinalLayer, FinalLayerInverter
from sklearn_flipad.final_layer import Link
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import list_pretrained, load_pretrained, pretrained_samples

NAMES = list_pretrained("redwine")


def test_shipped_tables():
    assert set(NAMES) == {f"redwine/kl-wgan-{seed}" for seed in range(5)}
    with pytest.raises(ValueError, match="data must be one of fashion, redwine, got 'wine'"):
        list_pretrained("wine")


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_the_card_come_out_again(name):
    stored = pretrained_samples(name)
    again = sample(load_pretrained(name), len(stored), dtype="float32", random_state=0)
    assert stored.shape == (16, 11)
    # Not bit for bit: processors differ in the rounding of sums of products.
    np.testing.assert_allclose(again, stored, rtol=0, atol=1e-4)


def test_layer_in_other_units_gives_the_same_activations():
    """Columns from 1e-3 to 1e5, made by a layer that has their units in its weights."""
    generator = load_pretrained(NAMES[0])
    layer = FinalLayer.from_generator(generator, n_samples=1000, random_state=0)
    units = 10.0 ** np.linspace(-3, 5, 11)
    scaled = FinalLayer(
        [Link("linear", layer.links[0].weight * units[:, None])],
        bias=layer.bias * units,
        input_shape=layer.input_shape,
        mean_activation=layer.mean_activation,
        activation=layer.activation,
        output_scale=layer.output_scale * units,
    )
    X = sample(generator, 40, dtype="float32", random_state=1).astype(np.float64)
    a, b = FinalLayerInverter(layer).invert(X), FinalLayerInverter(scaled).invert(X * units)
    assert (a.gap <= 1e-2).all()
    assert (b.gap <= 1e-2).all()
    np.testing.assert_allclose(a.objective, b.objective, rtol=1e-2)
