"""Public objects are documented and on the API page; names tell what is internal."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

from tests.test_structure import MODULES

#: Malformed or misplaced sections, missing or unknown parameters, missing docstrings.
CODES = ("GL03", "GL06", "GL07", "GL08", "SS0", "PR01", "PR02", "PR03")
#: Names whose first word only looks like a verb in the third person.
NOT_A_VERB = "SS05"
#: What these do on operators and networks is their class's.
_OF_THE_CLASS = ("forward", "adjoint", "to")
#: Methods whose parameters one line explains.
_ONE_LINE = (".select", ".residual", ".primal", ".dual")
_ONE_LINE += (".relative_gap", ".inverse", ".to_dict", ".forward", ".keep")
PAGE = Path(__file__).parents[1] / "docs" / "api.rst"
LISTED = re.findall(r"^    ([\w.]+)$", PAGE.read_text(), re.MULTILINE)


def is_internal(module):
    """Whether a module is underscored, or is or stands in a folder that says it is internal."""
    while "." in module:
        if "._" in module or importlib.import_module(module).__doc__.startswith("Internal:"):
            return True
        module = module.rpartition(".")[0]
    return False


def listed_objects():
    """Names on the API page, and what they are."""
    for name in LISTED:
        module, _, last = f"sklearn_flipad.{name}".rpartition(".")
        yield name, getattr(importlib.import_module(module), last)


def documented_names():
    """Names of the public objects and of their own public members."""
    for name, thing in listed_objects():
        yield f"sklearn_flipad.{name}"
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                own = inspect.isfunction(value) or isinstance(value, (classmethod, property))
                own = own and not member.startswith("_") and member not in _OF_THE_CLASS
                own = own and member not in getattr(thing, "__dataclass_fields__", ())
                inherited = value.__doc__ is None and inspect.getdoc(getattr(thing, member))
                if own and not inherited:
                    yield f"sklearn_flipad.{name}.{member}"


def is_a_record(name):
    """Whether it is a class whose objects users get and do not build: it lists attributes."""
    thing = dict(listed_objects()).get(name.removeprefix("sklearn_flipad."))
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


def test_what_rooms_export_is_on_the_api_page():
    pages = {name.rpartition(".")[0] for name in LISTED}
    for page in pages:
        module = importlib.import_module(f"sklearn_flipad.{page}".rstrip("."))
        exported = {
            name
            for name in module.__all__
            if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
        }
        listed = {name.rpartition(".")[2] for name in LISTED if name.rpartition(".")[0] == page}
        # What users find in the package itself is listed there.
        shown = {name for name in LISTED if "." not in name}
        assert listed <= exported, page
        assert exported <= listed | shown, page
        data = set(module.__all__) - exported
        data = {name for name in data if not inspect.ismodule(getattr(module, name))}
        assert data == documented_data(module.__name__) | data & shown, page


def documented_data(module):
    """Names of values that are no classes or functions, which the API page describes itself."""
    found = re.findall(r"^\.\. data:: (\w+)\n    :module: (.+)$", PAGE.read_text(), re.MULTILINE)
    return {name for name, of in found if of == module}


def definitions(module):
    """Functions and classes of a module, with those in its classes, as pairs of name and node."""
    tree = ast.parse(MODULES[module].read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds):
            yield node.name, node
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(member, kinds):
                    yield f"{node.name}.{member.name}", member


def public_definitions():
    """Pairs of module and name of what the API page lists, and of its bases: users call both."""
    for _, thing in listed_objects():
        for part in inspect.getmro(thing) if inspect.isclass(thing) else (thing,):
            yield part.__module__, part.__qualname__


@pytest.mark.parametrize("module", MODULES)
def test_what_is_internal_is_told_by_its_name(module):
    public = set(public_definitions())
    inside = is_internal(module)
    for name, node in definitions(module):
        top = name.partition(".")[0]
        is_public = (module, top) in public and not name.rpartition(".")[2].startswith("_")
        if not inside:
            assert is_public or any(part.startswith("_") for part in name.split(".")), name
        if not is_public:
            text = ast.get_docstring(node) or ""
            assert not re.search(r"^-{3,}$", text, re.MULTILINE), f"{name}: sections"


@pytest.mark.parametrize("module", MODULES)
def test_first_lines_are_noun_phrases_or_imperatives(module):
    tree = ast.parse(MODULES[module].read_text())
    nodes = [node for _, node in definitions(module)]
    for text in filter(None, map(ast.get_docstring, [tree, *nodes])):
        assert not re.match(r"(What|How|Where) ", text), text.partition("\n")[0]
