"""Crops, their matrices, paste-back and ratios, as published; and those from MediaPipe's mesh."""

from __future__ import annotations

import numpy as np
import pytest

from golden.liveportrait.cases import face_points, golden
from golden.seeded import smooth_image
from portrayal.engines.liveportrait.crop import (
    Anchors,
    Square,
    driving_input,
    limited_size,
    mean_square,
    source_input,
)
from portrayal.engines.liveportrait.driving_crop import as_seen_in, driving_square, followed
from portrayal.engines.liveportrait.keypoints import FaceMotion
from portrayal.engines.liveportrait.paste import Paste, feather
from portrayal.engines.liveportrait.ratios import ratios_203, ratios_mediapipe
from portrayal.errors import PortrayalError
from portrayal.track.topology import mean_face


def photo() -> np.ndarray:
    return np.ascontiguousarray(smooth_image("photo", 640)[:, :600])


def points(n: int) -> np.ndarray:
    return face_points(n, "crop", (310, 330), 120, 17)


def close(image: np.ndarray, expected: np.ndarray) -> bool:
    """As OpenCV's versions differ."""
    difference = np.abs(image.astype(float) - expected)
    return bool(difference.mean() < 0.1 and difference.max() <= 8)


@pytest.mark.parametrize("n", [203, 106, 101, 68, 5])
def test_squares_are_the_published_ones(n: int) -> None:
    case = golden("crop_paste_smooth")
    square = Square.around(Anchors.of(points(n)), 2.3, (0.05, -0.125))
    expected = case[f"rect{n}_lip1"]
    found = [*square.centre, square.side, square.side, square.angle]
    assert np.abs(found - expected).max() < 1e-3
    matrix = Square.around(Anchors.of(points(n))).matrix(512)
    assert np.abs(matrix - case[f"M_o2c{n}"]).max() < 1e-3
    assert np.abs(np.linalg.inv(matrix) - case[f"M_c2o{n}"]).max() < 1e-3


def test_the_square_of_all_mesh_points() -> None:
    square = Square.around(Anchors.of(points(478)), 2.3, (0, -0.125))
    found = [*square.centre, square.side, square.side, square.angle]
    assert np.abs(found - golden("crop_paste_smooth")["rect478"]).max() < 1e-3


def test_other_numbers_of_points_are_refused() -> None:
    with pytest.raises(PortrayalError, match="42 landmarks are of no known model"):
        Anchors.of(np.zeros((42, 2)))


def test_crops_are_the_published_ones() -> None:
    case = golden("crop_paste_smooth")
    for n in (203, 106):
        crop = Square.around(Anchors.of(points(n))).cut(photo())
        assert close(crop[::16, ::16], case[f"crop{n}"])
    assert close(source_input(crop)[::8, ::8], case["crop256_area"])
    small = Square.around(Anchors.of(points(203)), 1.5, (0, -0.1))
    assert np.abs(small.matrix(224) - case["M_o2c203_landmark224"]).max() < 1e-3
    assert close(small.cut(photo(), 224)[::8, ::8], case["landmark224"])
    upright = Square.around(Anchors.of(points(203))).upright.matrix(512)
    assert np.abs(upright - case["M_o2c203_norot"]).max() < 1e-3


def test_a_crop_over_the_edge_is_black_there() -> None:
    case = golden("crop_paste_smooth")
    square = Square.around(Anchors.of(face_points(106, "edge", (60, 90), 120, -20)))
    assert np.abs(square.matrix(512) - case["M_o2c_edge"]).max() < 1e-3
    crop = square.cut(photo())
    assert close(crop[::16, ::16], case["crop_edge"])
    assert not crop[0, 0].any()


def test_upright_boxes_are_the_published_ones() -> None:
    case = golden("crop_paste_smooth")
    square = Square.around(Anchors.of(face_points(203, "drv", (250, 240), 110, -7)), 2.2, (0, -0.1))
    low, high = (np.array(square.centre) + sign * square.side / 2 for sign in (-1, 1))
    assert np.abs(case["bbox"][[0, 2]] - [low, high]).max() < 1e-2
    corners = np.array([[0, 0, 1], [512, 0, 1], [512, 512, 1], [0, 512, 1]])
    back = np.linalg.inv(square.matrix(512))
    assert np.abs((corners @ back.T)[:, :2] - case["bbox_rot"]).max() < 1e-2
    assert np.abs(square.upright.matrix(512) - case["bycrop_M_o2c"]).max() < 1e-3
    assert close(square.upright.cut(photo())[::16, ::16], case["bycrop"])


def test_a_driving_videos_box_is_the_mean_of_its_frames() -> None:
    case = golden("crop_paste_smooth")
    lips, eyes = (0.05, 0.3, 0.15, 0.4), (0.3, 0.05, 0.25, 0.35)
    seen = [face_points(203, f"drv{i}", (250, 240), 110, -7, lips[i], eyes[i]) for i in range(4)]
    box = mean_square([Square.around(Anchors.of(p), 2.2, (0, -0.1)) for p in seen])
    matrix = box.matrix(512)
    for i, p in enumerate(seen):
        found = p[::10] @ matrix[:2, :2].T + matrix[:2, 2]
        assert np.abs(found - case["drvvid_lmk"][i]).max() < 1e-2


@pytest.mark.parametrize(
    ("box", "size", "corner", "side"),
    [
        ((240, 200, 390, 420), (600, 640), (128, 123), 374),
        ((0, 0, 100, 200), (600, 640), (0, 0), 340),
        ((500, 500, 600, 640), (600, 640), (362, 402), 238),
        ((10, 10, 590, 630), (600, 640), (0, 20), 600),
    ],
)
def test_a_box_gives_a_square_inside_the_picture(
    box: tuple[int, ...], size: tuple[int, int], corner: tuple[int, int], side: int
) -> None:
    square = Square.within(box, 1.7, size)  # type: ignore[arg-type]
    assert square.side == side
    assert tuple(c - side / 2 for c in square.centre) == corner
    if side == 374:
        expected = golden("expression_editor")["alp_region_mid"]
        assert np.array_equal(expected, [*corner, corner[0] + side, corner[1] + side])


def test_pasted_faces_are_the_published_ones() -> None:
    case = golden("crop_paste_smooth")
    paste = Paste(Square.around(Anchors.of(points(106))), (600, 640))
    picture = photo()
    paste(picture, smooth_image("face512", 512))
    assert close(picture[::8, ::8], case["pasted"])
    assert np.abs(picture.reshape(-1, 3).mean(0) - case["pasted_mean"]).max() < 0.1
    plain = np.zeros((640, 600, 3), np.uint8)
    paste(plain, np.full((512, 512, 3), 255, np.uint8))
    assert np.abs(plain[::8, ::8, 0] / 255 - case["mask_ori"]).max() < 0.02


def test_pasting_touches_nothing_outside_its_window() -> None:
    paste = Paste(Square((300.0, 200.0), 90.0, 0.3), (600, 640))
    picture = photo()
    paste(picture, np.zeros((512, 512, 3), np.uint8))
    outside = np.ones((640, 600), bool)
    outside[paste.window] = False
    assert np.array_equal(picture[outside], photo()[outside])
    assert not picture[200, 300].any()
    assert (~outside).sum() < 130**2


def test_a_face_beyond_the_edge_is_not_pasted() -> None:
    picture = photo()
    Paste(Square((-900.0, 50.0), 200.0), (600, 640))(picture, np.zeros((512, 512, 3), np.uint8))
    assert np.array_equal(picture, photo())
    Paste(Square((20.0, 630.0), 200.0), (600, 640))(picture, np.zeros((512, 512, 3), np.uint8))
    assert not picture[-1, 0].any()


def test_a_crop_pasted_back_unchanged_leaves_the_picture() -> None:
    square = Square((290.0, 310.0), 512.0, 0.2)
    picture = photo()
    Paste(square, (600, 640))(picture, square.cut(photo()))
    assert np.abs(picture.astype(int) - photo()).mean() < 1.0


def test_the_feather_is_round_and_whole_inside() -> None:
    mask = feather()
    assert mask[16:-16, 16:-16].min() == 1
    assert mask[0, 256] == 0 and 0.4 < mask[8, 256] < 0.6
    assert mask[5, 5] < mask[5, 256]


def test_sizes_are_limited_as_published() -> None:
    sizes = [(2000, 1501), (1501, 2000), (1281, 1281), (641, 333), (1280, 720)]
    assert np.array_equal(golden("crop_paste_smooth")["limit"], [limited_size(*size) for size in sizes])


def test_ratios_are_the_published_ones() -> None:
    case, lips, eyes = golden("crop_paste_smooth"), (0.05, 0.3, 0.15, 0.4), (0.3, 0.05, 0.25, 0.35)
    for i in range(4):
        seen = face_points(203, f"r{i}", (300, 320), 150, 5 * i, lips[i], eyes[i])
        eye, lip = ratios_203(seen)
        assert np.abs(eye - case["eye_ratio"][i]).max() < 1e-5
        assert abs(lip - case["lip_ratio"][i, 0]) < 1e-5


def mesh(turn: float = 0.0, size: float = 100.0, at: tuple[float, float] = (300, 300)) -> np.ndarray:
    """The mean face in a picture, turned clockwise by `turn` radians."""
    flat = mean_face()[:, :2] * size
    cos, sin = np.cos(turn), np.sin(turn)
    return flat @ np.array([[cos, sin], [-sin, cos]]) + np.array(at)


def test_ratios_of_a_mesh() -> None:
    eyes, lips = ratios_mediapipe(mesh())
    assert eyes.min() > 0.3 and abs(eyes[0] - eyes[1]) < 0.01 and lips < 0.03
    shut = mesh()
    shut[145] = shut[159]  # the lids of the eye on the picture's left
    shut[14] = shut[13] + np.array([0, 20])
    eyes, lips = ratios_mediapipe(shut)
    assert eyes[0] == 0 < eyes[1]
    assert lips == pytest.approx(0.888 * 20 / np.linalg.norm(shut[61] - shut[291]) + 0.004, rel=1e-3)


def test_a_meshs_square_turns_grows_and_moves_with_the_face() -> None:
    plain = Square.around(Anchors.of_mesh(mesh()))
    assert abs(plain.angle) < 0.01
    turned = Square.around(Anchors.of_mesh(mesh(0.4, 150, (400, 250))))
    assert turned.angle == pytest.approx(0.4, abs=0.01)
    assert turned.side == pytest.approx(1.5 * plain.side, rel=0.02)
    assert np.linalg.norm(turned.matrix(512) @ [400, 250, 1] - plain.matrix(512) @ [300, 300, 1]) < 8


def test_a_meshs_square_is_not_moved_by_gaze_or_mouth() -> None:
    other = mesh()
    other[468:] += 6
    other[14] += np.array([0, 12])
    assert Square.around(Anchors.of_mesh(other)) == Square.around(Anchors.of_mesh(mesh()))


def test_a_following_box_follows_softly() -> None:
    squares = [driving_square(mesh(0, 100, (300 + 4 * i, 300))) for i in range(30)]
    box = squares[0]
    for square in squares[1:]:
        step = followed(box, square)
        assert box.centre[0] < step.centre[0] < square.centre[0]
        box = step
    assert squares[-1].centre[0] - box.centre[0] < 20


def test_a_following_box_takes_nothing_of_the_heads_way() -> None:
    """The same head, measured in two boxes, is at the same place of the picture."""
    base, box = Square((300.0, 300.0), 400.0), Square((340.0, 310.0), 500.0)
    spot, size = np.array([350.0, 280.0]), 120.0

    def measured(square: Square) -> FaceMotion:
        half = square.side / 2
        place = [*(spot - square.centre) / half, 0]
        return FaceMotion.from_angles([[0, 0, 0]], np.zeros((21, 3)), place, [size / half])

    seen, wanted = as_seen_in(measured(box), box, base), measured(base)
    assert np.abs(seen.translation - wanted.translation).max() < 1e-6
    assert seen.scale == pytest.approx(wanted.scale)


def test_inputs_of_the_networks() -> None:
    assert source_input(smooth_image("photo", 512)).shape == (256, 256, 3)
    assert driving_input(photo()).shape == (256, 256, 3)
