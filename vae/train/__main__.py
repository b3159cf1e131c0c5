"""`python -m vae.train`; everything is in vae.train.command, whose imports take seconds in which Ctrl-C may come."""

import os
import signal
import sys


def _stopped(number: int, frame: object) -> None:
    print("Stopped before the first step; nothing was saved.", file=sys.stderr, flush=True)
    os._exit(130)  # an exception would be caught by whatever is being imported


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _stopped)

    from vae.train.command import main

    sys.exit(main())
