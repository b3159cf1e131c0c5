"""VAE Lab's library: variational autoencoders whose every number is checked. It knows nothing of the app."""

from importlib import import_module

# Imported on first use: `python -m vae.train` would otherwise import vae.train twice, and say so.
_HOMES = {
    "load": "vae.models.elsewhere",
    "list_own": "vae.models.pretrained",
    "list_pretrained": "vae.models.pretrained",
    "load_pretrained": "vae.models.pretrained",
    "Terms": "vae.objective",
    "terms": "vae.objective",
    "loss": "vae.objective",
    "elbo": "vae.objective",
    "importance_bound": "vae.objective",
}
_MODULES = {
    "data": "vae.data",
    "exact": "vae.inference.evidence",
    "images": "vae.pictures",
    "latent": "vae.latent",
}
__all__ = [*_MODULES, *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'vae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
