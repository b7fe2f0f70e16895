"""Triangles carried from one place to another."""

from __future__ import annotations

from copy import copy

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image

from portrayal.engines.puppet.hidden import HiddenSide
from portrayal.engines.puppet.mesh import HeadMesh
from portrayal.engines.puppet.plate import background_plate, foreground, lay_over
from portrayal.engines.puppet.stretch import Stretch
from portrayal.engines.puppet.transfer import Target
from portrayal.engines.puppet.warp import NOWHERE, MeshWarp, sample
from portrayal.engines.puppet.windows import NONE, extent, tiles, whole, within
from portrayal.track.face import Face
from portrayal.track.find import find_faces
from portrayal.track.geometry import HeadPose
from portrayal.track.topology import MESH_POINTS, OVAL, mean_face, triangles

SIZE = (90, 120)


def grid(
    columns: int = 9, rows: int = 7, height: int = 90, width: int = 120
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) over the whole picture and beyond its edges, and triangles between them."""
    x, y = np.meshgrid(np.linspace(-5, width + 5, columns), np.linspace(-5, height + 5, rows))
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1).astype(np.float32)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    one = np.stack([corner, corner + 1, corner + columns], 1)
    two = np.stack([corner + 1, corner + columns + 1, corner + columns], 1)
    return vertices, np.concatenate([one, two]).astype(np.int32)


@pytest.fixture
def picture() -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def test_a_mesh_at_rest_gives_the_picture_back(picture: np.ndarray) -> None:
    vertices, triangles = grid()
    warp = MeshWarp(triangles, SIZE)
    warp.place(vertices)
    assert np.abs(sample(picture, warp.back_to(vertices), whole(SIZE)).astype(int) - picture).max() <= 1


@pytest.mark.parametrize("factor", [1, 5])
def test_an_affine_motion_of_the_mesh_is_an_affine_warp_of_the_picture(factor: int) -> None:
    height, width = SIZE[0] * factor, SIZE[1] * factor  # the larger one is interpolated from a coarse map
    y, x = np.mgrid[:height, :width].astype(np.float32)
    vertices, triangles = grid(height=height, width=width)
    matrix = np.array([[0.98, 0.17, 3], [-0.17, 0.98, 8]], np.float32)
    moved = vertices.copy()
    moved[:, :2] = vertices[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    warp = MeshWarp(triangles, (height, width))
    warp.place(moved)
    found = warp.back_to(vertices).part(whole((height, width)))
    inverse = cv2.invertAffineTransform(matrix)
    expected_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]
    middle = np.s_[height // 4 : -height // 4, width // 4 : -width // 4]
    assert np.abs(found.x - expected_x)[middle].max() < 0.01
    assert not found.folds[middle].any()


def test_what_is_pulled_apart_is_smooth_and_the_rest_as_it_was() -> None:
    size = (240, 360)
    noise = np.random.default_rng(2).integers(0, 255, (*size, 4)).astype(np.uint8)
    vertices, triangles = grid(height=size[0], width=size[1])
    pulled, columns = vertices.copy(), np.unique(vertices[:, 0])
    wider = 3 * (columns[3] - columns[2])  # between these two everything becomes four times as wide
    pulled[vertices[:, 0] >= columns[3], 0] += wider
    warp = MeshWarp(triangles, size)
    warp.place(pulled)
    where = warp.back_to(vertices)
    plain, stretch = sample(noise, where, whole(size)), Stretch(where)
    mended = np.empty_like(noise)
    for tile in tiles(whole(size)):
        mended[tile] = stretch.sample(noise, tile, NONE)
    rows = np.abs(np.diff(plain.astype(int), axis=0)).mean((0, 2))
    again = np.abs(np.diff(mended.astype(int), axis=0)).mean((0, 2))
    wide = np.abs(np.gradient(where.part(whole(size)).x[120])) < 0.3
    near = cv2.dilate(wide.astype(np.uint8)[None], np.ones((1, 49), np.uint8))[0] > 0
    assert wide.sum() > 60 and (again[wide][20:-20] < 0.5 * rows[wide][20:-20]).all()
    assert (mended[:, ~near] == plain[:, ~near]).all() and (~near).sum() > 60


@pytest.mark.parametrize("side", [600, 4000])
def test_edges_within_the_mesh_are_known_to_a_few_pixels_at_any_size(side: int) -> None:
    square = np.array([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]], np.float32) * side
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), 7, 0.5)
    near = square @ turn[:, :2].T + turn[:, 2]
    depths = np.repeat([5.0, -5.0], 4)[:, None]
    warp = MeshWarp(triangles, (side, side))
    warp.place(np.hstack([np.concatenate([square, near]), depths]).astype(np.float32))
    away = np.concatenate([square, near + 10 * side]).astype(np.float32)
    for row in np.linspace(0.4, 0.6, 9) * side:
        window = (slice(int(row), int(row) + 1), slice(0, side // 2))
        edge = int(np.argmax(warp.back_to(away).part(window).x[0] > 5 * side))
        share = (row - near[0, 1]) / (near[3, 1] - near[0, 1])
        assert edge == pytest.approx(near[0, 0] + share * (near[3, 0] - near[0, 0]), abs=4)


def test_a_warp_in_tiles_is_the_warp_of_the_whole() -> None:
    size = (700, 900)
    rng = np.random.default_rng(2)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (*size, 3)).astype(np.uint8), (0, 0), 2)
    vertices, triangles = grid(height=size[0], width=size[1])
    moved = vertices.copy()
    moved[:, :2] += rng.normal(0, 40, (len(vertices), 2)).astype(np.float32)  # triangles fold over each other
    warp = MeshWarp(triangles, size)
    warp.place(moved)
    where = warp.back_to(vertices)
    fine = (slice(100, 430), slice(250, 600))
    assert where.folds.any()
    one = sample(picture, where, whole(size), fine)
    parts = np.zeros_like(picture)
    for tile in tiles(whole(size)):
        assert max(extent(tile)) < 300
        parts[tile] = sample(picture, where, tile, fine)
    assert np.abs(parts.astype(int) - one).max() <= 1


def test_what_is_nowhere_near_a_mask_is_known_to_be_empty() -> None:
    size = (700, 900)
    vertices, triangles = grid(height=size[0], width=size[1])
    warp = MeshWarp(triangles, size)
    warp.place(vertices)
    mask = np.zeros(size, bool)
    mask[300:400, 300:400] = True
    near = warp.knots_near(mask)
    warp.place(vertices + np.array([200, 0, 0], np.float32))
    where = warp.back_to(vertices)
    shown = where.knots_on(near)
    for tile in tiles(whole(size)):
        if not where.is_set(shown, tile):
            assert not sample(mask.astype(np.uint8), where, tile).any()
    assert where.is_set(shown, (slice(340, 360), slice(540, 560)))
    assert not where.is_set(shown, (slice(340, 360), slice(300, 420)))


def test_what_is_nearer_hides_what_is_behind_it() -> None:
    square = np.array([[20, 20], [80, 20], [80, 70], [20, 70]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    far = np.column_stack([square, np.full(4, 5.0)])
    near = np.column_stack([square + np.array([15, 0]), np.full(4, -5.0)])
    for order in ([far, near], [near, far]):
        points = np.concatenate(order).astype(np.float32)
        warp = MeshWarp(triangles, SIZE)
        warp.place(points)
        depth = warp.per_vertex(np.where(points[:, 2] < 0, 1.0, 2.0).astype(np.float32))
        assert depth[45, 50] == pytest.approx(1)
        assert depth[45, 25] == pytest.approx(2)
        assert depth[5, 5] == 0


def test_a_part_of_the_mesh_maps_to_its_own_picture_and_the_rest_to_nowhere() -> None:
    vertices, triangles = grid()
    warp = MeshWarp(triangles, SIZE)
    warp.place(vertices)
    found = warp.back_to_part(vertices[:27, :2] * 2).part(whole(SIZE))  # three rows of nine
    assert found.x[10, 60] == pytest.approx(120, abs=0.1)
    assert found.x[80, 60] == NOWHERE


@pytest.mark.parametrize("factor", [1, 7, 20])
def test_a_window_of_a_map_is_what_the_whole_map_says_there(factor: int) -> None:
    height, width = SIZE[0] * factor, SIZE[1] * factor
    vertices, triangles = grid(height=height, width=width)
    turned = vertices + np.random.default_rng(2).normal(0, 4 * factor, vertices.shape).astype(np.float32)
    warp = MeshWarp(triangles, (height, width))
    warp.place(turned)
    source = vertices[:27, :2]
    asked = slice(height // 5 + 1, height // 2), slice(width // 3 + 1, width // 2 + 2)
    window = warp.on_knots(asked)
    assert extent(within(asked, window)) == extent(asked) and window != whole((height, width))
    part, everything = warp.back_to_part(source, window), warp.back_to_part(source)
    assert part.size == extent(window)
    for one, other in zip(part.part(within(asked, window))[:3], everything.part(asked)[:3], strict=True):
        assert np.array_equal(one, other)


def test_a_triangle_seen_edge_on_points_into_its_own_source() -> None:
    vertices, triangles = grid()
    squeezed = vertices.copy()
    squeezed[:, 0] = 60 + (vertices[:, 0] - 60) * 0.005
    warp = MeshWarp(triangles, SIZE)
    warp.place(squeezed)
    found = warp.back_to(vertices).part(whole(SIZE))
    covered = np.abs(found.x - np.arange(SIZE[1])) > 0.5
    assert covered.any()
    assert found.x[covered].min() >= -5.01
    assert found.x[covered].max() <= 125.01


def test_person_and_background_make_up_the_picture_again(picture: np.ndarray) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    matte = np.clip((30 - np.hypot(x - 60, y - 45)) / 4 + 0.5, 0, 1).astype(np.float32)
    plate = background_plate(picture, matte, np.ones(SIZE, np.float32))
    person, plate = foreground(picture, matte, plate)
    difference = np.abs(lay_over(plate, person).astype(int) - picture)
    assert np.median(difference) <= 1
    assert np.percentile(difference, 98) <= 3
    far = np.hypot(x - 60, y - 45) > 40
    assert np.array_equal(plate[far], picture[far])


def test_what_does_not_move_is_left_in_the_background(picture: np.ndarray) -> None:
    matte = np.ones(SIZE, np.float32)
    mobility = np.zeros(SIZE, np.float32)
    mobility[:40] = 1
    plate = background_plate(picture, matte, mobility)
    assert np.array_equal(plate[50:], picture[50:])
    assert not np.array_equal(plate[:30], picture[:30])


@pytest.mark.parametrize("side", [-1, 1])
def test_what_a_three_quarter_face_hides_is_not_shown_twice_when_it_turns(side: int) -> None:
    own = HeadPose.about_pivot((0, 38 * side, 0), 110.0, np.array([250, 250, 0], np.float32))
    face = Face(own.to_picture(mean_face()))
    skin = silhouette(face.landmarks)
    mesh = HeadMesh.build(face, 500, 500)
    front = HeadPose.about_pivot((0, 8 * side, 0), 110.0, own.pivot)
    target = Target(front, face.shape)
    for still in (True, False):
        moved = mesh.moved(face, Target(face.pose, face.shape) if still else target)
        warp = MeshWarp(mesh.triangles, (500, 500), mesh.level)
        warp.place(moved)
        shown = sample(255 * np.dstack([skin] * 3), warp.back_to(mesh.rest), whole((500, 500)))[..., 0] > 127
        outline = cv2.dilate(silhouette(moved[:MESH_POINTS]), np.ones((7, 7), np.uint8)) > 0
        assert (shown & ~outline).sum() < 0.005 * skin.sum()
        if still:
            assert (shown != (skin > 0)).mean() < 0.001


def test_an_outline_that_a_cheek_hides_a_little_lies_at_rest_on_the_edge_of_the_cheek() -> None:
    """What the picture shows between them is cheek: it would be a bright line around a face that turns."""
    pose = HeadPose.about_pivot((0, 0, 0), 110.0, np.array([250, 250, 0], np.float32))
    points = pose.to_picture(mean_face())
    outline, cheek = [58, 172, 136], [138, 192, 213]
    centre = points[list(OVAL), :2].mean(0)
    points[cheek, :2] = centre + 1.06 * (points[outline, :2] - centre)
    edge = cv2.convexHull(np.ascontiguousarray(points[:, :2]))
    rest = HeadMesh.build(Face(points, pose), 500, 500).rest
    for hidden in outline:
        assert cv2.pointPolygonTest(edge, points[hidden, :2].tolist(), True) > 3
        assert abs(cv2.pointPolygonTest(edge, rest[hidden, :2].tolist(), True)) < 1.2


def silhouette(points: np.ndarray) -> np.ndarray:
    mask = np.zeros((500, 500), np.uint8)
    cv2.fillConvexPoly(
        mask, np.rint(cv2.convexHull(np.ascontiguousarray(points[:, :2], np.float32))).astype(np.int32), 1
    )
    return mask


def test_hair_with_room_above_it_moves_with_the_head_and_the_border_does_not() -> None:
    pose = HeadPose.about_pivot((0, 0, 0), 110.0, np.array([250, 260, 0], np.float32))
    face = Face(pose.to_picture(mean_face()))
    tight, free = (HeadMesh.build(face, 500, 500, headroom=room) for room in (0, 40))
    x, y = free.rest[MESH_POINTS:, :2].T
    hair = (abs(x - 250) < 60) & (y > 42) & (y < 60)
    assert hair.any() and (free.weight[hair] > 0.9).all() and (tight.weight[hair] < 0.75).all()
    assert (free.weight[y < 8] == 0).all()
    low = y > 300
    assert np.array_equal(free.weight[low], tight.weight[low])


def test_a_side_that_is_not_hidden_is_passed_over_and_changes_nothing() -> None:
    """Whether triangles without any completed skin are looked at makes no difference to a pixel."""
    with get_sample_data("grace_hopper.jpg") as stream:
        rgb = np.asarray(Image.open(stream).convert("RGB").resize((256, 300)))
    (face,) = find_faces(rgb)
    hidden = HiddenSide(rgb, face, np.ones(rgb.shape[:2], np.float32))
    everywhere = copy(hidden)
    everywhere._filled = np.ones_like(hidden._filled)
    assert hidden._filled.any() and not hidden._filled.all()
    warp, painted = MeshWarp(triangles(), rgb.shape[:2]), 0
    for yaw in (-30, -10, 0, 10, 30):
        own = face.pose
        pose = HeadPose.about_pivot(own.angles + np.float32((0, yaw, 0)), own.scale, own.pivot)
        points = pose.to_picture(face.shape)
        warp.place(points)
        one, other = rgb.copy(), rgb.copy()
        hidden.cover(one, warp, points)
        everywhere.cover(other, warp, points)
        assert np.array_equal(one, other)
        painted += int((one != rgb).sum())
    assert painted > 50
