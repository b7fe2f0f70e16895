"""How what the puppet draws follows the driving, before a tracker looks at it: the goals of pairs.py for the
landmarks that each portrait is moved to.

    python benchmarks/drawn.py MEDIA [--portraits s9,s12] [--drivings d0,d10] [--seconds 6]

What is missed in pairs.py and reached here is lost between the picture and what the face mesh reads of it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from goals import movement_scores
from media import chosen, find_media
from portrayal import Driving, Portrait
from portrayal.engines.puppet.engine import referenced
from portrayal.engines.puppet.info import PuppetOptions
from portrayal.engines.puppet.transfer import Transfer
from portrayal.errors import PortrayalError
from portrayal.evaluate import Track, track
from portrayal.evaluate.compare import movements
from portrayal.media.video import VideoReader
from portrayal.track.face import Face
from portrayal.track.measures import measure
from tables import Scores, summary, table, titled


def main() -> None:
    options = _options()
    portraits, drivings = find_media(options.media, options.media)
    tracks = {
        name: track(VideoReader(path, end=options.seconds))
        for name, path in chosen(drivings, options.drivings).items()
    }
    scores: Scores = {}
    for name, path in chosen(portraits, options.portraits).items():
        try:
            portrait = Portrait.open(path, size=options.size)
        except PortrayalError:
            continue  # a picture without a face
        for driven, theirs in tracks.items():
            ours = drawn(portrait, Driving.open(drivings[driven], end=options.seconds), theirs)
            scores[titled(name, portrait, driven)] = movement_scores(movements(ours, theirs))
    print(table("portrait, driving", scores), summary(scores), sep="\n\n")


def drawn(portrait: Portrait, driving: Driving, theirs: Track) -> Track:
    """The measures of the landmarks that a portrait's are moved to, beside the track of the driving."""
    reference, frames = referenced(portrait, driving, PuppetOptions())
    transfer = Transfer(portrait.faces[0], reference)
    values = np.array([measure(Face(transfer(frame).points)) for frame in frames], np.float32)
    return replace(theirs, name="drawn", values=values)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Landmarks as the puppet draws them against the driving's.")
    parser.add_argument("media", type=Path)
    parser.add_argument("--portraits", help="names, with commas between (all)")
    parser.add_argument("--drivings", help="names, with commas between (all)")
    parser.add_argument("--seconds", type=float, help="use the beginning of each driving only")
    parser.add_argument("--size", type=int, default=512, help="longest side of the portraits (512)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
