"""Jobs in real processes, and files that mean harm."""

from __future__ import annotations

import io
import os
import signal
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from app_support import ANNA, BEN, CLEO, DORA, alive, ended, until
from portrayal.app.jobs import Job, Jobs, Limits, Task
from portrayal.app.uploads import Upload, Uploads
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image
from portrayal.media.video import VideoReader
from portrayal.motion import Motion

#: A script that takes longer than any test.
LONG = "fps: 25\nkeys:\n  - {at: 0, pitch: 0}\n  - {at: 290, pitch: 10}\n"


@pytest.fixture
def open_jobs(tmp_path: Path) -> Iterator[Callable[..., Jobs]]:
    """Opens Jobs in a folder of the test; closed afterwards."""
    opened: list[Jobs] = []

    def make(**limits: float) -> Jobs:
        opened.append(Jobs(tmp_path / "data", Limits(**limits)))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for jobs in opened:
        jobs.close()


def sent(uploads: Uploads, name: str, *blocks: bytes) -> Upload:
    with uploads.coming(ANNA, name) as incoming:
        for block in blocks:
            incoming.write(block)
        return incoming.finish()


def picture(media: Path, **options: object) -> Task:
    return Task("edit", files={"portrait": media / "hopper.png"}, options={"jaw-open": 0.5, **options})


def endless(media: Path, tmp_path: Path) -> Task:
    (tmp_path / "long.yaml").write_text(LONG)
    return Task("edit", files={"portrait": media / "hopper.png", "script": tmp_path / "long.yaml"})


def at_work(jobs: Jobs, job: Job) -> int:
    """Wait until frames of a job are made; its process."""
    until(lambda: jobs.get(ANNA, job.id).done > 2 and jobs.get(ANNA, job.id).preview)
    return jobs._worker._running[job.id].process.pid  # type: ignore[attr-defined]


def test_a_video_with_all_that_goes_with_it(media: Path, open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    files = {"portrait": media / "hopper.png", "driving": media / "talk.mp4"}
    options = {"size": 128, "compare": True, "sheet": True, "strength": 0.8, "end": "0:00.75"}
    names = {"portrait": "Grace.png", "driving": "Our talk (1).mp4"}
    job = ended(jobs, ANNA, jobs.submit(ANNA, Task("animate", "puppet", files, None, options, names)).id)
    assert (job.state, job.message, job.done, job.total) == ("done", "", 9, 9)
    video = VideoReader(job.results["video"])
    assert len(list(video)) == 9 and max(video.info.width, video.info.height) == 128 and video.info.has_audio
    assert b"Synthetic media made with Portrayal" in job.results["video"].read_bytes()
    beside = VideoReader(job.results["compare"])
    assert len(list(beside)) == 9 and beside.info.width > 1.9 * video.info.width
    assert read_image(job.results["sheet"]).rgb.shape[1] > 300
    assert job.saved_as("video") == "Grace-Our_talk_1.mp4"
    assert job.saved_as("sheet") == "Grace-Our_talk_1-sheet.jpg"
    assert job.preview is not None
    shown = cv2.imdecode(np.frombuffer(job.preview.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape[:2] == (video.info.height, video.info.width)


def test_four_owners_at_once(media: Path, open_jobs: Callable[..., Jobs]) -> None:
    jobs, owners = open_jobs(running=2), (ANNA, BEN, CLEO, DORA)
    made: dict[str, Job] = {}

    def ask(owner: str, size: int) -> None:
        made[owner] = ended(jobs, owner, jobs.submit(owner, picture(media, size=size)).id)

    threads = [threading.Thread(target=ask, args=(owner, 64 + 16 * i)) for i, owner in enumerate(owners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sizes = [max(read_image(made[owner].results["picture"]).rgb.shape) for owner in owners]
    assert sizes == [64, 80, 96, 112]
    assert all(len(jobs.list(owner)) == 1 for owner in owners)


def test_cancel_kills_what_runs_and_leaves_no_half_file(
    media: Path, tmp_path: Path, open_jobs: Callable[..., Jobs]
) -> None:
    jobs = open_jobs()
    job = jobs.submit(ANNA, endless(media, tmp_path))
    process = at_work(jobs, job)
    assert alive(process) and list((jobs.root / "jobs" / job.id / "out").iterdir())
    assert jobs.cancel(ANNA, job.id).state == "cancelled"
    assert not alive(process) and not (jobs.root / "jobs" / job.id / "out").exists()


def test_a_killed_worker_fails_its_job_in_one_line(
    media: Path, tmp_path: Path, open_jobs: Callable[..., Jobs]
) -> None:
    jobs = open_jobs()
    job = jobs.submit(ANNA, endless(media, tmp_path))
    os.kill(at_work(jobs, job), signal.SIGKILL)
    failed = ended(jobs, ANNA, job.id)
    assert (failed.state, failed.results) == ("failed", {})
    assert failed.message == "the worker was killed (by the system when memory runs out, or by hand)"
    assert not (jobs.root / "jobs" / job.id / "out").exists()


def test_a_job_has_so_much_time_memory_and_so_many_frames(
    media: Path, open_jobs: Callable[..., Jobs]
) -> None:
    slow = open_jobs(seconds=0.2)
    assert ended(slow, ANNA, slow.submit(ANNA, picture(media)).id).message.startswith("it took longer than")
    slow.close()
    few = open_jobs(frames=20)
    task = Task("edit", files={"portrait": media / "hopper.png"}, options={"jaw-open": 1, "moving": True})
    assert ended(few, ANNA, few.submit(ANNA, task).id).message == "this makes 50 frames; the most are 20"
    few.close()
    small = open_jobs(
        neural_memory=60 << 20
    )  # no bound on address space where there may be CUDA: it is watched
    task = Task("edit", "liveportrait", {"portrait": media / "hopper.png"}, options={"smile": 1})
    said = ended(small, ANNA, small.submit(ANNA, task).id).message
    assert said == "it took more than 0.0586 GB of memory and was stopped; try a smaller size"


def test_what_is_wrong_is_said_with_the_users_own_names(media: Path, open_jobs: Callable[..., Jobs]) -> None:
    jobs = open_jobs()
    files = {"portrait": media / "scenery.mp4"}
    task = Task("edit", files=files, options={"jaw-open": 1}, names={"portrait": "Hill.mov"})
    failed = ended(jobs, ANNA, jobs.submit(ANNA, task).id)
    assert failed.state == "failed" and failed.message.startswith("Hill.mov: no face found")


def bomb_png(path: Path) -> None:
    """A picture of 60 000 x 60 000 pixels in a few hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(60_001 * 100))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def bomb_npz(path: Path) -> None:
    """A motion one of whose arrays says that it has 100 thousand million numbers."""
    Motion.from_sliders({"pitch": 5}).save(path)
    with zipfile.ZipFile(path) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    head = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (100_000_000_000, 52)}
    np.lib.format.write_array_header_1_0(head, shape)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (arrays | {"coefficients.npy": head.getvalue() + bytes(1000)}).items():
            archive.writestr(name, data)


def bomb_yaml(path: Path) -> None:
    """A script whose aliases stand for thousands of millions of keys."""
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path.write_text("\n".join([*lines, "keys: *a11"]))


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/etc/passwd\n#EXT-X-ENDLIST\n")


def pickle(path: Path) -> None:
    path.write_bytes(b"cos\nsystem\n(S'touch /tmp/portrayal-was-here'\ntR.")


def random_mp4(path: Path) -> None:
    path.write_bytes(b"\0\0\0\x20ftypisom" + np.random.default_rng(1).bytes(50_000))


@pytest.mark.parametrize(
    ("make", "suffix", "message"),
    [
        (bomb_png, ".png", "60000x60000 pixels"), (bomb_npz, ".npz", "."), (bomb_yaml, ".yaml", "."),
        (playlist, ".mp4", "not a video|refers to other files"), (playlist, ".m3u8", "not a|refers to other"),
        (pickle, ".pkl", "."), (random_mp4, ".mp4", "cut short or damaged"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_one_line(
    tmp_path: Path, make: Callable[[Path], None], suffix: str, message: str
) -> None:
    source = tmp_path / f"evil{suffix}"
    make(source)
    uploads = Uploads(tmp_path / "uploads")
    with pytest.raises(PortrayalError, match=message) as raised:
        sent(uploads, f"../../evil{suffix}", source.read_bytes())
    said = str(raised.value)
    assert said.startswith(f"evil{suffix}: ") and "\n" not in said and str(tmp_path) not in said
    assert not list((tmp_path / "uploads").glob("*/*")) and not Path("/tmp/portrayal-was-here").exists()


def test_uploads_are_bounded_and_their_owners_own(media: Path, tmp_path: Path) -> None:
    data = (media / "hopper.png").read_bytes()
    uploads = Uploads(tmp_path, Limits(upload=len(data), length=0.1, kept=2))
    with pytest.raises(PortrayalError, match="talk: is 1 s long; the most are 0 s"):
        sent(uploads, "talk", (media / "talk.mp4").read_bytes())
    with pytest.raises(PortrayalError, match="me: is larger than"):
        sent(uploads, "me", data, b"more")
    kept = sent(uploads, "C:\\photos\\me.PNG", data)
    assert (kept.name, kept.look.kind, kept.look.width, kept.path.name) == ("me.PNG", "image", 256, "file")
    assert uploads.get(ANNA, kept.id) == kept
    for owner, id in ((BEN, kept.id), (ANNA, "../" + kept.id), (ANNA, "0" * 32), (ANNA, "..")):
        with pytest.raises(PortrayalError, match="no such upload"):
            uploads.get(owner, id)
    sent(uploads, "again.png", data)
    with pytest.raises(PortrayalError, match="too many uploads"):
        sent(uploads, "again.png", data)
    Uploads(tmp_path, Limits(keep=0.0)).sweep()
    assert not list(tmp_path.glob("*/*"))


def test_a_video_too_long_is_refused_before_it_is_queued(
    tmp_path: Path, media: Path, open_jobs: Callable[..., Jobs]
) -> None:
    from portrayal.media.write import write_video

    still = np.zeros((32, 32, 3), np.uint8)
    write_video(tmp_path / "long.mp4", (still for _ in range(400)), Fraction(1))
    jobs = open_jobs()
    files = {"portrait": media / "hopper.png", "driving": tmp_path / "long.mp4"}
    with pytest.raises(PortrayalError, match="is 400 s long; the most are 300 s"):
        jobs.submit(ANNA, Task("animate", files=files))
    assert not jobs.list(ANNA)
