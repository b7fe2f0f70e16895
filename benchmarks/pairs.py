"""Every portrait driven by every driving, and every driving by itself: the table of results, in Markdown.

    python benchmarks/pairs.py [MEDIA] [--portraits s9,s12] [--drivings d0,d10] [--seconds 6] [--out FOLDER]

MEDIA (or the environment's PORTRAYAL_MEDIA) is a folder with portraits/ and driving/; without one, what can
be made from Matplotlib's photo of Grace Hopper is used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from goals import Score, cross_scores, self_scores
from media import Named, chosen, find_media, opened, options_for
from portrayal import Driving, Portrait, load_engine
from portrayal.evaluate import Track, evaluate, track
from portrayal.media.image import write_image
from portrayal.media.video import VideoReader
from tables import Scores, summary, table, titled


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        portraits, drivings = find_media(options.media, out / "made")
        bench = Bench(options.engine, out, options.size, options.seconds)
        drivings = chosen(drivings, options.drivings)
        cross = bench.cross(chosen(portraits, options.portraits), drivings)
        own = {} if options.no_self else bench.own(drivings)
    for title, scores in (("portrait, driving", cross), ("driving by itself", own)):
        if scores:
            print(table(title, scores), summary(scores), sep="\n\n", end="\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options_for(parser)
    parser.add_argument("--engine", default="puppet")
    parser.add_argument("--no-self", action="store_true", help="leave self-reenactment out")
    parser.add_argument("--out", type=Path, help="keep the clips and their contact sheets in this folder")
    return parser.parse_args()


class Bench:
    """Renders, saves, tracks again. Each driving is tracked once."""

    def __init__(self, engine: str, out: Path, size: int, seconds: float | None) -> None:
        self._engine, self._out, self._size, self._seconds = load_engine(engine), out, size, seconds
        self._tracks: dict[Path, Track] = {}

    def cross(self, portraits: Named, drivings: Named) -> Scores:
        scores = {}
        for name, portrait in opened(portraits, self._size):
            for driven, driving in drivings.items():
                target = self._render(f"{name}-{driven}", portrait, driving)
                report = evaluate(target, self._track(driving), portrait=portrait.rgb)
                scores[titled(name, portrait, driven)] = _told(cross_scores(report))
        return scores

    def own(self, drivings: Named) -> Scores:
        scores = {}
        for name, path in drivings.items():
            truth = VideoReader(path, end=self._seconds)
            portrait = Portrait.from_array(next(iter(truth)))
            target = self._render(f"self-{name}", portrait, path)
            report = evaluate(target, truth, truth, portrait.rgb)
            scores[name] = _told(self_scores(report))
        return scores

    def _render(self, name: str, portrait: Portrait, driving: Path) -> Path:
        target, started = self._out / f"{name}.mp4", time.perf_counter()
        clip = self._engine.animate(portrait, Driving.open(driving, end=self._seconds))
        clip.save(target, overwrite=True)
        count = VideoReader(target).info.frame_count
        rate = count / (time.perf_counter() - started)
        print(f"{name}: {count} frames, {rate:.0f} a second;", end=" ", file=sys.stderr, flush=True)
        self._sheet(target)
        return target

    def _sheet(self, video: Path) -> None:
        from portrayal.sheet import ContactSheet

        reader = VideoReader(video)
        sheet = ContactSheet(reader.fps, count=reader.info.frame_count)
        for rgb in reader:
            sheet.add(rgb)
        write_image(video.with_suffix(".png"), sheet.picture(), overwrite=True)

    def _track(self, driving: Path) -> Track:
        if driving not in self._tracks:
            self._tracks[driving] = track(VideoReader(driving, end=self._seconds))
        return self._tracks[driving]


def _told(scores: list[Score]) -> list[Score]:
    failed = [f"{s.name} {s}" for s in scores if s.verdict in ("fail", "beyond")]
    print(", ".join(failed) if failed else "all reached", file=sys.stderr, flush=True)
    return scores


if __name__ == "__main__":
    main()
