"""The mark that every output carries."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def synthetic_tags() -> dict[str, str]:
    """The metadata of every file written: a title, and the sentence that says what made it."""
    try:
        release = version("portrayal")
    except PackageNotFoundError:  # run from a source tree that was never installed
        release = "(development)"
    text = f"Synthetic media made with Portrayal {release}"
    return {"title": "Synthetic media", "comment": text, "description": text}
