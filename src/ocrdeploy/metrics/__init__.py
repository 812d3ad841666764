"""The metrics of text detection and text recognition, as MMOCR defines them; images are added one by one."""

from .detection import HmeanIou
from .hmean import AllScores, FixedScore, Hmean, ScoreSelection, ScoreSweep, hmean
from .hmean_ic13 import HmeanIc13, Ic13Counts, count_ic13_matches
from .recognition import RecognitionMetric
from .truth import DetectionTruth

__all__ = [
    "AllScores",
    "DetectionTruth",
    "FixedScore",
    "Hmean",
    "HmeanIc13",
    "HmeanIou",
    "Ic13Counts",
    "RecognitionMetric",
    "ScoreSelection",
    "ScoreSweep",
    "count_ic13_matches",
    "hmean",
]
