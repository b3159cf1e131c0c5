"""Training. Nothing is imported here, so that `python -m vae.train` can say that it was stopped early."""
