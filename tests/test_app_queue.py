"""The queue: turns, limits, owners, restarts. Nothing is rendered here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field

from app_support import ANNA, BEN, CLEO, DORA, Told, ended, until
from portrayal.app.errors import NoRoom, NotHere
from portrayal.app.jobs import Jobs, Limits, Report, Task
from portrayal.app.jobs.check import check_engine_options, engine_fields, file_options
from portrayal.app.views import schema
from portrayal.engines import engine_options, list_engines
from portrayal.engines.options import EngineOptions
from portrayal.errors import PortrayalError, UsageError

HER = {"portrait": Path("her.png")}


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def jobs(tmp_path: Path, told: Told) -> Iterator[Jobs]:
    made = Jobs(tmp_path / "data", Limits(per_owner=3, kept=4, in_all=5), told)
    yield made
    made.close()


def fetch() -> Task:
    """A task without files, which needs no look at them."""
    return Task("download", "liveportrait")


def edit(portrait: Path, **options: object) -> Task:
    return Task("edit", files={"portrait": portrait}, options={"pitch": 5, **options})


def test_a_job_goes_from_queued_to_done(jobs: Jobs, told: Told) -> None:
    job = jobs.submit(ANNA, fetch())
    until(lambda: told.started)
    work = told.started[0]
    assert work.id == job.id and work.folder == jobs.root / "jobs" / job.id
    told.reports[job.id] = Report("running", 4, 10, 12.5)
    until(lambda: jobs.get(ANNA, job.id).done == 4)
    now = jobs.get(ANNA, job.id)
    assert (now.state, now.total, now.fps, now.preview) == ("running", 10, 12.5, None)
    (work.folder / "preview.jpg").write_bytes(b"a picture")
    assert jobs.get(ANNA, job.id).preview == work.folder / "preview.jpg"
    told.reports[job.id] = Report("done", 10, 10, 12.5, results=(("video", "out/result.mp4"),))
    done = ended(jobs, ANNA, job.id)
    assert (done.state, done.done) == ("done", 10)
    assert done.results == {"video": work.folder / "out" / "result.mp4"}


def test_a_worker_that_fails_leaves_no_file_and_the_queue_goes_on(jobs: Jobs, told: Told) -> None:
    first, second = jobs.submit(ANNA, fetch()), jobs.submit(ANNA, fetch())
    until(lambda: told.started)
    told.reports[first.id] = Report("lost", 3, 10, message="the worker was killed")
    failed = ended(jobs, ANNA, first.id)
    assert (failed.state, failed.message, failed.results) == ("failed", "the worker was killed", {})
    assert not (jobs.root / "jobs" / first.id / "out").exists()
    until(lambda: jobs.get(ANNA, second.id).state == "running")


def test_a_worker_that_cannot_be_started_fails_its_job_only(tmp_path: Path) -> None:
    class Broken(Told):
        def start(self, work: object) -> None:
            raise OSError("no more processes")

    jobs = Jobs(tmp_path, worker=Broken())
    ids = [jobs.submit(ANNA, fetch()).id for _ in range(2)]
    assert [ended(jobs, ANNA, id).message for id in ids] == ["no worker could be started (OSError)"] * 2
    jobs.close()


def test_owners_take_turns(jobs: Jobs, told: Told) -> None:
    a = [jobs.submit(ANNA, fetch()).id for _ in range(3)]
    b = [jobs.submit(BEN, fetch()).id for _ in range(2)]
    order = [a[0], b[0], a[1], b[1], a[2]]
    until(lambda: told.started)
    assert [jobs.get(ANNA, id).ahead for id in a] == [0, 1, 3]
    for number, id in enumerate(order):
        until(lambda n=number: len(told.started) > n)
        told.reports[id] = Report("done")
    assert [work.id for work in told.started] == order


def test_nobody_sees_the_jobs_of_others(jobs: Jobs, told: Told) -> None:
    own = {owner: jobs.submit(owner, fetch()).id for owner in (ANNA, BEN, CLEO, DORA)}
    for owner, id in own.items():
        assert [job.id for job in jobs.list(owner)] == [id]
        file = jobs.root / "jobs" / id / "preview.jpg"
        file.touch()
        for other in own.keys() - {owner}:
            for act in (jobs.get, jobs.cancel, jobs.remove):
                with pytest.raises(NotHere, match="no such job"):
                    act(other, id)
            assert not jobs.owns(other, file)
        assert jobs.owns(owner, file)
        assert not jobs.owns(owner, file / ".." / ".." / ".." / "queue.sqlite")
        assert not jobs.owns(owner, jobs.root / "queue.sqlite") and not jobs.owns(owner, file.parent)
    stored = (jobs.root / "queue.sqlite").read_bytes() + (jobs.root / "queue.sqlite-wal").read_bytes()
    assert all(owner.encode() not in stored for owner in own)


def test_there_may_be_so_many_jobs(jobs: Jobs, told: Told) -> None:
    ids = [jobs.submit(ANNA, fetch()).id for _ in range(3)]
    with pytest.raises(NoRoom, match="you have 3 jobs waiting or running"):
        jobs.submit(ANNA, fetch())
    jobs.submit(BEN, fetch())
    jobs.submit(CLEO, fetch())
    with pytest.raises(NoRoom, match="5 jobs are waiting"):
        jobs.submit(DORA, fetch())
    jobs.cancel(ANNA, ids[2])
    jobs.submit(DORA, fetch())
    for id in ids:
        jobs.cancel(ANNA, id)
    jobs.submit(ANNA, fetch())
    with pytest.raises(NoRoom, match="you have 4 jobs here"):
        jobs.submit(ANNA, fetch())
    jobs.remove(ANNA, ids[0])
    assert not (jobs.root / "jobs" / ids[0]).exists()
    jobs.submit(ANNA, fetch())


def test_a_full_disk_takes_no_jobs(tmp_path: Path, told: Told) -> None:
    jobs = Jobs(tmp_path, Limits(spare=1 << 60), told)
    with pytest.raises(NoRoom, match="disk is full"):
        jobs.submit(ANNA, fetch())
    jobs.close()


def test_cancel_stops_what_waits_and_what_runs(jobs: Jobs, told: Told) -> None:
    first, second = jobs.submit(ANNA, fetch()), jobs.submit(ANNA, fetch())
    until(lambda: told.started)
    assert jobs.cancel(ANNA, second.id).state == "cancelled" and told.cancelled == []
    assert jobs.cancel(ANNA, first.id).state == "cancelled" and told.cancelled == [first.id]
    assert jobs.cancel(ANNA, first.id).state == "cancelled" and told.cancelled == [first.id]
    assert [work.id for work in told.started] == [first.id]


def test_downloads_do_not_hold_up_what_is_rendered(media: Path, jobs: Jobs, told: Told) -> None:
    for task in (fetch(), fetch(), edit(media / "hopper.png"), edit(media / "hopper.png", yaw=3)):
        jobs.submit(ANNA if task.kind == "download" else BEN, task)
    until(lambda: len(told.started) == 2)
    assert sorted(work.task.kind for work in told.started) == ["download", "edit"]


def test_a_day_later_all_is_gone(tmp_path: Path, told: Told) -> None:
    jobs = Jobs(tmp_path, Limits(keep=0.0), told)
    job = jobs.submit(ANNA, fetch())
    until(lambda: told.started)
    told.reports[job.id] = Report("done")
    ended(jobs, ANNA, job.id)
    jobs.close()
    jobs = Jobs(tmp_path, Limits(keep=0.0), told)
    until(lambda: not jobs.list(ANNA))
    assert list((tmp_path / "jobs").iterdir()) == []
    jobs.close()


#: A server that begins a job and dies in the middle of it.
DYING = """
import os, sys
from pathlib import Path
from app_support import ANNA, Told, until
from portrayal.app.jobs import Jobs, Task
told = Told()
jobs = Jobs(Path(sys.argv[1]), worker=told)
if not jobs.list(ANNA):
    jobs.submit(ANNA, Task("download", "liveportrait"))
until(lambda: any(job.state == "running" for job in jobs.list(ANNA)))
os._exit(9)
"""


def test_a_server_that_dies_in_mid_job_loses_nothing(tmp_path: Path) -> None:
    def die() -> None:
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        assert subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], env=env).returncode == 9

    die()
    told = Told()
    jobs = Jobs(tmp_path, worker=told)
    job = jobs.list(ANNA)[0]
    assert not (tmp_path / "jobs" / job.id / "out" / "half.mp4").exists() or told.started
    until(lambda: jobs.get(ANNA, job.id).state == "running")
    assert [work.id for work in told.started] == [job.id]
    jobs.close()  # in order: this does not count as another failure
    jobs = Jobs(tmp_path, worker=told)
    assert jobs.get(ANNA, job.id).state in ("queued", "running")
    until(lambda: jobs.get(ANNA, job.id).state == "running")
    jobs.close()
    die()
    jobs = Jobs(tmp_path, worker=told)
    failed = jobs.get(ANNA, job.id)
    assert (failed.state, failed.message) == ("failed", "the server stopped twice in the middle of this job")
    jobs.close()


def test_one_server_at_a_time_uses_a_folder(tmp_path: Path, told: Told) -> None:
    jobs = Jobs(tmp_path, worker=told)
    with pytest.raises(PortrayalError, match="another portrayal app uses this folder"):
        Jobs(tmp_path, worker=told)
    jobs.close()
    Jobs(tmp_path, worker=told).close()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, told: Told) -> None:
    (tmp_path / "jobs" / "of my own").mkdir(parents=True)
    with pytest.raises(PortrayalError, match="holds other things; --data names a new or an empty folder"):
        Jobs(tmp_path, worker=told)
    assert [path.name for path in tmp_path.rglob("*")] == ["jobs", "of my own"]
    (tmp_path / "file").touch()
    with pytest.raises(PortrayalError, match="file: file exists"):
        Jobs(tmp_path / "file", worker=told)
    Jobs(tmp_path / "new" / "folder", worker=told).close()
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "folder" / "queue.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task("animate", "puppets"), "there is no engine 'puppets' .did you mean puppet"),
        (Task("animate"), "choose a portrait"),
        (Task("animate", files=HER), "choose one driving"),
        (Task("animate", files=HER | {"driving": Path("b")}, text="c"), "choose one driving"),
        (Task("animate", files=HER, text="a" * 5001), "5001 characters"),
        (Task("animate", files=HER | {"secret": Path("b")}, text="c"), "'secret': no such file"),
        (Task("edit", files=HER), "nothing to change"),
        (Task("edit", files=HER, options={"pitch": "up"}), "pitch: 'up' is no number"),
        (Task("edit", files=HER, options={"pitch": 1, "format": "exe"}), "--format: should"),
        (Task("edit", files=HER, options={"pitch": 1, "size": 5}), "--size: should"),
        (Task("edit", files=HER, options={"pitch": 1, "size": 5000}), "size: 5000 is too large"),
        (Task("edit", files=HER, options={"pitch": 1, "fps": "no"}), "--fps: 'no'"),
        (Task("edit", files=HER, options={"pitch": 1, "strength": 9}), "--strength: should"),
        (Task("edit", files=HER, options={"pitch": 1, "max_pixels": 9}), "max_pixels: no such"),
        (Task("download", "puppet"), "puppet needs no weights"),
    ],
)
def test_what_makes_no_sense_is_not_queued(jobs: Jobs, task: Task, message: str) -> None:
    with pytest.raises(PortrayalError, match=message) as raised:
        jobs.submit(ANNA, task)
    assert "\n" not in str(raised.value)
    assert not jobs.list(ANNA) and not list((jobs.root / "jobs").iterdir())


@pytest.mark.parametrize("engine", ["liveportrait", "tpsmm"])
@pytest.mark.parametrize("option", ["weights", "device"])
def test_paths_and_devices_of_the_server_are_not_for_strangers(jobs: Jobs, engine: str, option: str) -> None:
    files = {"portrait": Path("a"), "driving": Path("b")}
    with pytest.raises(UsageError, match=f"{option}: no such option"):
        jobs.submit(ANNA, Task("animate", engine, files, options={option: "/etc"}))


def test_words_are_for_strangers_where_a_rule_holds_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Options(EngineOptions):
        anything: str = Field("", description="May be a path")
        at_least: str = Field("", min_length=1, description="May be a path")
        folder: Path | None = Field(None, description="Is a path")
        several: list[str] = Field([], description="May be paths")
        prompt: str = Field("", max_length=300, description="What to see")
        colour: str | None = Field(None, pattern="#[0-9a-f]{6}", description="Of the wall")
        side: Annotated[str, AfterValidator(str.strip)] | None = Field(None, description="Left or right")
        mode: Literal["a", "b"] | None = Field(None, description="Which")
        number: int | None = Field(None, description="How many")
        fast: Literal["auto"] | str | None = Field(None, description="A path, or 'auto'")
        mask: str | None = Field(None, description="Is uploaded", json_schema_extra={"format": "file-path"})

    monkeypatch.setattr("portrayal.app.jobs.check.engine_options", lambda name: Options)
    own = engine_fields("any").keys() - EngineOptions.model_fields.keys()
    assert own == {"prompt", "colour", "side", "mode", "number", "fast"}
    check_engine_options("any", {"fast": "auto"})
    check_engine_options("any", {"fast": None})
    with pytest.raises(UsageError, match="fast: should be 'auto' here"):
        check_engine_options("any", {"fast": "/etc/passwd"})
    assert schema("any", engine_fields("any"))["properties"]["fast"]["anyOf"][0] == {
        "const": "auto", "type": "string",
    }  # fmt: skip
    assert file_options("any").keys() == {"mask"}


def test_every_prompt_is_offered() -> None:
    """Needs a max_length on it, see CONTRIBUTING.md."""
    for info in list_engines():
        options = engine_options(info.name).model_fields
        prompts = {name for name in options if "prompt" in name or "negative" in name}
        assert prompts <= engine_fields(info.name).keys(), info.name
