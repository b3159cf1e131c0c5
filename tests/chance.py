"""Chance for the checks of types; imported before anything of `vae`, which is compiled with them.

Beartype looks at one random item of a list, in the threads of the house too. Drawn from everybody's generator, it
seemed to hypothesis that the strategy at work in that moment had drawn past it.
"""

import random

from beartype._check.code import codemain

codemain.getrandbits = random.Random(0).getrandbits
