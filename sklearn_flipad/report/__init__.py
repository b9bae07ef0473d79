"""Verdicts as a page for people to read and print; it needs the extra ``[report]``."""

from sklearn_flipad.report.fingerprints import weights_digest
from sklearn_flipad.report.write import write_report

__all__ = ["weights_digest", "write_report"]
