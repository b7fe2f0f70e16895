"""Whose face it is: SFace's embedding (Zhong et al. 2021; Apache-2.0), run by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from portrayal import weights
from portrayal.errors import PortrayalError
from portrayal.media.files import shown
from portrayal.track.face import Face
from portrayal.track.topology import LEFT_IRIS, MOUTH_LEFT, MOUTH_RIGHT, NOSE_TIP, RIGHT_IRIS

Rgb = NDArray[np.uint8]

#: What SFace is aligned by, in the order that OpenCV expects.
_POINTS = (RIGHT_IRIS[0], LEFT_IRIS[0], NOSE_TIP, MOUTH_RIGHT, MOUTH_LEFT)


class Identity:
    """Embeds faces; those of one person lie near each other."""

    def __init__(self, path: Path) -> None:
        """path: the ONNX file. PortrayalError where it is none."""
        if not path.is_file():
            raise PortrayalError(f"{shown(path)}: no such file")
        try:
            self._net = cv2.FaceRecognizerSF.create(str(path), "")
        except cv2.error as error:
            raise PortrayalError(f"{shown(path)}: is no ONNX model of SFace") from error

    @classmethod
    def downloaded(cls) -> Identity | None:
        """That of `portrayal download sface`; None where it is not here."""
        return None if weights.missing("sface") else cls(weights.file("sface"))

    def __call__(self, rgb: Rgb, face: Face) -> NDArray[np.float32]:
        """(N,) of length 1, for a face in an (H, W, 3) picture."""
        row = np.concatenate([np.zeros(4), face.landmarks[list(_POINTS), :2].ravel(), [1]])
        aligned = self._net.alignCrop(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), row.astype(np.float32)[None])
        embedding = self._net.feature(aligned)[0]
        return np.asarray(embedding / max(float(np.linalg.norm(embedding)), 1e-12), np.float32)
