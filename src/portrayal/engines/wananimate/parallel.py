"""One transformer on several GPUs: its tokens are shared out, attention is exchanged (context parallelism).

diffusers does this for Wan (DeepSpeed-Ulysses, Jacobs et al. 2023, https://arxiv.org/abs/2309.14509) but has
no plan for Wan-Animate, whose face layers attend within a latent frame: with tokens shared out, a frame may
lie on two GPUs. Here those layers fill their share up to whole frames and attend alone, without any
exchange.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from portrayal.errors import PortrayalError

#: How long one process waits for the others: a step, or the reading of the weights.
PATIENCE = timedelta(hours=1)


@dataclass
class Grid:
    """The tokens of the call under way: how many a latent frame has, and how many there are in all."""

    frame: int = 0
    total: int = 0

    def watch(self, transformer: Any) -> None:
        """Learn them from every call of the transformer."""
        _, height, width = transformer.config.patch_size

        def learn(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            latents = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            self.frame = (latents.shape[3] // height) * (latents.shape[4] // width)
            self.total = latents.shape[2] * self.frame

        transformer.register_forward_pre_hook(learn, with_kwargs=True)


class FaceProcessor:
    """Attention of a face layer over this process's share of the tokens: each token sees the motion tokens of
    its own latent frame, as in Wan-Animate (arXiv 2509.14055)."""

    _attention_backend = None

    def __init__(self, grid: Grid, rank: int, size: int) -> None:
        self.grid, self.rank, self.size = grid, rank, size

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """hidden_states: (B, share, C). encoder_hidden_states: (B, frames, motion tokens, C), all of them."""
        from diffusers.models.attention_dispatch import dispatch_attention_fn

        batch, share = hidden_states.shape[:2]
        each, rest = divmod(self.grid.total, self.size)
        start = self.rank * each + min(self.rank, rest)  # as torch.tensor_split shares out
        first, before = divmod(start, self.grid.frame)
        frames = -(-(before + share) // self.grid.frame)
        after = frames * self.grid.frame - before - share

        motion = attn.pre_norm_kv(encoder_hidden_states[:, first : first + frames]).flatten(1, 2)
        query = attn.to_q(attn.pre_norm_q(hidden_states)).unflatten(2, (attn.heads, -1))
        query = F.pad(attn.norm_q(query), (0, 0, 0, 0, before, after))
        key = attn.norm_k(attn.to_k(motion).unflatten(2, (attn.heads, -1)))
        value = attn.to_v(motion).unflatten(2, (attn.heads, -1))
        seen = dispatch_attention_fn(
            *(part.unflatten(1, (frames, -1)).flatten(0, 1) for part in (query, key, value)),
            backend=self._attention_backend,
        )
        seen = seen.flatten(2, 3).unflatten(0, (batch, frames)).flatten(1, 2)
        return attn.to_out(seen[:, before : before + share].type_as(query))


def parallelise(transformer: Any) -> None:
    """Have this process's transformer compute its share, in the process group that is open.

    To be called in every process, on equal transformers; all of them then return the whole result.
    """
    from diffusers import ContextParallelConfig, WanTransformer3DModel

    rank, size = dist.get_rank(), dist.get_world_size()
    grid = Grid()
    grid.watch(transformer)
    for layer in transformer.face_adapter:
        layer.set_processor(FaceProcessor(grid, rank, size))
    # Wan's plan, less its time steps per token, which Wan-Animate has not, and less the gathering of the
    # result, which not every backend does for unequal shares.
    plan = {
        name: part for name, part in WanTransformer3DModel._cp_plan.items() if name in ("rope", "blocks.0")
    }
    # Shares may be unequal, of tokens and of heads: sizes are the user's, not multiples of the number of
    # GPUs.
    config = ContextParallelConfig(ulysses_degree=size, ulysses_anything=True)
    transformer.enable_parallelism(config=config, cp_plan=plan)
    transformer.proj_out.register_forward_hook(lambda module, inputs, share: _gathered(share, grid.total))


def _gathered(share: Tensor, total: int) -> Tensor:
    """All shares (B, share, C), which differ by one token at most, in their order: (B, total, C)."""
    size = dist.get_world_size()
    longest = -(-total // size)
    filled = F.pad(share, (0, 0, 0, longest - share.shape[1])).contiguous()
    parts = [torch.empty_like(filled) for _ in range(size)]
    dist.all_gather(parts, filled)
    each, rest = divmod(total, size)
    return torch.cat([part[:, : each + (rank < rest)] for rank, part in enumerate(parts)], dim=1)


class Team:
    """A transformer run by several processes, called like the one it stands for.

    This process is the first of them, on the first device; the others are started and get the inputs of every
    call. PortrayalError where one of them fails. To be closed, or used in a `with`.
    """

    def __init__(self, build: Callable[[str], Any], devices: Sequence[str]) -> None:
        """build: makes the transformer on a device; called in every process, so it must be importable."""
        self._folder = tempfile.TemporaryDirectory()
        store = f"file://{self._folder.name}/store"
        context = torch.multiprocessing.get_context("spawn")
        self._workers = [
            context.Process(target=_serve, args=(build, device, rank, len(devices), store), daemon=True)
            for rank, device in enumerate(devices)
            if rank
        ]
        for worker in self._workers:
            worker.start()
        self._closed = False
        try:
            _join(devices[0], 0, len(devices), store)
            self._transformer = build(devices[0])
            parallelise(self._transformer)
            dist.barrier()
        except RuntimeError as error:
            self._told(error)
            raise
        except BaseException:
            self.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_transformer"], name)

    def __call__(self, **inputs: Any) -> Any:
        """The transformer's result, computed by all."""
        device = str(self._transformer.device)
        autocast = device.partition(":")[0]
        kind = torch.get_autocast_dtype(autocast) if torch.is_autocast_enabled(autocast) else None
        try:
            _broadcast((kind, {name: _on(value, "cpu") for name, value in inputs.items()}))
            return self._transformer(**inputs)
        except RuntimeError as error:
            self._told(error)
            raise

    def _told(self, error: RuntimeError) -> None:
        """PortrayalError in place of one that comes of another process's end; nothing goes on then."""
        for worker in self._workers:
            worker.join(2)  # its end is seen a little later than its silence
        dead = [worker.exitcode for worker in self._workers if not worker.is_alive()]
        for worker in self._workers:  # those left wait for what does not come
            worker.kill()
            worker.join()
        self.close()
        if dead:
            raise PortrayalError(f"a process on another GPU has ended with status {dead[0]}") from error

    def close(self) -> None:
        """End the other processes."""
        if self._closed:
            return
        self._closed = True
        alive = all(worker.is_alive() for worker in self._workers)
        if dist.is_initialized():
            if alive and "_transformer" in self.__dict__:
                _broadcast(None)
            dist.destroy_process_group()
        for worker in self._workers:
            worker.join(10)
            if worker.is_alive():
                worker.terminate()
        self._folder.cleanup()

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _join(device: str, rank: int, size: int, store: str) -> None:
    backend = "cpu:gloo"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
        backend += ",cuda:nccl"
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(backend, init_method=store, rank=rank, world_size=size, timeout=PATIENCE)


def _serve(build: Callable[[str], Any], device: str, rank: int, size: int, store: str) -> None:
    """What every process but the first does: compute its share of each call until there is none."""
    torch.set_grad_enabled(False)
    _join(device, rank, size, store)
    transformer = build(device)
    parallelise(transformer)
    dist.barrier()
    while (message := _broadcast(None)) is not None:
        kind, inputs = message
        with _autocast(device, kind):
            transformer(**{name: _on(value, device) for name, value in inputs.items()})
    dist.destroy_process_group()


def _broadcast(message: Any) -> Any:
    """The first process's message, in all of them."""
    box = [message]
    dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def _autocast(device: str, kind: torch.dtype | None) -> AbstractContextManager[Any]:
    return torch.autocast(device.partition(":")[0], dtype=kind, enabled=kind is not None)


def _on(value: Any, device: str) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value
