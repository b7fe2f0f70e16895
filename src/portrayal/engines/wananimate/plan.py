"""What a machine can do with Wan-Animate and how long it takes, reckoned from numbers before anything starts.

Sizes and operations follow from the published network: 17.3 G parameters, 40 layers of width 5120,
feed-forward 13824, 40 heads (Wan-Animate, arXiv 2509.14055). Minutes are an estimate: operations over a
share of the card's peak that was reached by the published timings of the family (H100 0.42-0.50, A100
0.54-0.59, RTX 5090 0.42).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

from portrayal.errors import PortrayalError

GB = 1e9
WIDTH, HIDDEN, LAYERS, CONTEXT = 5120, 13824, 40, 769
#: Parameters of the transformer and of one of its blocks, with the face layers.
PARAMETERS, BLOCK = 17.275e9, 0.425e9
#: Bytes of the other networks: text encoder (bfloat16), image encoder (bfloat16), VAE (float32).
TEXT, IMAGE, VAE = 11.4 * GB, 1.3 * GB, 0.5 * GB
#: Working memory: of the transformer for a token with its residual in float32 (139 kB of a block measured,
#: and what stands around it), of the VAE in float32 for a pixel (the family's 8.2 GB for 832x480), and of
#: all else.
PER_TOKEN, PER_PIXEL, ELSE = 170e3, 20e3, 1.0 * GB
#: Side of the VAE's tiles, in pixels.
TILE = 256
#: Operations of the VAE for a pixel of a frame: decoded once, encoded twice (pose, and what is given).
VAE_WORK = 20e6
#: Dense bfloat16 operations a second, 1e12, of cards by a part of their name; the first that fits counts.
PEAKS: tuple[tuple[str, float], ...] = (
    ("B200", 2250),
    ("H200", 989),
    ("H100 PCIe", 756),
    ("H100", 989),
    ("A100", 312),
    ("L40S", 362),
    ("L40", 181),
    ("L4", 121),
    ("A6000", 155),
    ("6000 Ada", 182),
    ("PRO 6000", 252),
    ("A10G", 70),
    ("A10", 125),
    ("A40", 150),
    ("5090", 210),
    ("5080", 113),
    ("5070 Ti", 88),
    ("5070", 62),
    ("4090", 165),
    ("4080", 97),
    ("4070 Ti", 80),
    ("4070", 58),
    ("4060 Ti", 44),
    ("3090", 71),
    ("3080", 60),
    ("3060", 26),
)
#: Of a card that is not in the table, and of one core of a processor.
UNKNOWN, CORE = 50.0, 0.04
#: Share of the peak that is reached; of the VAE in float32; and of each further card.
SHARE, VAE_SHARE, FURTHER = 0.45, 0.2, 0.83
#: Steps of the model itself, and of one distilled to few.
STEPS, FEW = 20, 4


@dataclass(frozen=True)
class Machine:
    """What there is. card: its name, None for the processor alone; free: bytes of its memory, per card; host:
    bytes of free main memory."""

    card: str | None
    free: float
    host: float
    cards: int = 1
    cores: int = 1

    @property
    def peak(self) -> float:
        """Operations a second of one card, or of the processor."""
        if self.card is None:
            return self.cores * CORE * 1e12
        return next((peak for name, peak in PEAKS if name.lower() in self.card.lower()), UNKNOWN) * 1e12


@dataclass(frozen=True)
class Work:
    """What is to be done: frames of width x height pixels, in segments that share `overlap` frames.

    guided: whether every step is run twice, for guidance. steps: as asked for; None as the model needs.
    distilled: with a LoRA for few steps. copied: whether the weights are held in main memory while they are
    made ready, since a LoRA changes them or their file has another precision. quantised: bytes of the
    transformer's file where it is GGUF, else None.
    """

    width: int
    height: int
    frames: int
    segment: int = 77
    overlap: int = 1
    guided: bool = False
    steps: int | None = None
    distilled: bool = False
    copied: bool = False
    quantised: float | None = None

    @property
    def lengths(self) -> list[int]:
        """Frames of every segment; the last is cut to the 4n+1 that it needs."""
        left, lengths = self.frames, []
        while True:
            length = min(self.segment, 4 * ceil((left - 1) / 4) + 1)
            lengths.append(length)
            left -= length - self.overlap
            if left <= self.overlap:
                return lengths

    def tokens(self, length: int) -> int:
        """Of a segment: a quarter of its frames and the reference, each a 16th of its size both ways."""
        return ((length - 1) // 4 + 2) * (self.width // 16) * (self.height // 16)

    def operations(self, length: int) -> float:
        """Of one step over a segment: attention, the layers around it, text and image."""
        tokens = self.tokens(length)
        layers = 2 * tokens * (6 * WIDTH**2 + 2 * WIDTH * HIDDEN)
        return LAYERS * (4 * tokens**2 * WIDTH + layers + 4 * tokens * CONTEXT * WIDTH)


@dataclass(frozen=True)
class Plan:
    """How it is done. weights: how the transformer is kept; offload: whether its blocks wait in main memory;
    memory, host: bytes needed at most; minutes: an estimate."""

    machine: Machine
    work: Work
    weights: Literal["bf16", "fp8", "gguf"]
    offload: Literal["none", "blocks"]
    text_on_card: bool
    tile_vae: bool
    steps: int
    memory: float
    host: float
    minutes: float

    @property
    def device(self) -> str:
        """For torch."""
        return "cpu" if self.machine.card is None else "cuda"

    def describe(self) -> str:
        """One paragraph for people."""
        work, lengths = self.work, self.work.lengths
        kept = {
            "bf16": "bfloat16",
            "fp8": "8-bit floats (a little less exact)",
            "gguf": "the quantised weights of its file",
        }[self.weights]
        where = "the processor" if self.machine.card is None else self.machine.card
        if self.machine.cards > 1:
            where = f"{self.machine.cards} x {where}"
        waits = ", its blocks fetched from main memory as they are needed" if self.offload == "blocks" else ""
        parts = [
            f"{work.frames} frames of {work.width}x{work.height} in {_many(len(lengths), 'segment')} of "
            f"{self.steps} steps{', each run twice for guidance' if work.guided else ''}, on {where}",
            f"the transformer in {kept}{waits}",
            f"the VAE in {'tiles' if self.tile_vae else 'one piece'}",
            f"the text encoder {'on the card, then dropped' if self.text_on_card else 'on the processor'}",
        ]
        needs = f"about {self.host / GB:.0f} GB of main memory"
        if self.machine.card is not None:
            needs = f"about {self.memory / GB:.0f} of {self.machine.free / GB:.0f} GB on the card and {needs}"
        return f"{'; '.join(parts)}. It needs {needs}, and takes {_duration(self.minutes)} (an estimate)."


def make_plan(machine: Machine, work: Work) -> Plan:
    """The best that fits: full precision before less, on the card before fetched block by block.

    Blocks are fetched while the one before is computed, which takes longer: exactness is worth more there
    than room. PortrayalError, one line, says what would be needed where nothing fits.
    """
    choices = list(_choices(machine, work))
    for weights, offload, memory, host in choices:
        if host > machine.host or (machine.card is not None and memory > machine.free):
            continue
        steps = work.steps or (FEW if work.distilled else STEPS)
        room = machine.free - (memory - _working(machine, work)) if machine.card else machine.host - host
        return Plan(
            machine,
            work,
            weights,
            offload,
            text_on_card=machine.card is not None and machine.free >= TEXT + ELSE,
            tile_vae=work.width * work.height * PER_PIXEL > room,
            steps=steps,
            memory=memory,
            host=host,
            minutes=_seconds(machine, work, steps) / 60,
        )
    raise PortrayalError(_refusal(machine, work, choices))


#: How weights are kept, whether blocks wait in main memory, bytes on the card and in main memory.
Choice = tuple[Literal["bf16", "fp8", "gguf"], Literal["none", "blocks"], float, float]


def _choices(machine: Machine, work: Work) -> list[Choice]:
    working = _working(machine, work)
    text = 0 if machine.card is not None and machine.free >= TEXT + ELSE else TEXT
    ways: list[tuple[Literal["bf16", "fp8", "gguf"], float]] = [
        ("bf16", 2 * PARAMETERS),
        # What is not in blocks stays as it is: embeddings, the motion and the face encoder.
        ("fp8", LAYERS * BLOCK + 2 * (PARAMETERS - LAYERS * BLOCK)),
    ]
    if work.quantised is not None:
        ways = [("gguf", work.quantised)]
    if machine.card is None:  # the text encoder has gone before the transformer comes
        return [(way, "none", 0, max(size, TEXT) + working + IMAGE + VAE) for way, size in ways]
    choices: list[Choice] = []
    for way, size in ways:
        # A file of bfloat16 is read as it is needed; what is changed or rounded is held, by each process.
        held = size * machine.cards if work.copied or way == "fp8" else 0
        choices.append((way, "none", size + working + VAE, max(held, text) + 4 * GB))
        if way != "gguf":
            few = size - (LAYERS - 2) * BLOCK * (2 if way == "bf16" else 1)
            choices.append((way, "blocks", few + working + VAE, max(size * machine.cards, text) + 4 * GB))
    return choices


def _working(machine: Machine, work: Work) -> float:
    """Bytes beside the weights: of a step, or of the VAE in tiles, whichever is more."""
    step = work.tokens(max(work.lengths)) * PER_TOKEN / machine.cards
    video = work.segment * work.width * work.height * 3 * 4 * 2
    return max(step, TILE**2 * PER_PIXEL + video) + ELSE


def _seconds(machine: Machine, work: Work, steps: int) -> float:
    passes = steps * (2 if work.guided else 1)
    net = sum(work.operations(length) for length in work.lengths) * passes
    vae = sum(work.lengths) * work.width * work.height * VAE_WORK
    if machine.card is None:
        return (net + vae) / machine.peak
    together = 1 + (machine.cards - 1) * FURTHER
    return net / (machine.peak * SHARE * together) + vae / (machine.peak * VAE_SHARE)


def _refusal(machine: Machine, work: Work, choices: list[Choice]) -> str:
    _, _, memory, host = min(choices, key=lambda choice: (choice[2], choice[3]))
    text = f"wananimate: {work.width}x{work.height} frames need "
    if machine.card is None:
        return text + f"{host / GB:.1f} GB of free main memory (here are {machine.host / GB:.1f}) or a GPU"
    text += f"{memory / GB:.1f} GB free on the card and {host / GB:.1f} GB of main memory; here are "
    text += f"{machine.free / GB:.1f} and {machine.host / GB:.1f}"
    room = machine.free - (memory - _working(machine, work)) - ELSE
    share = room * machine.cards / PER_TOKEN / work.tokens(max(work.lengths))
    if host <= machine.host and share >= 0.1:
        pixels = share * work.width * work.height / 1e6
        return text + f". Frames of up to {pixels:.2f} megapixels would fit, or shorter segments"
    if work.quantised is not None:
        return text + "; one in bfloat16 can wait in main memory block by block"
    return text + "; a quantised transformer (GGUF) needs less main memory"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _duration(minutes: float) -> str:
    if minutes < 1.5:
        return f"about {max(10, round(minutes * 6) * 10)} seconds"
    if minutes < 120:
        return f"about {minutes:.0f} minutes"
    if minutes < 48 * 60:
        return f"about {minutes / 60:.0f} hours"
    return f"about {minutes / 1440:.0f} days"
