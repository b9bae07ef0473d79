"""The folders of the package are rooms, one above the other; imports go down and never around."""

import ast
import sys
from configparser import ConfigParser
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sklearn_flipad

ROOT = Path(sklearn_flipad.__file__).parent
#: From the ground up.
ROOMS = (
    *("base", "storage", "operators", "solvers", "generators", "final_layer", "calibration"),
    *("features", "detectors", "reproduction", "pipelines", "evaluation", "plotting"),
    *("persistence", "tabular", "datasets", "zoo", "scoring", "report", "cli"),
)
#: Rooms, or files, that know torch and nothing of scikit-learn.
CORE = ("operators", "solvers")


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def room_of(module):
    """The room of a module; the package itself is above all but the command."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imports_of(module):
    """Modules that a module imports, anywhere in its code: of each name the one that it is from."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def of_the_package(module):
    return [name for name in imports_of(module) if name in MODULES]


def test_every_folder_is_a_room():
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down(room):
    below = ROOMS[: ROOMS.index(room)]
    for module in MODULES:
        if room_of(module) != room:
            continue
        for name in of_the_package(module):
            if room_of(name) is not None:
                assert room_of(name) in (room, *below), f"{module} imports {name}"


def test_no_imports_go_around():
    # The package itself hands names on to users; the command is one of them.
    TopologicalSorter({name: of_the_package(name) for name in MODULES if "." in name}).prepare()


def test_underscored_modules_stay_in_their_room():
    for module in MODULES:
        for name in of_the_package(module):
            if "._" in name:
                assert room_of(name) == room_of(module), f"{module} imports {name}"


@pytest.mark.parametrize("room", CORE)
def test_the_numerical_core_stands_alone(room):
    seen, todo = set(), [module for module in MODULES if room_of(module) == room]
    while todo:
        module = todo.pop()
        seen.add(module)
        for name in imports_of(module):
            assert name.split(".")[0] in ("sklearn_flipad", "torch", "numpy", "scipy") or (
                name.split(".")[0] in sys.stdlib_module_names
            ), f"{module} imports {name}"
            if name in MODULES and name not in seen:
                todo.append(name)


def test_files_beside_the_code_are_installed():
    config = ConfigParser()
    config.read(ROOT.parent / "setup.cfg")
    installed = set()
    for package, value in config["options.package_data"].items():
        # As setuptools does: lines, or where there is one, what stands between commas.
        parts = value.splitlines() if "\n" in value else value.split(",")
        folder = ROOT.parent.joinpath(*package.split("."))
        installed.update(path for part in parts for path in folder.glob(part.strip()))
    beside = {
        path for path in ROOT.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert beside <= installed
