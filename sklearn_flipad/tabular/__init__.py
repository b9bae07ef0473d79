"""Tables: data frames as rows of numbers, and synthesizers of SDV."""

from sklearn_flipad.tabular.pipelines import for_tables
from sklearn_flipad.tabular.preparation import TablePreparer
from sklearn_flipad.tabular.sdv import (
    SDVTransformer,
    final_layer_of_sdv,
    impossible_for_sdv,
    sample_sdv,
)

__all__ = [
    "SDVTransformer",
    "TablePreparer",
    "final_layer_of_sdv",
    "for_tables",
    "impossible_for_sdv",
    "sample_sdv",
]
