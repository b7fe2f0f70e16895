"""The queue on the disk: SQLite, so that it survives whatever happens to the server."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portrayal.app.jobs.task import Job, State, Task
from portrayal.app.jobs.worker import Report
from portrayal.app.owner import digest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, task TEXT NOT NULL, state TEXT NOT NULL,
    created REAL NOT NULL, started REAL, finished REAL, attempts INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0, total INTEGER, fps REAL,
    message TEXT NOT NULL DEFAULT '', results TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS jobs_of_owner ON jobs (owner, created);
CREATE INDEX IF NOT EXISTS jobs_in_state ON jobs (state);
"""


@dataclass(frozen=True)
class Row:
    """A job as it is stored. owner: a digest of the owner's token."""

    id: str
    owner: str
    task: Task
    state: State
    created: float
    started: float | None
    finished: float | None
    attempts: int
    done: int
    total: int | None
    fps: float | None
    message: str
    results: dict[str, str]

    def job(self, folder: Path, ahead: int = 0) -> Job:
        """The job as its owner sees it. folder: its own."""
        preview = folder / "preview.jpg"
        return Job(
            self.id, self.task, self.state, self.done, self.total, self.fps, self.message,
            preview if preview.is_file() else None,
            {name: folder / file for name, file in self.results.items()},
            self.created, self.finished, ahead,
        )  # fmt: skip


class Store:
    """The table of jobs. Not to be used by two threads at a time."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def add(self, id: str, owner: str, task: Task) -> None:
        """A new job, queued."""
        self._db.execute(
            "INSERT INTO jobs (id, owner, task, state, created) VALUES (?, ?, ?, 'queued', ?)",
            (id, digest(owner), task.to_json(), time.time()),
        )

    def one(self, owner: str, id: str) -> Row | None:
        """The job `id`, None where there is none or it is somebody else's."""
        return next(iter(self._rows("id = ? AND owner = ?", id, digest(owner))), None)

    def of_owner(self, owner: str) -> list[Row]:
        """All of an owner, the latest first."""
        return self._rows("owner = ?", digest(owner))

    def in_state(self, *states: State) -> list[Row]:
        """Those in one of the states, the latest first."""
        return self._rows(f"state IN ({','.join('?' * len(states))})", *states)

    def older_than(self, moment: float) -> list[Row]:
        """Those that were over before that time."""
        return self._rows("finished < ? AND state NOT IN ('queued', 'running')", moment)

    def ids(self) -> set[str]:
        """Of all jobs."""
        return {row["id"] for row in self._db.execute("SELECT id FROM jobs")}

    def last_served(self) -> dict[str, float]:
        """When a job of each owner was last begun."""
        rows = self._db.execute("SELECT owner, MAX(started) AS at FROM jobs GROUP BY owner")
        return {row["owner"]: row["at"] or 0.0 for row in rows}

    def begin(self, id: str) -> None:
        """A worker has it."""
        self._db.execute(
            "UPDATE jobs SET state='running', started=?, attempts=attempts+1, message='' WHERE id=?",
            (time.time(), id),
        )

    def requeue(self, id: str, message: str) -> None:
        """It begins anew."""
        self._db.execute(
            "UPDATE jobs SET state='queued', done=0, fps=NULL, message=? WHERE id=?", (message, id)
        )

    def give_back(self, id: str) -> None:
        """It was stopped with the server, in order: it begins anew, and that attempt does not count."""
        self._db.execute("UPDATE jobs SET attempts=attempts-1 WHERE id=?", (id,))
        self.requeue(id, "the server was restarted; begins anew")

    def progress(self, id: str, report: Report) -> None:
        """How far it is."""
        self._db.execute(
            "UPDATE jobs SET done=?, total=?, fps=?, message=? WHERE id=?",
            (report.done, report.total, report.fps, report.message, id),
        )

    def finish(self, id: str, state: State, message: str = "", results: dict[str, str] | None = None) -> None:
        """It is over."""
        self._db.execute(
            "UPDATE jobs SET state=?, message=?, results=?, finished=? WHERE id=?",
            (state, message, json.dumps(results or {}), time.time(), id),
        )

    def delete(self, id: str) -> None:
        """Forget it."""
        self._db.execute("DELETE FROM jobs WHERE id=?", (id,))

    def close(self) -> None:
        """Nothing is asked after this."""
        self._db.close()

    def _rows(self, where: str, *values: Any) -> list[Row]:
        found = self._db.execute(f"SELECT * FROM jobs WHERE {where} ORDER BY created DESC", values)
        return [_row(each) for each in found]


def _row(row: sqlite3.Row) -> Row:
    fields = dict(row)
    fields["task"] = Task.from_json(fields["task"])
    fields["results"] = json.loads(fields["results"])
    return Row(**fields)
