"""Fetching checkpoints from the Hugging Face Hub: resumed where cut off, checked, whole or not there.

The library's own downloads start anew after an interruption; these go on in FILE.part. HF_ENDPOINT names a
mirror, HF_HUB_OFFLINE=1 forbids the network, HF_TOKEN is sent where it is set.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portrayal.damaged import said
from portrayal.errors import PortrayalError
from portrayal.media.files import reason, shown
from portrayal.weights import folder, megabytes, missing, weights_of

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

#: Called with the file, the bytes of it that are here, and all of its bytes.
Progress = Callable[[str, int, int], object]


def fetch(name: str, progress: Progress = lambda file, done, total: None) -> Path:
    """Fetch what is missing of a checkpoint; the folder that then holds all of it.

    PortrayalError, one line: offline, no such address, refused, cut off, damaged, disk full.
    """
    place = folder(name)
    for file in missing(name):
        if _offline():
            raise PortrayalError(f"HF_HUB_OFFLINE is set, and {shown(place / file)} is not here")
        with _one_line(file):
            _fetch_file(weights_of(name).repository, file, place / file, progress)
    return place


def _fetch_file(repository: str, file: str, target: Path, progress: Progress) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, file, endpoint=os.environ.get("HF_ENDPOINT") or None)
    about = get_hf_file_metadata(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    # What was begun of another version is not continued.
    version = re.sub(r"\W", "", about.etag or "")[:16]
    part = target.with_name(f"{target.name}.{version}.part")
    _receive(url, part, about.size, lambda done: progress(file, done, about.size or done))
    _check(part, about)
    part.replace(target)


def _receive(url: str, part: Path, size: int | None, step: Callable[[int], object]) -> None:
    """The rest of the file, behind what is in `part`."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    done = part.stat().st_size if part.exists() else 0
    if size is not None and done > size:
        done = 0
    if done == size:
        return
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    with get_session().stream("GET", url, headers=headers, follow_redirects=True) as response:
        hf_raise_for_status(response)
        if response.status_code != 206:  # the server starts from the beginning, whatever was asked for
            done = 0
        with part.open("r+b" if done else "wb") as out:
            out.seek(done)
            for chunk in response.iter_bytes():  # as they come: what is cut off is kept
                out.write(chunk)
                done += len(chunk)
                step(done)


def _check(part: Path, about: HfFileMetadata) -> None:
    """The size, and the checksum where the hub tells it (of large files the ETag is their SHA-256)."""
    size = part.stat().st_size
    if about.size is not None and size < about.size:
        raise PortrayalError(
            f"{part.name}: cut off after {megabytes(size)} of {megabytes(about.size)}; "
            "the same command goes on from there"
        )
    etag = about.etag or ""
    if re.fullmatch(r"[0-9a-f]{64}", etag):
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != etag:
            part.unlink()
            raise PortrayalError(f"{part.name}: arrived damaged and was removed; try again")


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


@contextmanager
def _one_line(file: str) -> Iterator[None]:
    """Errors of the network and the disk as one line."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise PortrayalError(f"{file}: its terms must be accepted on its page, and HF_TOKEN set") from error
    except RepositoryNotFoundError as error:
        raise PortrayalError(f"{file}: the repository is not there (or is private)") from error
    except HfHubHTTPError as error:
        status = _status(error)
        raise PortrayalError(f"{file}: {_where()} answered {status}") from error
    except PortrayalError:
        raise
    except OSError as error:
        raise PortrayalError(f"{file}: {reason(error)}") from error
    except Exception as error:  # of the HTTP library, which is another one in every version of the hub's
        if not _of_network(error):
            raise
        again = "; what has arrived is kept, the same command goes on"
        raise PortrayalError(f"{file}: no answer from {_where()} ({said(error)}){again}") from error


def _of_network(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in (
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "requests",
    )


def _status(error: Any) -> str:
    response = getattr(error, "response", None)
    return "an error" if response is None else f"{response.status_code} {response.reason_phrase}".strip()


def _where() -> str:
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
