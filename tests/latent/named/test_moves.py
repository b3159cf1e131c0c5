"""What else moves along a direction: both ways alike, and as the factors of the pictures say."""

import pytest
import torch

from tests.registry import VECTORS
from tests.served import loaded
from vae.latent.named import FACTORS, moves


@pytest.mark.parametrize("name", VECTORS)
def test_moving_both_ways_moves_the_factors_both_ways_and_nowhere_not_at_all(name):
    model, around = loaded(name).model, loaded(name).company
    direction = around.mu.std(0) * torch.randn(around.mu.shape[1], generator=torch.Generator().manual_seed(1))
    there, back = moves(model, around, direction), moves(model, around, -direction)
    assert max(abs(change) for change in there.values()) > 0.01
    assert back == pytest.approx({word: -change for word, change in there.items()}, abs=1e-4)
    assert moves(model, around, 0 * direction) == dict.fromkeys(there, 0.0)


@pytest.mark.parametrize("name", VECTORS)
def test_what_moves_is_told_of_one_direction_in_standard_deviations(name):
    """Of all pictures that are looked at, one by one."""
    model, around = loaded(name).model, loaded(name).company
    direction = around.mu.std(0)
    found = moves(model, around, direction, count=12, seed=4)
    some = around.mu[torch.randperm(len(around), generator=torch.Generator().manual_seed(4))[:12]]
    factors = {factor.words.lower(): factor.measure for factor in FACTORS[model.input_spec.preparation]}
    assert set(factors) - set(found) <= {"loops"}
    with torch.inference_mode():
        for word, change in found.items():
            sides = [
                [float(factors[word](model.decode(mu[None] + share * direction).mean)) for mu in some]
                for share in (-0.5, 0.0, 0.5)
            ]
            before, at, after = torch.tensor(sides, dtype=torch.float64)
            assert change == pytest.approx(float((after - before).mean() / at.std()), rel=1e-3, abs=1e-3)
