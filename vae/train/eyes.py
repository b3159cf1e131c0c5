"""Trains the network that finds two eyes in a square around a face, on the portraits: their eyes are always in the same
places, so a portrait that was moved, turned and scaled by chance says by itself where they went.

    python -m vae.train.eyes

needs the gathered portraits, and writes the network that `vae.pictures.face` reads. The one that ships had about 2,700
steps, and 4,000 more with `--after --seed 3`.
"""

import argparse
import io
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from vae import data
from vae.data.gallery import parts
from vae.models.files import save_tensors
from vae.pictures.face.eyes import STANDARD
from vae.pictures.face.locator import BELOW, FILE, SIDE, WIDE, Locator, stored

BATCH, RATE, WARM = 64, 2e-3, 100
# How far a square is from where it should be: turned (radians), scaled (a logarithm), moved (shares of it); as after a
# first look, and after a second.
FAR, NEAR = (0.65, 0.3, 0.18), (0.14, 0.1, 0.06)


def portraits() -> UInt8[Tensor, "n 3 h w"]:
    """Those that are trained on, as large as they are; DataError where they were not gathered."""
    bank = data.load_bank("portraits")
    pictures = []
    for row in tqdm(parts(data.DATASETS["portraits"], bank)["train"].tolist(), desc="portraits", disable=None):
        with Image.open(io.BytesIO(bank.content(row))) as image:
            pictures.append(np.asarray(image.convert("RGB")).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(pictures))


def squares(
    pictures: Float[Tensor, "b 3 h w"], chance: torch.Generator
) -> tuple[Float[Tensor, "b 3 side side"], Float[Tensor, "b 2 2"]]:
    """A square around the face in each, not quite where it should be, and where in it the eyes are."""
    count = len(pictures)
    eyes = torch.tensor(STANDARD).expand(count, 2, 2)
    mirrored = torch.rand(count, generator=chance) < 0.5
    pictures = torch.where(mirrored[:, None, None, None], pictures.flip(3), pictures)
    eyes = torch.where(mirrored[:, None, None], torch.stack([1 - eyes[..., 0], eyes[..., 1]], -1).flip(1), eyes)

    near = torch.rand(count, 1, generator=chance) < 0.5
    turn, scale, *shift = (
        (2 * torch.rand(count, 4, generator=chance) - 1) * torch.where(near, *map(_four, (NEAR, FAR)))
    ).T
    across = eyes[:, 1] - eyes[:, 0]
    down = torch.stack([-across[:, 1], across[:, 0]], -1)
    side = across.norm(dim=1) * WIDE * scale.exp()
    centre = eyes.mean(1) + BELOW * down + torch.stack(shift, -1) * side[:, None]
    frame = side[:, None, None] * _turned(turn + torch.atan2(across[:, 1], across[:, 0]))
    places = (eyes - centre[:, None]) @ torch.linalg.inv(frame).transpose(1, 2) + 0.5
    return _sampled(pictures, frame, centre, chance), places


def _four(sizes: tuple[float, float, float]) -> Tensor:
    turn, scale, shift = sizes
    return torch.tensor([turn, scale, shift, shift])


def _turned(angle: Float[Tensor, " b"]) -> Float[Tensor, "b 2 2"]:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], 1)


def _sampled(
    pictures: Float[Tensor, "b 3 h w"],
    frame: Float[Tensor, "b 2 2"],
    centre: Float[Tensor, "b 2"],
    chance: torch.Generator,
) -> Float[Tensor, "b 3 side side"]:
    """The squares, some of them coarse, dim, grey or grainy, on ground of any colour."""
    count = len(pictures)

    def some(share: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=chance) < share

    theta = torch.cat([frame, (2 * centre - 1)[:, :, None]], 2)  # grid_sample counts from -1 to 1, as the frame does
    grid = F.affine_grid(theta, [count, 3, SIDE, SIDE], align_corners=False)
    inside = (grid.abs().amax(3) < 1)[:, None]
    ground = torch.rand(count, 3, 1, 1, generator=chance)
    seen = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    seen = torch.where(inside | some(0.4), seen, ground)
    coarse = F.interpolate(F.avg_pool2d(seen, 2), scale_factor=2, mode="bilinear", align_corners=False)
    seen = torch.where(some(0.3), coarse, seen)
    seen = torch.where(some(0.2), seen.mean(1, keepdim=True), seen)
    gamma, light = (torch.empty(count, 3, 1, 1).uniform_(-1, 1, generator=chance) for _ in range(2))
    seen = seen.clamp(1e-3, 1) ** (0.4 * gamma).exp() * (0.3 * light).exp()
    grain = torch.randn(count, 3, SIDE, SIDE, generator=chance) * 0.06 * torch.rand(count, 1, 1, 1, generator=chance)
    return (seen + grain).clamp(0, 1)


def train(pictures: UInt8[Tensor, "n 3 h w"], steps: int, before: Locator | None = None, seed: int = 0) -> Locator:
    """A network after so many steps, which go on from an earlier one where there is one; the rate falls as a cosine."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    network = (before or Locator()).train().requires_grad_(True).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    mean = 1.0
    with tqdm(range(steps), disable=None) as bar:
        for step in bar:
            rows = torch.randint(len(pictures), (BATCH,), generator=chance)
            x, places = squares(pictures[rows].float() / 255, chance)
            warm = min(1, (step + 1) / WARM)
            optimiser.param_groups[0]["lr"] = RATE * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
            error = (network(x.contiguous(memory_format=torch.channels_last)) - places) * WIDE
            loss = F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            mean += 0.01 * (error.detach().norm(dim=2).mean().item() - mean)
            bar.set_postfix_str(f"off by {100 * mean:.1f} % of the distance between the eyes", refresh=False)
    return network.eval()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=6000, help="how long to train (default 6000)")
    parser.add_argument("--out", type=Path, default=FILE, help="the file (default: the one that is read)")
    parser.add_argument("--after", action="store_true", help="go on from the network that there is")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    network = train(portraits(), asked.steps, stored() if asked.after else None, asked.seed)
    save_tensors({name: one.half().contiguous() for name, one in network.state_dict().items()}, asked.out)


if __name__ == "__main__":
    main()
