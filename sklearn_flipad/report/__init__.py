"""Verdicts as a page for people to read and print; it needs the extra ``[report]``."""

from sklearn_flipad.report.fingerprints import weights_digest
from sklearn_flipad.report.validation import GroupResult, ValidationResult, write_validation
from sklearn_flipad.report.write import write_report

__all__ = [
    "GroupResult",
    "ValidationResult",
    "weights_digest",
    "write_report",
    "write_validation",
]
