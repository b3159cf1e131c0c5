"""The algebra of directions, where the answer is known; and their file."""

import pytest
import torch

from vae.latent.named import Named, explained, independent, slopes
from vae.models.files import save_tensors


def cloud(count: int = 4000, latents: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    mixed = torch.randn(latents, latents, generator=generator)
    return torch.randn(count, latents, generator=generator) @ mixed


W = torch.tensor([[1.0, 0.5, 0.0, -1.0, 0.2], [0.8, 0.6, 0.3, 0.0, 0.0]])


def test_slopes_and_offset_of_a_linear_factor_are_found_and_explain_all_of_it():
    mu = cloud()
    fit = slopes(mu, mu @ W.T + 3.0)
    torch.testing.assert_close(fit[0].float(), W, atol=1e-4, rtol=0)
    torch.testing.assert_close(fit[1].float(), torch.full((2,), 3.0), atol=1e-4, rtol=0)
    assert explained(fit, mu, mu @ W.T + 3.0) == pytest.approx(1, abs=1e-6)


def test_noise_of_a_known_size_is_not_explained():
    mu = cloud()
    signal = mu @ W[:1].T
    noise = signal.std() * torch.randn(len(mu), 1, generator=torch.Generator().manual_seed(5))
    fit = slopes(mu[:2000], (signal + noise)[:2000])
    assert float(explained(fit, mu[2000:], (signal + noise)[2000:])) == pytest.approx(0.5, abs=0.04)


def test_a_step_changes_its_own_factor_by_one_and_no_other_and_none_that_does_is_shorter():
    mu = cloud()
    steps = independent(W.double(), mu)
    torch.testing.assert_close(steps @ W.double().T, torch.eye(2, dtype=torch.double), atol=1e-9, rtol=0)
    precision = torch.cov(mu.double().T).inverse()
    idle = torch.linalg.svd(W.double()).Vh[2:]  # what changes no factor
    for step in steps:
        assert (idle @ precision @ step).abs().max() < 1e-9  # so that any of it would only make the step longer


def test_factors_that_are_one_cannot_be_told_apart():
    same = torch.stack([W[0], W[0] + 1e-5 * W[1]]).double()
    assert independent(same, cloud()) is None


def test_a_file_gives_back_what_was_saved_and_none_may_be_empty(tmp_path):
    for named in (Named(("slant", "width"), torch.randn(2, 24)), Named((), torch.zeros(0, 24))):
        named.save(tmp_path / "file")
        found = Named.load(tmp_path / "file", 24)
        assert found.names == named.names
        assert torch.equal(found.steps, named.steps)


@pytest.mark.parametrize(
    ("tensors", "metadata", "said"),
    [
        ({"steps": torch.zeros(1, 4)}, {"names": '["slant"]'}, "not 1 of 3 numbers"),
        ({"steps": torch.zeros(2, 3)}, {"names": '["slant"]'}, "not 1 of 3 numbers"),
        ({"other": torch.zeros(1, 3)}, {"names": '["slant"]'}, "not 1 of 3 numbers"),
        ({"steps": torch.full((1, 3), torch.nan)}, {"names": '["slant"]'}, "not all numbers"),
        ({"steps": torch.zeros(1, 3)}, {"names": "[1]"}, "do not say their names"),
        ({"steps": torch.zeros(1, 3)}, {}, "do not say their names"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path, tensors, metadata, said):
    save_tensors(tensors, tmp_path / "file", metadata)
    with pytest.raises(ValueError, match=said):
        Named.load(tmp_path / "file", 3)
