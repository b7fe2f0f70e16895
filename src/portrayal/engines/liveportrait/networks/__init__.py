"""LivePortrait's networks (Guo et al. 2024, arXiv 2407.03168): modules only, no files and no devices.

They compute what the published ones do with fewer operations; :mod:`..folding` makes their weights from the
published ones. Sizes are arguments, with the published values as defaults.
"""

from portrayal.engines.liveportrait.networks.appearance import AppearanceFeatureExtractor
from portrayal.engines.liveportrait.networks.generator import SpadeGenerator
from portrayal.engines.liveportrait.networks.mlp import Mlp
from portrayal.engines.liveportrait.networks.motion import MotionExtractor
from portrayal.engines.liveportrait.networks.warping import WarpingNetwork, WarpSource

__all__ = [
    "AppearanceFeatureExtractor",
    "Mlp",
    "MotionExtractor",
    "SpadeGenerator",
    "WarpSource",
    "WarpingNetwork",
]
