"""The page: tabs to animate, edit and go live, and a list of one's jobs. Made with Gradio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi import APIRouter

from portrayal.app.page.animate import AnimateTab
from portrayal.app.page.edit import EditTab
from portrayal.app.page.live import LiveTab
from portrayal.app.page.shelf import Shelf
from portrayal.app.page.socket import router
from portrayal.app.page.studio import Studio
from portrayal.app.page.theme import look

if TYPE_CHECKING:
    from portrayal.app.jobs import Jobs


@dataclass(frozen=True)
class Page:
    """The page, the routes that it needs beside Gradio's, and what mounting takes: theme, style, script."""

    blocks: gr.Blocks
    routes: APIRouter
    look: dict[str, Any]


def build(jobs: Jobs) -> Page:
    """The page on these jobs."""
    studio = Studio(jobs.limits)
    return Page(_blocks(jobs, studio), router(studio), look())


def _blocks(jobs: Jobs, studio: Studio) -> gr.Blocks:
    with gr.Blocks(title="Portrayal", analytics_enabled=False, fill_width=True) as page:
        gr.HTML((Path(__file__).parent / "header.html").read_text(encoding="utf-8"))
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Animate", id="animate"):
                AnimateTab(jobs, page)
            with gr.Tab("Edit", id="edit"):
                EditTab(jobs, studio)
            with gr.Tab("Live", id="live"):
                LiveTab(studio)
            with gr.Tab("Jobs", id="jobs") as shelf:
                Shelf(jobs, shelf)
    return page
