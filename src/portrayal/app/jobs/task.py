"""What a job is: the task, and how far it is."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal

Kind = Literal["animate", "edit", "download"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
#: What each kind of task reads, by role; all but the portrait may be missing.
ROLES: dict[Kind, tuple[str, ...]] = {
    "animate": ("portrait", "driving"),
    "edit": ("portrait", "script"),
    "download": (),
}


@dataclass(frozen=True)
class Task:
    """What somebody asks for.

    files: by role: portrait and driving ("animate"), portrait and script ("edit"); an option of the engine
    that is a file is a role, too. names: what the user calls them, by role; the files' own names unless
    given. text: what to say, in place of a driving. options: of the request (size, face, start, crop, ...),
    of the engine, and, to edit, the sliders, in one dict, as on the command line.
    "download" fetches the weights that the engine names.
    """

    kind: Kind
    engine: str = "puppet"
    files: dict[str, Path] = field(default_factory=dict)
    text: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The task as text."""
        return json.dumps(asdict(self) | {"files": {role: str(path) for role, path in self.files.items()}})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """A task from what :meth:`to_json` made of it."""
        fields = json.loads(text)
        return cls(**fields | {"files": {role: Path(path) for role, path in fields["files"].items()}})


@dataclass(frozen=True)
class Job:
    """A task and how far it is.

    done, total: frames (of a download: megabytes), total None while it is not known. fps: frames per second
    at which they are made, start left out. message: one line: why it failed, what it waits for. preview: a
    JPEG of the last frame, at most 512 pixels. results: finished files by name: "video" or "picture", and,
    where they were asked for, "compare", "sheet" and "script". ahead: how many wait before it.
    Times are seconds since 1970.
    """

    id: str
    task: Task
    state: State = "queued"
    done: int = 0
    total: int | None = None
    fps: float | None = None
    message: str = ""
    preview: Path | None = None
    results: dict[str, Path] = field(default_factory=dict)
    created: float = 0.0
    finished: float | None = None
    ahead: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "failed", "cancelled")

    def saved_as(self, result: str) -> str:
        """What a result may be called where it is saved: photo-talk.mp4, photo-talk-sheet.jpg."""
        stems = [
            PurePath(name).stem for role, name in self.task.names.items() if role in ROLES[self.task.kind]
        ]
        said = ["text"] if self.task.text else ["edit"] if self.task.kind == "edit" else []
        ending = [] if result in ("video", "picture") else [result]
        parts = [re.sub(r"[^\w.-]+", "_", part).strip("._") for part in (*stems, *said, *ending)]
        clean = "-".join(filter(None, parts))[:120]
        return f"{clean or 'portrayal'}{self.results[result].suffix}"
