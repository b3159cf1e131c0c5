"""One training as a process of its own: `python -m vae.serve.jobs.process FOLDER MINUTES MEMORY NICE`.

It lets everybody else go first, and takes no more megabytes than it may. Nothing large is imported before that.
"""

import os
import sys
from pathlib import Path


def step_back(memory: int, nice: int) -> None:
    """Whatever else wants the processor has it first; more memory is refused to this process."""
    if sys.platform == "win32":
        return
    import resource

    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_DATA, (memory * 2**20, memory * 2**20))


if __name__ == "__main__":
    folder, minutes, *bounds = sys.argv[1:]
    step_back(*map(int, bounds))
    os.environ["OMP_NUM_THREADS"] = "1"
    from vae.serve.jobs.training import work

    sys.exit(work(Path(folder), float(minutes)))
