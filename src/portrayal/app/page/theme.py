"""How the page looks: colours, type, spacing; nothing of it comes from the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_FONT = ("Inter", "Segoe UI", "Roboto", "Helvetica Neue", "Ubuntu", "Arial", "sans-serif")
_MONO = ("JetBrains Mono", "Consolas", "Liberation Mono", "monospace")

#: From the palest to the darkest: a blue violet for what one can press, a warm grey for the rest.
_IRIS = gr.themes.Color(
    "#f2f2fd", "#e6e5fb", "#cfcdf7", "#aeaaf0", "#8a84e6", "#6a61d9", "#574cc6", "#483ea6", "#3b3486",
    "#2e2a68", "#1e1b46", name="iris",
)  # fmt: skip
_STONE = gr.themes.Color(
    "#faf9f7", "#f3f1ee", "#e6e3de", "#d3cfc8", "#a8a39b", "#7a756d", "#57534c", "#403d38", "#282623",
    "#1b1a18", "#121110", name="warm",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """Light and dark."""
    base = gr.themes.Base(
        primary_hue=_IRIS, secondary_hue=_IRIS, neutral_hue=_STONE, font=_FONT, font_mono=_MONO,
        radius_size=gr.themes.sizes.radius_lg, spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
    )  # fmt: skip
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_placeholder_color="*neutral_500",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        checkbox_border_color="*neutral_400",
        checkbox_border_color_dark="*neutral_500",
        checkbox_background_color_dark="*neutral_950",
        slider_color="*primary_500",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
    )


def look() -> dict[str, Any]:
    """What mounting the page takes beside the page: theme, style, script."""
    here = Path(__file__).parent
    return {
        "theme": theme(),
        "css": (here / "page.css").read_text(encoding="utf-8"),
        "head": f"<script>{(here / 'page.js').read_text(encoding='utf-8')}</script>",
        "footer_links": [],
        "run_history": False,
    }
