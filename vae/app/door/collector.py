"""Collections on a timer: what an ended visit leaves, open files too, lies in cycles that nothing else collects."""

import asyncio
import gc

EVERY = 30.0  # seconds


async def collect() -> None:
    """Collect for ever; what was frozen at the start, the models and libraries, is not looked at."""
    while True:
        await asyncio.sleep(EVERY)
        gc.collect()
