"""Small random deformations of training pictures, against learning the training set by heart."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TURN, SCALE, SHEAR = 0.07, 0.03, 0.05  # standard deviations: radians, log of the factor, per unit of height
SHIFT, BEND, KNOTS = 0.02, 0.02, 5  # in half pictures, and the bends at KNOTS x KNOTS points


def warp(x: Float[Tensor, "b c h w"], generator: torch.Generator) -> Float[Tensor, "b c h w"]:
    """Each picture turned, scaled, sheared, shifted and bent a little, as another hand would have written it.

    Beyond the edges of a grey picture it is black, beyond those of a coloured one as in a mirror.
    Affine and elastic deformations of digits: Simard et al., Best Practices for Convolutional Neural Networks (2003).
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(len(x), *shape, generator=generator, device=x.device)

    turn, scale, shear = TURN * normal(), (SCALE * normal(2)).exp(), SHEAR * normal()
    cos, sin = turn.cos(), turn.sin()
    rows = (cos * scale[:, 0], (shear - sin) * scale[:, 1], sin * scale[:, 0], cos * scale[:, 1])
    matrix = torch.cat([torch.stack(rows, 1).unflatten(1, (2, 2)), SHIFT * normal(2, 1)], 2)
    bend = F.interpolate(BEND * normal(2, KNOTS, KNOTS), size=x.shape[2:], mode="bicubic", align_corners=True)
    places = F.affine_grid(matrix, list(x.shape), align_corners=False) + bend.permute(0, 2, 3, 1)
    beyond = "zeros" if x.shape[1] == 1 else "reflection"
    return F.grid_sample(x, places, mode="bicubic", padding_mode=beyond, align_corners=False).clamp(0, 1)
