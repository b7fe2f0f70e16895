"""How what the puppet draws follows the driving, before a tracker looks at it: the goals of pairs.py for the
landmarks that each portrait is moved to.

    python benchmarks/drawn.py [MEDIA] [--portraits s9,s12] [--drivings d0,d10] [--seconds 6]

What is missed in pairs.py and reached here is lost between the picture and what the face mesh reads of it.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from goals import movement_scores
from media import Named, chosen, find_media, opened, options_for
from portrayal import Driving, Portrait
from portrayal.engines.puppet.engine import referenced
from portrayal.engines.puppet.info import PuppetOptions
from portrayal.engines.puppet.transfer import Transfer
from portrayal.evaluate import Track, track
from portrayal.evaluate.compare import movements
from portrayal.media.video import VideoReader
from portrayal.track.face import Face
from portrayal.track.measures import measure
from tables import Scores, summary, table, titled


def main() -> None:
    parser = argparse.ArgumentParser(description="Landmarks as the puppet draws them against the driving's.")
    options_for(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        portraits, drivings = find_media(options.media, Path(scratch))
        print(_tables(chosen(portraits, options.portraits), chosen(drivings, options.drivings), options))


def _tables(portraits: Named, drivings: Named, options: argparse.Namespace) -> str:
    tracks = {name: track(VideoReader(path, end=options.seconds)) for name, path in drivings.items()}
    scores: Scores = {}
    for name, portrait in opened(portraits, options.size):
        for driven, theirs in tracks.items():
            ours = drawn(portrait, Driving.open(drivings[driven], end=options.seconds), theirs)
            scores[titled(name, portrait, driven)] = movement_scores(movements(ours, theirs))
    return "\n\n".join([table("portrait, driving", scores), summary(scores)])


def drawn(portrait: Portrait, driving: Driving, theirs: Track) -> Track:
    """The measures of the landmarks that a portrait's are moved to, beside the track of the driving."""
    reference, frames = referenced(portrait, driving, PuppetOptions())
    transfer = Transfer(portrait.faces[0], reference)
    values = np.array([measure(Face(transfer(frame).points)) for frame in frames], np.float32)
    return replace(theirs, name="drawn", values=values)


if __name__ == "__main__":
    main()
