"""VAE Lab's library: variational autoencoders whose every number is checked. It knows nothing of the app."""

from importlib import import_module

# Imported on first use: `python -m vae.train` would otherwise import vae.train twice, and say so.
_HOMES = {
    "list_pretrained": "vae.checkpoint",
    "load_pretrained": "vae.checkpoint",
    "Terms": "vae.objective",
    "terms": "vae.objective",
    "loss": "vae.objective",
    "elbo": "vae.objective",
    "importance_bound": "vae.objective",
}
_MODULES = ("data", "exact", "images", "latent")
__all__ = [*_MODULES, *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"vae.{name}")
    raise AttributeError(f"module 'vae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
