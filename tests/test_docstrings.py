"""Public objects are documented, and documented in the API page."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_flipad

#: Malformed or misplaced sections, missing or unknown parameters, missing docstrings.
CODES = ("GL03", "GL06", "GL07", "GL08", "SS0", "PR01", "PR02", "PR03")
#: Names whose first word only looks like a verb in the third person.
NOT_A_VERB = "SS05"
#: What these do on operators and networks is their class's.
_OF_THE_CLASS = ("forward", "adjoint", "to")
#: Methods whose parameters one line explains.
_ONE_LINE = (".discriminator_loss", ".generator_loss", ".select", ".residual", ".primal", ".dual")
_ONE_LINE += (".relative_gap", ".inverse", ".to_dict", ".forward", ".keep")
#: Modules that users import from; all else that they need, packages export.
MODULES_OF_THE_API = (
    "evaluation.perturbations",
    "evaluation.sound_perturbations",
)


def is_internal(module):
    """Whether a module is underscored, or is or stands in a folder that says it is internal."""
    while "." in module:
        if "._" in module or importlib.import_module(module).__doc__.startswith("Internal:"):
            return True
        module = module.rpartition(".")[0]
    return False


def public_modules():
    """All modules with ``__all__`` that are not internal."""
    found = pkgutil.walk_packages(sklearn_flipad.__path__, "sklearn_flipad.")
    names = [module.name for module in found if not is_internal(module.name)]
    modules = [sklearn_flipad, *map(importlib.import_module, names)]
    return [module for module in modules if hasattr(module, "__all__")]


def public_objects(modules):
    """Classes and functions, and of each the first name that it is found under."""
    found = {}
    for module in modules:
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.setdefault(thing, f"{module.__name__}.{name}")
    return found


def documented_names():
    for thing, name in public_objects(public_modules()).items():
        yield name
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                own = inspect.isfunction(value) or isinstance(value, (classmethod, property))
                own = own and not member.startswith("_") and member not in _OF_THE_CLASS
                inherited = value.__doc__ is None and inspect.getdoc(getattr(thing, member))
                if own and not inherited:
                    yield f"{name}.{member}"


def is_a_record(name):
    """Whether it is a class whose objects users get and do not build: it lists attributes."""
    module, _, name = name.rpartition(".")
    thing = getattr(sys.modules.get(module), name, None)
    return dataclasses.is_dataclass(thing) and "Attributes\n" in thing.__doc__


@pytest.mark.parametrize("name", list(documented_names()))
def test_docstring(name):
    errors = [
        f"{code} {text}"
        for code, text in validate(name)["errors"]
        if code.startswith(CODES) and code != NOT_A_VERB
    ]
    if name.endswith(_ONE_LINE) or is_a_record(name):
        errors = [error for error in errors if not error.startswith("PR01")]
    assert not errors


def test_what_packages_export_is_on_the_api_page():
    page = (Path(__file__).parents[1] / "docs" / "api.rst").read_text()
    listed = set(re.findall(r"^    ([\w.]+)$", page, re.MULTILINE))
    modules = [sys.modules[f"sklearn_flipad.{name}"] for name in MODULES_OF_THE_API]
    # Packages inside of packages are how these are arranged.
    folders = [module for module in public_modules() if hasattr(module, "__path__")]
    modules += [folder for folder in folders if folder.__name__.count(".") < 2]
    names = public_objects(modules).values()
    assert {name.removeprefix("sklearn_flipad.") for name in names} == listed
