"""The regions that Wan-Animate replaces, against the published code and on made pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from conftest import scenery
from portrayal import body as b
from portrayal.engines.wananimate.masks import Followed, Selfie, cut_out, dilated, gridded, region
from portrayal.errors import PortrayalError
from portrayal.media.image import read_image
from portrayal.track.body import BodyTracker
from portrayal.track.person import person_box, person_mask
from portrayal.track.sam2 import Click, Sam2
from tiny_sam2 import tiny_sam2

CASES = np.load(Path(__file__).parent / "golden/wananimate/masks.npz")


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("aug_")])
def test_regions_are_those_of_the_published_code(name: str) -> None:
    times, kernel, columns, rows = (int(part) for part in name.split("_")[1:])
    grown = dilated(CASES["mask"], kernel, times)
    np.testing.assert_array_equal(grown, CASES[f"dil_{times}_{kernel}"])
    np.testing.assert_array_equal(gridded(grown, columns, rows), CASES[name])


def test_the_background_is_that_of_the_published_code() -> None:
    box = region(CASES["mask"], compat=True)
    np.testing.assert_array_equal(box, CASES["aug_3_7_1_1"])
    np.testing.assert_array_equal(cut_out(CASES["img"], box), CASES["bg_3_7_1_1"])


def test_only_the_person_is_replaced_unless_compatibility_asks_for_the_box() -> None:
    mask = np.eye(64, dtype=np.uint8)
    grown, box = region(mask), region(mask, compat=True)
    assert (grown >= mask).all() and not grown[50, 5] and box[50, 5]


@pytest.mark.parametrize("compat", [False, True])
def test_where_nobody_is_nothing_is_replaced(compat: bool) -> None:
    assert not region(np.zeros((32, 48), np.uint8), compat).any()


def test_a_box_narrower_than_its_grid_is_filled_all_the_same() -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[10:14, 10:12] = 1
    assert gridded(mask, 10, 20).any()


@pytest.fixture(scope="module")
def hopper() -> np.ndarray:
    rgb = read_image(get_sample_data("grace_hopper.jpg", asfileobj=False)).rgb
    return cv2.resize(rgb, (256, 300), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def points(hopper: np.ndarray) -> np.ndarray:
    found = BodyTracker()(hopper)
    assert found is not None
    return found


def test_the_bundled_segmenter_finds_the_person_of_the_points_and_nobody_else(
    hopper: np.ndarray, points: np.ndarray
) -> None:
    [alone] = Selfie()([(hopper, points)])
    x, y = points[0, :2].astype(int)
    assert alone[y, x] and alone[-1, 128] and not alone[5, 5] and not alone[5, -5]
    two = np.hstack([hopper, np.full_like(hopper[:, :64], 200), hopper])
    [mask] = Selfie()([(two, points)])
    assert mask[:, :256].mean() > 0.9 * alone.mean() and not mask[:, 320:].any()


def test_fingers_and_arms_are_the_persons() -> None:
    rgb = np.full((200, 300, 3), 120, np.uint8)
    points = np.zeros((b.POINTS, 3), np.float32)
    points[[b.LEFT_SHOULDER, b.RIGHT_SHOULDER]] = (180, 150, 1), (120, 150, 1)
    left, _, right, bottom = person_box(points, (300, 200))
    assert left < 100 and right > 200 and bottom == 199
    hand = slice(b.LEFT_HAND, b.LEFT_HAND + 21)
    points[hand] = np.column_stack([np.linspace(20, 60, 21), np.linspace(100, 40, 21), np.ones(21)])
    assert person_mask(rgb, points)[points[hand, 1].astype(int), points[hand, 0].astype(int)].all()


def test_before_anybody_is_seen_nobody_is_found(hopper: np.ndarray) -> None:
    assert not Selfie()([(hopper, None)])[0].any()


class Listener:
    """Stands for SAM 2 and keeps what it was told."""

    def follow(self, frames: list[np.ndarray], clicks: dict[int, Click]) -> list[np.ndarray]:
        self.clicks = clicks
        return [np.zeros(rgb.shape[:2], np.uint8) for rgb in frames]


def test_only_joints_that_are_seen_are_clicked_unless_compatibility_asks_for_all(
    hopper: np.ndarray, points: np.ndarray
) -> None:
    told, frames = Listener(), [(hopper, None), *[(hopper, points)] * 7]
    Followed(told)(frames)
    assert sorted(told.clicks) == [2, 4, 6]
    left, top, right, bottom = told.clicks[2].box
    for x, y in told.clicks[2].points:
        assert left <= x <= right and top <= y <= bottom
    assert len(told.clicks[2].points) == 4 and bottom == 299  # hips are below it
    Followed(told, compat=True)(frames)
    assert told.clicks[2].box is None and (told.clicks[2].points[:, 1] > 300).any()


def test_sam2_follows_forwards_and_backwards_from_what_it_is_told(tmp_path: Path) -> None:
    tiny_sam2().save_pretrained(tmp_path)
    network = Sam2.load(tmp_path)
    frames = [scenery(9 * i)[:60, :90] for i in range(5)]
    points, other = np.float32([[30, 30], [40, 20]]), np.float32([[70, 50]])
    masks = network.follow(frames, {2: Click(points, (10, 10, 70, 50))})
    assert [mask.shape for mask in masks] == [(60, 90)] * 5 and all(0 < mask.mean() < 1 for mask in masks)
    elsewhere = network.follow(frames, {2: Click(other)})
    assert all((a != b).any() for a, b in zip(masks, elsewhere, strict=True))
    assert not any(mask.any() for mask in network.follow(frames, {}))


def test_a_folder_without_sam2_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(PortrayalError, match="holds no SAM 2"):
        Sam2.load(tmp_path)
