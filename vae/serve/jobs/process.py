"""One training as a process of its own: `python -m vae.serve.jobs.process FOLDER MEMORY MINUTES`.

It lets everybody else go first. Nothing large is imported before that.
"""

import os
import sys
from pathlib import Path


def step_back(memory: int) -> None:
    """Whatever else wants the processor has it first; more than so many megabytes are refused to this process."""
    os.nice(19)
    if sys.platform == "linux":
        import resource

        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        resource.setrlimit(resource.RLIMIT_DATA, (memory * 2**20, memory * 2**20))


if __name__ == "__main__":
    step_back(int(sys.argv[2]))
    os.environ["OMP_NUM_THREADS"] = "1"
    from vae.serve.jobs.training import work

    sys.exit(work(Path(sys.argv[1]), float(sys.argv[3])))
