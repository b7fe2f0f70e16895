"""What Wan-Animate sees of a driving, against the official preprocess."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from golden.wananimate.cases import recorded, uniform
from portrayal.body import FACE
from portrayal.engines.wananimate.faces import FaceCrops, face_box
from portrayal.engines.wananimate.framing import letterbox, size_for
from portrayal.engines.wananimate.retarget import Retarget
from portrayal.engines.wananimate.skeleton import Skeleton

PORTRAIT, DRIVING = (720, 1264), (1280, 720)


@pytest.mark.parametrize("case", range(6))
def test_skeletons_are_drawn_to_the_pixel(case: int) -> None:
    golden = recorded("draw")
    width, height, newer, head = golden[f"d{case}_opts"]
    skeleton = Skeleton.of(golden[f"d{case}_kps"])
    np.testing.assert_allclose(skeleton.body, golden[f"d{case}_body"], atol=1e-4)
    drawn = skeleton.drawn((width, height), thick=not newer, head=bool(head))
    np.testing.assert_array_equal(drawn, golden[f"d{case}_img"])


@pytest.mark.parametrize("case", ["full", "half", "threeq", "lowhands"])
def test_limbs_take_the_portraits_lengths(case: str) -> None:
    golden = recorded("retarget")
    driving = golden[f"{case}_drv"]
    retarget = Retarget(golden[f"{case}_ref"][0], PORTRAIT, driving[0], DRIVING, compat=True)
    made = [retarget(points) for points in driving]
    body = np.stack([skeleton.body for skeleton in made])
    np.testing.assert_allclose(body[..., :2], golden[f"{case}_body"][..., :2], atol=3e-4)
    for ours, theirs in (("left", "rhand"), ("right", "lhand")):  # their names are crossed
        hands = np.stack([getattr(skeleton, ours) for skeleton in made])
        wanted = golden[f"{case}_{theirs}"]
        seen = ~np.isnan(wanted[..., 0])
        assert (hands[~seen] == 0).all()
        np.testing.assert_array_equal(hands[seen][:, :2], wanted[seen][:, :2])
    np.testing.assert_array_equal(made[1].drawn(PORTRAIT), golden[f"{case}_img1"])


def test_ratios_are_limited() -> None:
    """An arm seen end-on in the first frame would give arms of any length."""
    golden = recorded("retarget")
    driving, portrait = golden["full_drv"].copy(), golden["full_ref"][0]
    for wrist, elbow in ((9, 7), (10, 8)):
        driving[0, wrist, :2] = driving[0, elbow, :2] + 0.5
    lengths = []
    for compat in (True, False):
        skeleton = Retarget(portrait, PORTRAIT, driving[0], DRIVING, compat)(driving[1])
        lengths.append(np.linalg.norm(skeleton.body[3, :2] - skeleton.body[4, :2]))
    assert lengths[0] > 2000 and lengths[1] < 600


def test_faces_are_cut_as_the_official_ones() -> None:
    golden = recorded("face_crop")
    for points, (width, height, *box) in zip(golden["kps"], golden["w_h_x1_x2_y1_y2"], strict=True):
        assert face_box(points, (width, height)) == tuple(box)
    frame = (uniform("frame", 45, 80, 3).numpy() * 255).astype(np.uint8)
    frame = cv2.resize(frame, (1280, 720), interpolation=cv2.INTER_CUBIC)
    crop = FaceCrops(compat=True)(frame, golden["kps"][1])
    np.testing.assert_array_equal(crop[::8, ::8], golden["face_sub8"])


def test_the_box_follows_smoothly_and_holds() -> None:
    points = recorded("face_crop")["kps"][1].copy()
    points[FACE, 2] = 1
    frame = (
        np.repeat(np.arange(1280, dtype=np.float32)[None, :, None] / 5, 720, 0).repeat(3, 2).astype(np.uint8)
    )
    rng = np.random.default_rng(0)
    left: dict[bool, list[float]] = {}
    for compat in (True, False):
        crops = FaceCrops(compat)
        for _ in range(30):
            trembling = points.copy()
            trembling[FACE, :2] += rng.normal(0, 3, (68, 2))
            left.setdefault(compat, []).append(float(crops(frame, trembling)[:, 0].mean()))
    assert np.std(left[False][10:]) < 0.6 * np.std(left[True])
    crops = FaceCrops()
    first = crops(frame, points)
    np.testing.assert_array_equal(crops(frame, None), first)  # lost
    above = points.copy()
    above[FACE, 1] -= 5000
    assert FaceCrops(compat=True)(frame, above).shape == (512, 512, 3)
    assert FaceCrops()(frame, None).shape == (512, 512, 3)  # nobody yet


def test_sizes_and_letterboxes() -> None:
    golden = recorded("sizes")
    for wide, high, area, width, height, _ in golden["size_ow_oh_area_w_h_ok"].tolist():
        assert size_for(area, (wide, high)) == (width, height)
    for name, size, area in (("lb_48x80", (80, 48), False), ("lb_96x64", (64, 96), False),
                             ("lb_area_24x32", (32, 24), True)):  # fmt: skip
        np.testing.assert_array_equal(letterbox(golden["lb_src"], size, area=area), golden[name])
    networks = recorded("networks")
    np.testing.assert_array_equal(letterbox(networks["ref_raw"], (64, 48)), networks["ref_letterboxed"])
