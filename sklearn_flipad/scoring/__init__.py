"""Files in, verdicts out: in one process, in several, on a cluster."""

from sklearn_flipad.scoring.columns import path_of
from sklearn_flipad.scoring.decoders import ImageDecoder, WavDecoder
from sklearn_flipad.scoring.runs.outputs import ScoringSummary
from sklearn_flipad.scoring.score import score_files

__all__ = ["ImageDecoder", "ScoringSummary", "WavDecoder", "path_of", "score_files"]
