"""Make docs/grace_hopper.jpg, the picture in the README: faces from the demo's clip, tiled."""

import sys
from pathlib import Path

from matplotlib.cbook import get_sample_data

import portrayal
from portrayal import Driving, Portrait
from portrayal.cli.demo import SENTENCE
from portrayal.media.image import save_image

target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/grace_hopper.jpg")
portrait = Portrait.open(get_sample_data("grace_hopper.jpg", asfileobj=False))
clip = portrayal.load_engine("puppet").animate(portrait, Driving.from_text(SENTENCE))
sheet = clip.crop(portrait.crop_box(1.8)).sheet(columns=4, rows=2)
save_image(target, sheet, quality=80)
