"""The file of directions towards classes, and how a picture is read by it."""

import pytest
import torch

from vae.latent.named import Classes
from vae.models.files import save_tensors
from vae.models.spaces import Pictures


def some() -> Classes:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(2, 784, generator=generator).half().float()
    return Classes(("3", "Ankle boot"), torch.randn(2, 5, generator=generator), weights, torch.tensor([0.5, -1.0]))


def test_log_odds_are_the_weighted_sum_of_the_pixels_and_the_offset():
    classes, picture = some(), torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(2))
    by_hand = [
        sum(weight * level for weight, level in zip(row.tolist(), picture.flatten().tolist(), strict=True)) + offset
        for row, offset in zip(classes.weights, classes.offsets.tolist(), strict=True)
    ]
    assert classes.log_odds(picture)[0].tolist() == pytest.approx(by_hand, abs=1e-3)


def test_a_file_gives_back_what_was_saved_and_may_be_empty(tmp_path):
    empty = Classes((), torch.zeros(0, 5), torch.zeros(0, 784), torch.zeros(0))
    for classes in (some(), empty):
        classes.save(tmp_path / "file")
        found = Classes.load(tmp_path / "file", 5, Pictures())
        assert found.names == classes.names
        for one, other in zip(
            (found.steps, found.weights, found.offsets), (classes.steps, classes.weights, classes.offsets), strict=True
        ):
            assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": torch.zeros(2, 4)}, "no steps of"),
        ({"weights": torch.full((2, 784), torch.nan)}, "no weights of"),
        ({"offsets": torch.zeros(3)}, "no offsets of"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, change, said):
    whole = {"steps": torch.zeros(2, 5), "weights": torch.zeros(2, 784), "offsets": torch.zeros(2)}
    save_tensors(whole | change, tmp_path / "file", {"names": '["3", "5"]'})
    with pytest.raises(ValueError, match=said):
        Classes.load(tmp_path / "file", 5, Pictures())
    save_tensors(whole, tmp_path / "file", {"names": "3"})
    with pytest.raises(ValueError, match="do not say their names"):
        Classes.load(tmp_path / "file", 5, Pictures())
