"""The files that visitors of the page bring, or are lent."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def lent(path: Path, name: str | None = None) -> str:
    """A copy of a file among those that the page serves, for a component to show."""
    return str(shutil.copyfile(path, new_folder() / (name or path.name)))


def new_folder() -> Path:
    """A folder for files of a visitor, which is removed with the others after a day."""
    from gradio.utils import get_upload_folder

    served = Path(get_upload_folder())
    served.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=served))


def example_portrait() -> Path | None:
    """The photo of Grace Hopper (US Navy, public domain) that comes with matplotlib; None without it."""
    from importlib.util import find_spec

    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    photo = Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    return photo if photo.is_file() else None
