"""Verdicts for files, by one process, several, or a cluster."""

from sklearn_flipad.scoring.decoders import ImageDecoder, WavDecoder
from sklearn_flipad.scoring.paths import path_of
from sklearn_flipad.scoring.score import score_files
from sklearn_flipad.scoring.summary import ScoringSummary

__all__ = ["ImageDecoder", "ScoringSummary", "WavDecoder", "path_of", "score_files"]
