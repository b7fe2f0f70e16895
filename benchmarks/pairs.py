"""Every portrait driven by every driving, and every driving by itself: the table of results, in Markdown.

    python benchmarks/pairs.py [MEDIA] [--portraits s9,s12] [--drivings d0,d10] [--seconds 6] [--out FOLDER]

MEDIA (or the environment's PORTRAYAL_MEDIA) is a folder with portraits/ and driving/; without one, what can
be made from Matplotlib's photo of Grace Hopper is used.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from goals import Score, cross_scores, self_scores
from media import Named, find_media
from portrayal import Driving, Portrait, load_engine
from portrayal.errors import PortrayalError
from portrayal.evaluate import Track, evaluate, track
from portrayal.media.image import write_image
from portrayal.media.video import VideoReader

#: A portrait turned further than this (degrees) is shown, but not counted: the goals are for frontal ones.
FRONTAL = 15.0


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        portraits, drivings = find_media(options.media, out / "made")
        bench = Bench(options.engine, out, options.size, options.seconds)
        drivings = _chosen(drivings, options.drivings)
        cross = bench.cross(_chosen(portraits, options.portraits), drivings)
        own = {} if options.no_self else bench.own(drivings)
    for title, scores in (("portrait, driving", cross), ("driving by itself", own)):
        if scores:
            print(_table(title, scores), _summary(scores), sep="\n\n", end="\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    media = os.environ.get("PORTRAYAL_MEDIA")
    parser.add_argument("media", nargs="?", type=Path, default=Path(media) if media else None)
    parser.add_argument("--portraits", help="names, with commas between (all)")
    parser.add_argument("--drivings", help="names, with commas between (all)")
    parser.add_argument("--seconds", type=float, help="use the beginning of each driving only")
    parser.add_argument("--size", type=int, default=512, help="longest side of the portraits (512)")
    parser.add_argument("--engine", default="puppet")
    parser.add_argument("--no-self", action="store_true", help="leave self-reenactment out")
    parser.add_argument("--out", type=Path, help="keep the clips and their contact sheets in this folder")
    return parser.parse_args()


def _chosen(media: Named, names: str | None) -> Named:
    if names is None:
        return media
    missing = [name for name in names.split(",") if name not in media]
    if missing:
        raise SystemExit(f"not among the media: {', '.join(missing)} (there are {', '.join(media)})")
    return {name: media[name] for name in names.split(",")}


Scores = dict[str, list[Score]]


class Bench:
    """Renders, saves, tracks again. Each driving is tracked once."""

    def __init__(self, engine: str, out: Path, size: int, seconds: float | None) -> None:
        self._engine, self._out, self._size, self._seconds = load_engine(engine), out, size, seconds
        self._tracks: dict[Path, Track] = {}

    def cross(self, portraits: Named, drivings: Named) -> Scores:
        scores = {}
        for name, path in portraits.items():
            try:
                portrait = Portrait.open(path, size=self._size)
            except PortrayalError as error:
                print(error, file=sys.stderr)
                continue
            turned = abs(float(portrait.faces[0].pose.angles[1])) > FRONTAL
            for driven, driving in drivings.items():
                target = self._render(f"{name}-{driven}", portrait, driving)
                report = evaluate(target, self._track(driving), portrait=portrait.rgb)
                scores[f"{name}, {driven}" + (" (turned)" if turned else "")] = _told(cross_scores(report))
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


def _table(title: str, rows: Scores) -> str:
    """One row each; what falls short is bold, in italics where the driving itself, looked at twice, does so
    too (for the jitter, the portrait held still); what the driving does not move is in brackets."""
    names = [score.name for score in next(iter(rows.values()))]
    body = [[name, *map(str, scores), _reached(scores)] for name, scores in rows.items()]
    return _markdown([title, *names, "reached"], body)


def _reached(scores: Iterable[Score]) -> str:
    count = Counter(score.verdict for score in scores)
    return f"{count['pass']}/{count['pass'] + count['fail'] + count['beyond']}"


def _summary(rows: Scores) -> str:
    """For every metric over all rows but those of turned portraits: median, extremes, how many reach it."""
    counted = [scores for name, scores in rows.items() if not name.endswith("(turned)")]
    body = []
    for column in zip(*counted, strict=True):
        values = [s.value for s in column if s.verdict != "n/a" and s.value == s.value]
        if values and column[0].name != "still":
            figures = (float(f(values)) for f in (np.min, np.median, np.max))
            beyond = sum(score.verdict == "beyond" for score in column)
            texts = [f"{v:.{column[0].places}f}" for v in figures]
            body.append([column[0].name, *texts, _reached(column), str(beyond or "")])
    return _markdown(["metric", "lowest", "median", "highest", "reached", "beyond measure"], body)


def _markdown(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
