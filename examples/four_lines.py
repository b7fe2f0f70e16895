"""The same as `portrayal animate photo.jpg talk.mp4 -o out.mp4`, in Python."""

import sys

import portrayal
from portrayal import Driving, Portrait

photo, talk, out = sys.argv[1:]
clip = portrayal.load_engine("puppet").animate(Portrait.open(photo), Driving.open(talk))
clip.save(out)
