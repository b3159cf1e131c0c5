"""The command line of training.

python -m vae.train mnist                                  one process
python -m vae.train --data drawings/ --name mine           pictures of one's own
torchrun --nproc_per_node=2 -m vae.train mnist             data-parallel; the same gradients
python -m vae.train mnist --resume                         goes on where Ctrl-C stopped it
"""

from vae.train.command.line import main

__all__ = ["main"]
