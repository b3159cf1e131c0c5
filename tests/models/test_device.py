"""Which device is chosen, and what is said where it is not there."""

import pytest
import torch

from vae.models.device import autocast, choose_device, multiplies_bf16


@pytest.fixture
def machine(monkeypatch):
    """Pretends that the machine has some CUDA devices, and an Apple GPU or not."""

    def pretend(cuda: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda"), (2, True, "cuda")]
)
def test_auto_is_the_best_device_there_is(machine, cuda, mps, chosen):
    machine(cuda, mps)
    assert choose_device() == choose_device("auto") == torch.device(chosen)


def test_a_device_that_is_here_is_given_as_named(machine):
    machine(cuda=2)
    for name in ("cpu", "cuda", "cuda:0", "cuda:1"):
        assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "meta", "xpu"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(machine, name):
    machine()
    with pytest.raises(ValueError, match=rf"^device '{name}' is not available here; this machine has: cpu$"):
        choose_device(name)


def test_a_cuda_device_beyond_the_last_is_refused_with_their_number(machine):
    machine(cuda=2)
    with pytest.raises(ValueError, match="'cuda:2' is not available here; there are 2 CUDA devices"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cuda:x", "cuda:-1", "cuda:99999999999999999999", "auto "])
def test_a_name_that_means_nothing_is_refused_with_those_that_do(name):
    with pytest.raises(ValueError, match="is not a device; use auto, cuda, mps, cpu or cuda:N"):
        choose_device(name)


def test_autocast_multiplies_in_bfloat16_exactly_where_the_hardware_does():
    cpu = torch.device("cpu")
    with autocast(cpu):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if multiplies_bf16(cpu) else torch.float32)


@pytest.mark.parametrize(
    ("amx", "avx", "dtype"),
    [(True, False, torch.bfloat16), (False, True, torch.bfloat16), (False, False, torch.float32)],
)
def test_a_cpu_multiplies_in_bfloat16_with_amx_or_avx512_bf16_only_and_where_that_is_wanted(
    monkeypatch, amx, avx, dtype
):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    with autocast(torch.device("cpu"), wanted=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
