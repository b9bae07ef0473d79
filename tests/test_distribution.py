"""Contents of the source distribution and of the wheel made from it; the version."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from sklearn_flipad import __version__

ROOT = Path(__file__).parents[1]
#: Folders whose every file is distributed, but for what is generated, and single files.
FOLDERS = ("benchmarks", "docs", "examples", "sklearn_flipad", "tests")
FILES = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "NOTICE",
    "README.md",
    "constraints-floors.txt",
    "constraints.txt",
    "pyproject.toml",
    "setup.cfg",
)
GENERATED = ("__pycache__", "_build", "auto_examples", "generated", "sg_execution_times.rst")


def files_under(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def build(kind, source, target):
    """Path of the distribution that the build backend makes of a source tree."""
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = target.iterdir()
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the source tree, which a build would write to."""
    copy = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns(*GENERATED))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def unpacked(source, tmp_path_factory):
    """The source distribution, unpacked."""
    distributed = files_under(source)
    archive = build("sdist", source, tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked, distributed


def test_the_source_distribution_has_every_file(unpacked):
    folder, distributed = unpacked
    found = files_under(folder)
    assert found >= distributed
    assert {name.partition("/")[0] for name in found - distributed} == {
        "PKG-INFO",
        "sklearn_flipad.egg-info",
    }


def test_the_wheel_has_the_package_with_its_data_and_nothing_else(unpacked, tmp_path):
    folder, distributed = unpacked
    path = build("wheel", folder, tmp_path)
    assert path.name == f"sklearn_flipad-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        names = {*wheel.namelist()}
    licenses = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    assert licenses == {"LICENSE", "NOTICE"}  # that of the data must go with them
    found = {name for name in names if ".dist-info/" not in name}
    assert found == {name for name in distributed if name.startswith("sklearn_flipad/")}
    suffixes = {".py", ".css", ".csv", ".html", ".npz", ".safetensors", ".json", ".png"}
    assert {Path(name).suffix for name in found} == suffixes


def test_changelog_and_citation_are_of_this_version():
    (first, *_) = re.findall(
        r"^(\S+) \(.*\)\n-+$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    citation = (ROOT / "CITATION.cff").read_text()
    assert first == __version__
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [__version__]
    project = (ROOT / "pyproject.toml").read_text()
    for pattern in (r'authors = \[\{ name = "(.*)" \}\]', r'license = "(.*)"'):
        (value,) = re.findall(pattern, project)
        assert f": {value}\n" in citation
