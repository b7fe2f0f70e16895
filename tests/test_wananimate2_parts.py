"""What Wan-Animate-2 is put together from: solvers, the canvas and its bars, segments."""

from __future__ import annotations

import numpy as np
import torch

from portrayal.engines.wananimate2.frames import Canvas, letterboxed, segments
from portrayal.engines.wananimate2.solvers import Euler, Midpoint, sigmas


def test_the_solvers() -> None:
    levels = sigmas(4)
    assert torch.allclose(levels, torch.tensor([1.0, 0.9375, 5 / 6, 0.625, 0.0], dtype=torch.float64))
    noise = torch.randn(2, 3)
    for solver in (Euler(), Midpoint()):  # towards a point, the way is straight: both arrive exactly
        solver.start(4, torch.device("cpu"))
        assert solver.times.tolist() == [1000, 937, 833, 625]
        latents = noise
        for time in solver.times:
            latents = solver.step(noise - 0.5, time, latents)
        assert torch.allclose(latents, torch.tensor(0.5), atol=1e-5)


def test_midpoint_is_diffusers_dpm_solver() -> None:
    from diffusers import DPMSolverMultistepScheduler

    published = DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0, solver_type="midpoint"
    )
    published.set_timesteps(6)
    published.sigmas = sigmas(6).float()
    published.timesteps = (published.sigmas[:-1] * 1000).long()
    solver = Midpoint()
    solver.start(6, torch.device("cpu"))
    wanted = latents = torch.randn(5)
    for time in solver.times:
        wanted = published.step(torch.sin(wanted), time, wanted).prev_sample
        latents = solver.step(torch.sin(latents), time, latents)
    assert torch.allclose(latents, wanted, atol=1e-5)


def test_canvas_and_bars() -> None:
    canvas = Canvas.of(1024, 1280, 640 * 800)
    assert (canvas.width, canvas.height) == (640, 800) and canvas.inner_width == 640
    for width, height in ((333, 777), (777, 333), (100, 100), (17, 400)):
        canvas = Canvas.of(width, height, 640 * 800)
        assert canvas.width % 16 == canvas.height % 16 == 0
        white = np.full((height, width, 3), 255, np.uint8)
        video = letterboxed([white], canvas, "bicubic")[0]
        [frame] = canvas.cropped(video)
        assert frame.shape == (canvas.inner_height, canvas.inner_width, 3) and frame.min() > 250  # no bar
        bars = video.numel() - 3 * canvas.inner_width * canvas.inner_height
        assert (video < -0.9).sum() == bars  # and nothing of the picture lost


def test_segments() -> None:
    def numbers(count: int, length: int) -> list[tuple[list[int], int, int]]:
        frames = (np.full((1, 1, 3), i, np.uint8) for i in range(count))
        made = segments(frames, length, 1)
        return [([int(f[0, 0, 0]) for f in piece], known, new) for piece, known, new in made]

    assert [(len(p), k, n) for p, k, n in numbers(200, 81)] == [(81, 0, 81), (81, 1, 80), (41, 1, 39)]
    _, last = numbers(82, 81)
    assert last[0][:4] == [80, 81, 81, 80] and len(last[0]) == 29 and last[1:] == (1, 1)
    assert [(len(p), k, n) for p, k, n in numbers(81, 81)] == [(81, 0, 81)]
    assert numbers(3, 5) == [([0, 1, 2, 2, 1], 0, 3)] and numbers(0, 5) == []
