"""Views of encodings: planes against scikit-learn and plain columns; what t-SNE keeps, in a cache folder of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from vae.latent import projection
from vae.latent.encodings import Company

CLUSTERS, EACH = 5, 40


def company(mu: Tensor) -> Company:
    return Company(mu, torch.full_like(mu, 0.1), torch.zeros(len(mu), 1, 2, 2, dtype=torch.uint8))


@pytest.fixture
def slanted() -> Company:
    """500 encodings in 6 latents, off the origin, of which some directions are far longer than others."""
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator))[0]
    scales = torch.tensor([3.0, 2.0, 0.5, 0.4, 0.3, 0.2])
    return company(torch.randn(500, 6, generator=generator) * scales @ turn + 0.7)


@pytest.fixture
def clusters() -> Company:
    """Five crowds far from each other in 6 latents; encoding i is of crowd i % 5."""
    generator = torch.Generator().manual_seed(1)
    middles = 6 * torch.randn(CLUSTERS, 6, generator=generator)
    return company(middles.repeat(EACH, 1) + torch.randn(CLUSTERS * EACH, 6, generator=generator))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The cache folder, empty."""
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def calls(monkeypatch) -> list[int]:
    """How many encodings each t-SNE was made of, which is a quick stand-in with places of its own every time."""
    calls = []

    class Quick:
        def __init__(self, **options):
            pass

        def fit_transform(self, mu: np.ndarray) -> np.ndarray:
            calls.append(len(mu))
            return np.random.default_rng(len(calls)).normal(size=(len(mu), 2)).astype(np.float32)

    monkeypatch.setattr(projection, "TSNE", Quick)
    return calls


def file_in(cache: Path) -> Path:
    (file,) = (path for path in cache.rglob("*") if path.is_file())
    return file


# ---- planes ----


def test_the_principal_plane_is_scikit_learns_up_to_signs_and_is_not_centred(slanted):
    view = projection.principal(slanted)
    expected = PCA(2).fit(slanted.mu.double().numpy()).components_
    signs = np.sign((view.along.numpy() * expected).sum(1, keepdims=True))
    np.testing.assert_allclose(view.along.numpy() * signs, expected, atol=1e-4)
    np.testing.assert_allclose(view.xy.numpy() * signs.T, slanted.mu.numpy() @ expected.T, atol=1e-3)


def test_two_latents_are_their_columns_across_and_up(slanted):
    view = projection.latents(slanted, 4, 1)
    assert torch.equal(view.xy, slanted.mu[:, [4, 1]])
    assert view.titles == ("z<sub>4</sub>", "z<sub>1</sub>")


@pytest.fixture(params=["principal", "latents"])
def plane(request, slanted) -> projection.View:
    return projection.principal(slanted) if request.param == "principal" else projection.latents(slanted, 2, 0)


def test_the_directions_of_a_plane_are_orthonormal(plane):
    torch.testing.assert_close(plane.along @ plane.along.T, torch.eye(2), atol=1e-5, rtol=0)


def test_a_plane_shows_every_encoding_where_it_is(plane, slanted):
    assert torch.equal(plane.rows, torch.arange(500))
    torch.testing.assert_close(plane.xy, slanted.mu @ plane.along.T)


def test_the_window_holds_nearly_all_encodings_and_is_no_wider_than_needed(plane):
    middle = torch.tensor(plane.middle)
    off = (plane.xy - middle).abs().amax(1)
    assert (off <= plane.far).float().mean() >= 0.99
    assert off.quantile(0.99) > plane.far / 2


def test_one_encoding_far_away_does_not_make_the_window_wide(slanted):
    mu = torch.cat([slanted.mu, torch.full((1, 6), 1000.0)])
    assert projection.latents(company(mu), 0, 1).far < 20


def test_the_crowd_of_a_plane_is_where_its_encodings_are(plane):
    assert plane.rank.shape == (projection.SIDE, projection.SIDE)
    cells = ((plane.xy - torch.tensor(plane.middle)) / (2 * plane.far) + 0.5).mul(projection.SIDE).long()
    inside = ((cells >= 0) & (cells < projection.SIDE)).all(1)
    across, up = cells[inside].T
    assert plane.rank[up, across].mean() > 3 * plane.rank.mean()


# ---- t-SNE ----


def test_tsne_keeps_neighbours_together_far_better_than_chance(clusters, cache):
    view = projection.tsne(clusters)
    near = NearestNeighbors(n_neighbors=6).fit(view.xy.numpy()).kneighbors(return_distance=False)
    same = (view.rows.numpy()[near] - view.rows.numpy()[:, None]) % CLUSTERS == 0
    assert same.mean() > 0.95  # by chance a fifth


def test_tsne_is_no_plane_and_its_window_holds_nearly_all(clusters, cache, calls):
    view = projection.tsne(clusters)
    assert view.along is None
    assert view.rank is None
    assert ((view.xy - torch.tensor(view.middle)).abs().amax(1) <= view.far).float().mean() >= 0.95


def test_tsne_is_made_once_and_then_loaded_bit_by_bit(clusters, cache, calls):
    first, second = projection.tsne(clusters), projection.tsne(clusters)
    assert calls == [len(clusters)]
    assert torch.equal(first.xy, second.xy)
    assert (first.middle, first.far) == (second.middle, second.far)
    assert file_in(cache).stat().st_size == 8 * len(clusters)


def test_other_encodings_and_another_seed_have_a_tsne_of_their_own(clusters, slanted, cache, calls):
    for one, seed in ((clusters, 0), (slanted, 0), (clusters, 1)) * 2:
        projection.tsne(one, seed)
    assert calls == [len(clusters), len(slanted), len(clusters)]


def test_of_many_encodings_tsne_shows_some(clusters, cache, calls, monkeypatch):
    monkeypatch.setattr(projection, "TSNE_PICTURES", 30)
    view = projection.tsne(clusters)
    assert calls == [30] == [len(view.xy)]
    assert torch.equal(view.rows, view.rows.unique())
    assert 0 <= view.rows[0] < view.rows[-1] < len(clusters)


WRONG = {
    "empty": b"",
    "of another length": np.zeros(2 * CLUSTERS * EACH - 2, np.float32).tobytes(),
    "text": b"not numbers" * 99,
    "not a number": np.full(2 * CLUSTERS * EACH, np.nan, np.float32).tobytes(),
    "infinite": np.full(2 * CLUSTERS * EACH, np.inf, np.float32).tobytes(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_file_that_holds_something_else_is_made_again(clusters, cache, calls, wrong):
    projection.tsne(clusters)
    file_in(cache).write_bytes(wrong)
    again = projection.tsne(clusters)
    assert len(calls) == 2
    assert torch.equal(projection.tsne(clusters).xy, again.xy)
    assert len(calls) == 2


def test_without_a_folder_to_keep_it_in_tsne_is_made_every_time(clusters, calls, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("where the folder would be")
    monkeypatch.setenv("VAE_LAB_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        assert projection.tsne(clusters).xy.shape == (len(clusters), 2)
    assert len(calls) == 2
