"""The Thin-Plate-Spline Motion Model's networks (Zhao & Zhang 2022, https://arxiv.org/abs/2203.14367).

Modules only: no files, no crops, no devices. Parameters have the names of the published checkpoints. Points
and grids are (x, y) in [-1, 1], whose ends are the centres of the outermost pixels.
"""

from portrayal.engines.tpsmm.networks.avd import AvdNetwork
from portrayal.engines.tpsmm.networks.dense_motion import DenseMotion, DenseMotionNetwork
from portrayal.engines.tpsmm.networks.inpainting import InpaintingNetwork
from portrayal.engines.tpsmm.networks.keypoints import BackgroundPredictor, KeypointDetector
from portrayal.engines.tpsmm.networks.tps import ThinPlateSplines

__all__ = [
    "AvdNetwork",
    "BackgroundPredictor",
    "DenseMotion",
    "DenseMotionNetwork",
    "InpaintingNetwork",
    "KeypointDetector",
    "ThinPlateSplines",
]
