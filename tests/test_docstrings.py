"""Public objects are documented, and documented in the API page."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

MODULES = [
    "sklearn_flipad",
    "sklearn_flipad.calibration",
    "sklearn_flipad.datasets",
    "sklearn_flipad.detectors",
    "sklearn_flipad.evaluation",
    "sklearn_flipad.evaluation.perturbations",
    "sklearn_flipad.features",
    "sklearn_flipad.final_layer",
    "sklearn_flipad.operators",
    "sklearn_flipad.plotting",
    "sklearn_flipad.reproduction",
    "sklearn_flipad.sampling",
    "sklearn_flipad.solvers",
    "sklearn_flipad.zoo",
]
#: Malformed or misplaced sections, missing or unknown parameters, missing docstrings.
CODES = ("GL03", "GL06", "GL07", "GL08", "SS0", "PR01", "PR02", "PR03")
_OF_THE_CLASS = ("forward", "adjoint", "to")
#: Names whose first word only looks like a verb in the third person.
NOT_A_VERB = "SS05"


def public_objects():
    found = {}
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            found.setdefault(getattr(importlib.import_module(module), name), f"{module}.{name}")
    return found


def documented_names():
    for thing, name in public_objects().items():
        yield name
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                own = inspect.isfunction(value) or isinstance(value, (classmethod, property))
                # Operators and networks: what forward and adjoint do is their class's.
                own = own and not member.startswith("_") and member not in _OF_THE_CLASS
                inherited = value.__doc__ is None and inspect.getdoc(getattr(thing, member))
                if own and not inherited:
                    yield f"{name}.{member}"


@pytest.mark.parametrize("name", list(documented_names()))
def test_docstring(name):
    errors = [
        f"{code} {text}"
        for code, text in validate(name)["errors"]
        if code.startswith(CODES) and code != NOT_A_VERB
    ]
    one_line = (".discriminator_loss", ".generator_loss", ".select", ".residual", ".primal")
    one_line += (".dual", ".relative_gap", ".inverse", ".to_dict", ".forward")
    # Results are not built by users: their docstrings list attributes, not parameters.
    results = ("Result", "Scores", "Rate")
    if name.endswith(one_line + results):
        errors = [error for error in errors if not error.startswith("PR01")]
    assert not errors


def test_every_public_object_is_on_the_api_page():
    page = (Path(__file__).parents[1] / "docs" / "api.rst").read_text()
    listed = set(re.findall(r"^    ([\w.]+)$", page, re.MULTILINE))
    for name in public_objects().values():
        short = name.removeprefix("sklearn_flipad.")
        assert short in listed or short.split(".")[-1] in listed, f"{short} is not in docs/api.rst"
