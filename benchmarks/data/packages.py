"""Packages whose files are used without installing them."""

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

__all__ = ["debian_files", "module_from", "npm_files", "python_files"]


def python_files(requirement, folder):
    """The unpacked files of a package of Python's, kept in `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "."]
    return _kept(Path(folder, requirement), [*command, requirement], _unpack)


def module_from(path):
    """A module from its file, without the package that it is part of."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def npm_files(requirement, folder):
    """The unpacked files of a package of npm's, kept in `folder`."""
    target = Path(folder, requirement.strip("@").replace("/", "-"))
    return _kept(target, ["npm", "pack", "--silent", requirement], _unpack) / "package"


def debian_files(package, files, folder):
    """The folder `files` of a package of Debian's, installed or unpacked into `folder`."""
    if Path(files).exists():
        return Path(files)

    def unpack(archive):
        subprocess.run(["dpkg-deb", "-x", archive, archive.parent], check=True)

    target = _kept(Path(folder, package), ["apt-get", "download", "-q", package], unpack)
    return target / Path(files).relative_to("/")


def _kept(target, command, unpack):
    """A folder that a command fills once with an archive, which is unpacked there."""
    target = target.resolve()
    if not target.exists():
        part = target.with_name(f"{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        subprocess.run(command, cwd=part, check=True, stdout=subprocess.DEVNULL)
        (archive,) = part.iterdir()
        unpack(archive)
        archive.unlink()
        part.rename(target)
    return target


def _unpack(archive):
    """Unpack a wheel or a tar archive beside itself."""
    kind = zipfile.ZipFile if archive.suffix == ".whl" else tarfile.open
    options = {} if archive.suffix == ".whl" else {"filter": "data"}
    with kind(archive) as content:
        content.extractall(archive.parent, **options)
