"""Packages whose files are used without installing them."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

__all__ = ["debian_files", "downloaded", "npm_files", "python_files"]


def downloaded(requirement, folder):
    """The archive of a package of Python's, into a folder that holds nothing else."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, folder, requirement], check=True)
    (archive,) = folder.iterdir()
    return archive


def python_files(requirement, folder):
    """The unpacked files of a package of Python's, in `folder`."""
    return _kept(Path(folder, requirement), lambda part: _unpack(downloaded(requirement, part)))


def npm_files(requirement, folder):
    """The unpacked files of a package of npm's, in `folder`."""

    def fill(part):
        command = ["npm", "pack", "--silent", requirement]
        subprocess.run(command, cwd=part, check=True, capture_output=True)
        _unpack(*part.iterdir())

    return _kept(Path(folder, requirement.strip("@").replace("/", "-")), fill) / "package"


def debian_files(package, files, folder):
    """The folder `files` of a package of Debian's, installed or unpacked into `folder`."""
    if Path(files).exists():
        return Path(files)

    def fill(part):
        subprocess.run(["apt-get", "download", "-q", package], cwd=part, check=True)
        (archive,) = part.iterdir()
        subprocess.run(["dpkg-deb", "-x", archive, part], check=True)
        archive.unlink()

    return _kept(Path(folder, package), fill) / Path(files).relative_to("/")


def _kept(target, fill):
    """A folder that is filled once, as a whole."""
    target = target.resolve()
    if not target.exists():
        part = target.with_name(f"{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        fill(part)
        part.rename(target)
    return target


def _unpack(archive):
    """Replace an archive by what is in it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as content:
            content.extractall(archive.parent)
    else:
        with tarfile.open(archive) as content:
            content.extractall(archive.parent, filter="data")
    archive.unlink()
