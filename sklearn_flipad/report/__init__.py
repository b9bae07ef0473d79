"""Verdicts as a page that is read by people and printed; it needs ``[report]``."""

from sklearn_flipad.report.fingerprints import weights_digest
from sklearn_flipad.report.write import write_report

__all__ = ["weights_digest", "write_report"]
