"""The field's metrics for animated portraits, from re-tracking the result and its driving."""

from portrayal.evaluate.evaluation import evaluate, track
from portrayal.evaluate.follow import Track
from portrayal.evaluate.report import Report

__all__ = ["Report", "Track", "evaluate", "track"]
