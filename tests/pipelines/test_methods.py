"""The list of methods: each row is true of what its function makes."""

from inspect import signature

import numpy as np
import pytest
import torch
from torch import nn

import sklearn_flipad
from sklearn_flipad import pipelines
from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.pipelines import METHODS, TargetModel, method_of

#: Of the joint decision, what every function takes.
CALIBRATION = ("fnr", "rule", "reference")
#: What functions take whose attributors have a scaler and a detector.
TRAINED = ("scaler", "detector", "cv", "windows", "device", "memory", "random_state", "verbose")


class Halves(nn.Module):
    """An autoencoder: keeps every second value, and repeats it."""

    def forward(self, x):
        return x[..., ::2].repeat_interleave(2, dim=-1)


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 64), nn.Tanh())
    body.latent_shape = (4,)
    generator = TargetModel(body, output_range=(-1.0, 1.0), random_state=0)
    return {"autoencoder": TargetModel(Halves(), output_range=(-1.0, 1.0)), "else": generator}


def made(method, models, **options):
    """An attributor of a method, or one of one attributor."""
    if method.name == "combined":
        return method.make({"raw": METHODS["rawpad"].make()}, **options)
    if method.arguments is None:
        return method.make(models["else"].module, **options)
    if method.name == "seeded":
        options = {"seeds": range(100), **options}
    return method.attributor(models.get(method.needs, models["else"]), **options)


def test_each_function_has_a_row():
    functions = {getattr(pipelines, name) for name in pipelines.__all__ if name.startswith("make_")}
    assert {method.make for method in METHODS.values()} == functions
    assert all(getattr(sklearn_flipad, f.__name__) is f for f in functions)
    assert all(method.name == name for name, method in METHODS.items())


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_the_row_is_true_of_what_is_made(method, models):
    attributor = made(method, models, fnr=0.125, reference="others")
    calibrator = attributor["detect"]
    assert (calibrator.fnr, calibrator.reference) == (0.125, "others")
    if method.held_out < 1:
        assert calibrator.cv == method.held_out
    first = attributor.steps[0][1]
    while hasattr(first, "estimator"):  # the calibrator's, perhaps frozen
        first = first.estimator
    assert type(first) is method.estimator
    assert method_of(first) is method_of(type(first).__name__) is method
    if method.holds is not None:
        assert method.holds in first.get_params()


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_shared_arguments(method):
    names = signature(method.make).parameters
    assert set(CALIBRATION) <= set(names)
    if method.trains_on_negatives and method.name != "combined":
        shared = {
            "whitener" if name == "scaler" and name not in names else name for name in TRAINED
        }
        assert shared <= set(names)
    if "any size" in method.judges and method.name != "combined":
        assert "windows" in names


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_negatives_train_where_the_row_says_so(method, models):
    """The last step of what is calibrated is DeepSAD, which learns from negatives, or not."""
    detector = last_step(made(method, models)["detect"].estimator)
    trained = type(detector).__name__ in ("DeepSADDetector", "CombinedDetector")
    assert trained == method.trains_on_negatives


def test_numbers_of_samples():
    assert METHODS["reproduction"].held_out == 0.5
    assert METHODS["sminv"].held_out == 1.0
    assert METHODS["flipad"].default_n_samples((3, 64, 64)) == 2000
    assert METHODS["whitened"].default_n_samples((1, 32, 32)) == 2560
    assert METHODS["whitened"].default_n_samples((3, 256, 256)) == 20_000


def test_the_final_layer_is_traced_when_it_is_needed(models):
    model = TargetModel(models["else"].module, random_state=0)
    made(METHODS["rawpad"], {"else": model})
    assert "final_layer" not in vars(model)
    attributor = made(METHODS["flipad"], {"else": model})
    assert attributor["invert"].final_layer is model.final_layer
    assert np.isfinite(model.final_layer.mean_activation).all()


def test_options_that_other_methods_have_are_left_out_and_no_others(models):
    assert made(METHODS["smf"], models, windows=None, fnr=0.25)["detect"].fnr == 0.25
    with pytest.raises(TypeError, match=r"No method has an argument 'fnrr'; make_smf has .*fnr"):
        made(METHODS["smf"], models, fnrr=0.25)


@pytest.mark.parametrize("name", ["posterior", "combined"])
def test_methods_that_no_model_determines_say_what_to_call(name, models):
    with pytest.raises(ValueError, match=f"call make_{name} with them"):
        METHODS[name].attributor(models["else"])
    assert made(METHODS[name], models)["detect"].fnr == 0.005
