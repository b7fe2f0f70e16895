"""Where a result goes: checked before any work, written with a progress bar, its path printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from portrayal.cli.outcome import close_output
from portrayal.errors import PortrayalError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from portrayal.clip import Clip


@dataclass(frozen=True)
class Target:
    """A file or folder to write, and how. sheet: where a contact sheet goes."""

    path: str
    overwrite: bool = False
    sheet: str | None = None
    quality: int | str = "high"
    quiet: bool = False

    def check(self, sources: list[str | None]) -> None:
        """PortrayalError where it cannot be written or is one of the files that are read."""
        from portrayal.clip import is_picture
        from portrayal.media.atomic import check_target
        from portrayal.media.files import shown
        from portrayal.media.write import check_target as check_video_target

        (check_target if is_picture(self.path) else check_video_target)(self.path, self.overwrite)
        if self.sheet is not None:
            if not is_picture(self.sheet):
                raise UsageError(f"--sheet: {shown(self.sheet)}: a contact sheet is a .png, .jpg or .webp")
            check_target(self.sheet, self.overwrite)
            if Path(self.sheet).resolve() == Path(self.path).resolve():
                raise UsageError("--sheet: names the same file as the result")
        for source in sources:
            for target in (self.path, self.sheet):
                if source and target and _same(source, target):
                    raise PortrayalError(f"{shown(target)}: is read here; write to another file")

    def write(self, clip: Clip) -> None:
        """Write the clip and its contact sheet, and print the path."""
        from portrayal.media.image import write_image
        from portrayal.sheet import ContactSheet

        sheet = ContactSheet(clip.fps, count=clip.count) if self.sheet else None
        shown = clip.tap(sheet.add) if sheet else clip
        with progress(clip.count, quiet=self.quiet) as step:
            shown.save(self.path, overwrite=self.overwrite, quality=self.quality, progress=step)
        if sheet and self.sheet:
            write_image(self.sheet, sheet.picture(), overwrite=self.overwrite)
        say_path(self.path)


def target_path(output: str | None, default: str) -> str:
    """The path that -o names, or the default; a name that ends in / is a folder of pictures."""
    if output is None:
        return default
    if not output:
        raise UsageError("-o: is empty; name a file or a folder")
    return os.path.join(output, "%05d.png") if output.endswith(("/", os.sep)) else output  # noqa: PTH118


def stem(path: str) -> str:
    """What a file is called, without folder and suffix; a pattern of pictures is called as its folder."""
    place = Path(path)
    return (place.parent.resolve().name if "%" in place.name else place.resolve().stem) or "pictures"


def say_path(path: str) -> None:
    """The path on stdout as the system has it, whatever characters are in it."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads it, and the result is there
        close_output()


@contextmanager
def progress(total: int | None, *, quiet: bool) -> Iterator[Callable[[int], object]]:
    """A bar on stderr with frames per second and time left, where that is a terminal.

    Gives a function to call with the number of frames done.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} fps" if task.speed else "")

    columns = (BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("frames", total=total)
        yield lambda done: bar.update(task, completed=done)


def table_console() -> Console:
    """Prints tables to stdout; as wide as they are where that is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200)


def _same(a: str, b: str) -> bool:
    try:
        return Path(a).samefile(b)
    except (OSError, ValueError):
        return False
