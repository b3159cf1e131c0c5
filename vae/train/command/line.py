"""The command line of training: what was asked for, and the run that it becomes."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

from vae import data
from vae.data import OWN, Own, own
from vae.data.own import SHAPES
from vae.models import VAE, pretrained
from vae.models.device import choose_device
from vae.models.spaces import PREPARATIONS, Pictures
from vae.train import history, saved
from vae.train.command import flags, pictures
from vae.train.command.follow import check, follow, meet, prepare, say
from vae.train.crops import squares
from vae.train.own.presets import SIZES, preset, with_steps
from vae.train.recipes import RECIPES, Recipe
from vae.train.recorder import Recorder
from vae.train.run import Replica, Run

SAVE_EVERY = 60.0  # seconds
MOST_THREADS = 256  # far more than these take the process down

USUAL = "good"  # the preset where none is said
FAMILIES_OF_ONES_OWN = ("vae", "principal")
OF_NO_MODEL = {field.name: None for field in flags.of_models()}
OF_ONES_OWN = ("preset", "steps", "family", "shape", "preparation", "title", "to_the_end")

EXAMPLES = """examples:
  python -m vae.train mnist-2d
  python -m vae.train mnist --latents 8 --beta 4 --out runs/mnist-8
  python -m vae.train mnist-2d --validate 5000 --out runs/try
  python -m vae.train mnist-2d-small --history pretrained/histories/mnist-2d-small.safetensors
  python -m vae.train --data drawings/ --name mine
  python -m vae.train --data photos.zip --name holiday --preset best --shape colour-64 --latents 32
  python -m vae.train --data train-images-idx3-ubyte --name letters --network conv --channels 32 64
  python -m vae.train --name mine --resume
  torchrun --nproc_per_node=2 -m vae.train mnist
  torchrun --nproc_per_node=2 --max-restarts=3 -m vae.train mnist   goes on by itself where a process is lost"""


def parser() -> argparse.ArgumentParser:
    """All that may be asked for."""
    found = argparse.ArgumentParser(
        prog="python -m vae.train",
        description="Trains a recipe of vae/train/recipes.py, or on pictures of your own (--data). Ctrl-C saves, and "
        "--resume goes on from there.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    found.add_argument("recipe", nargs="?", choices=list(RECIPES), metavar="RECIPE", help=", ".join(RECIPES))
    found.add_argument("--out", type=Path, metavar="DIR", help="where weights and state go (default: runs/NAME)")
    found.add_argument("--resume", action="store_true", help="go on from the state in that folder")
    found.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    found.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all; 1 beside other work)")
    found.add_argument(
        "--validate",
        type=int,
        metavar="N",
        help="hold back N random pictures of the training set, always the same, and print their -ELBO at the end: "
        "choose recipes by it, and not by the test set",
    )
    found.add_argument(
        "--save-every",
        type=float,
        default=SAVE_EVERY,
        metavar="SECONDS",
        help=f"seconds from one save to the next (default: {SAVE_EVERY:.0f})",
    )
    found.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help=f"also record to FILE what the model makes of {history.PICTURES:,} test pictures at some {history.MARKS} "
        "steps, spread evenly over the logarithm of time",
    )
    _add_own(found.add_argument_group("pictures of your own"))
    flags.add(found)
    return found


def _add_own(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="a folder (the folders in it are classes), a ZIP, an IDX file or a folder with a pair of them, or a "
        f"{own.FILE} that was made before; {own.LEAST} pictures at least. It stays in the run's folder as {own.FILE}, "
        "so that --resume needs no --data",
    )
    group.add_argument("--name", help="what the run and its model are called")
    group.add_argument("--title", metavar="WORDS", help="what the pictures show (default: the name)")
    group.add_argument("--preset", choices=list(SIZES), help=f"how long and how large (default: {USUAL})")
    group.add_argument(
        "--steps", type=int, metavar="N", help="steps of the optimiser, at least (default: the preset's)"
    )
    group.add_argument(
        "--shape", choices=list(SHAPES), help="what each picture becomes (default: what suits the first that are read)"
    )
    ways = sorted({way for shape in SHAPES.values() for way in shape.preparations}, key=PREPARATIONS.index)
    group.add_argument("--preparation", choices=ways, help="how (default: what suits them)")
    group.add_argument(
        "--family",
        choices=FAMILIES_OF_ONES_OWN,
        help="a VAE, or one that begins as principal components (default: vae for black and white, else principal)",
    )
    group.add_argument(
        "--to-the-end",
        action="store_true",
        default=None,
        help="take all steps, also where held-out pictures have become worse for long",
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    asking = parser()
    options = asking.parse_args(arguments)
    if options.recipe is None and options.name is None:
        asking.error("give a recipe, or --data and --name for pictures of your own")
    try:
        return _run(options)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped before the first step; nothing was saved.", file=sys.stderr)
        return 130
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _run(options: argparse.Namespace) -> int:
    if options.threads is not None:
        if not 1 <= options.threads <= MOST_THREADS:
            raise ValueError(f"--threads must be from 1 to {MOST_THREADS}, not {options.threads}")
        torch.set_num_threads(options.threads)
    if not options.save_every >= 0:
        raise ValueError(f"--save-every is a number of seconds, not {options.save_every}")
    is_own = options.recipe is None
    (_check_own if is_own else _check_named)(options)
    recipe = None if is_own else _named(options)
    folder = options.out or Path("runs") / (options.name if is_own else recipe.name)
    goes_on = options.resume or saved.is_restarted(folder)
    check(folder, goes_on)
    if is_own and goes_on:
        saved.recipe_of(folder)  # that there is something to go on with

    device, replica, made = _together(options, folder, is_own and not goes_on)
    mine = seen = None
    if is_own:
        mine = made or own.load(folder / own.FILE)
        recipe, part = _of_own(options, mine, folder, goes_on), mine.part("train")
        run, held_out = Run(recipe, part.images, device, replica, part.labels), mine.part("validation")
    elif recipe.model.any_size:
        squared, held_out = squares(recipe)
        run = Run(recipe, squared, device, replica)
    else:
        seen, held_out = data.hold_out(data.load(recipe.dataset, "train"), recipe.held_out)
        run = Run(recipe, seen.images, device, replica, seen.labels)
    if goes_on:
        saved.resume(run, folder)
        say(run, f"Going on at step {run.step} of {run.steps}.")
    elif is_own:
        weights = sum(weight.numel() for weight in run.model.parameters())
        words = f"A {recipe.model.family} of {recipe.model.latents} latents and {weights:,} weights"
        say(run, f"{words} takes {run.steps:,} steps of {recipe.batch} pictures.")
    recorder = Recorder(run, options.history, seen or held_out) if options.history else lambda: None
    prepare(run, folder)
    return follow(run, folder, options.save_every, held_out, recorder, mine, bool(options.to_the_end))


def _together(options: argparse.Namespace, folder: Path, prepares: bool) -> tuple[torch.device, Replica, Own | None]:
    """Where this process computes, and its place among the others, which wait while the first prepares pictures; and
    these, in the process that did."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    device, made = choose_device(options.device), []

    def first() -> None:
        if prepares:
            asked = (options.data, folder, options.title or options.name, options.shape, options.preparation)
            made.append(pictures.prepared(*asked, lambda sentence: print(sentence, file=sys.stderr)))

    if world > 1:
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        meet("nccl" if device.type == "cuda" else "gloo", first)
    else:
        first()
    return device, Replica(int(os.environ.get("RANK", "0")), world), made[0] if made else None


def _named(options: argparse.Namespace) -> Recipe:
    """A recipe of the lab, with what was asked for."""
    recipe = flags.changed(RECIPES[options.recipe], options)
    return recipe if options.validate is None else replace(recipe, held_out=options.validate)


def _check_named(options: argparse.Namespace) -> None:
    for name in ("data", "name", *OF_ONES_OWN):
        if getattr(options, name) is not None:
            raise ValueError(f"{flags.flag(name)} is for pictures of your own, and goes with no recipe's name")


def _check_own(options: argparse.Namespace) -> None:
    """ValueError where anything that can be judged before pictures are read is not allowed."""
    name = options.name
    if not own.NAME.fullmatch(name):
        raise ValueError(f"--name is made of letters, digits, dots, dashes and underscores, 60 at most, not {name!r}")
    if name in RECIPES or name in pretrained.shipped():
        raise ValueError(f"{name} is the name of a recipe or a model of the lab: choose another --name")
    if options.data is None and not options.resume:
        raise ValueError("--data names the pictures to train on; --resume goes on without")
    for other in ("validate", "history"):
        if getattr(options, other) is not None:
            raise ValueError(f"--{other} goes with a recipe's name; of your own pictures some are always held back")
    if options.steps is not None and options.steps < 1:
        raise ValueError(f"--steps is a number from 1 on, not {options.steps}")
    if options.steps is not None and options.epochs is not None:
        raise ValueError("--steps and --epochs say the same: give one of them")
    flags.changed(Recipe(name, OWN, VAE.Config(Pictures(), 1), 1), argparse.Namespace(**vars(options) | OF_NO_MODEL))


def _of_own(options: argparse.Namespace, mine: Own, folder: Path, goes_on: bool) -> Recipe:
    """The recipe for pictures of one's own: a preset, with what was asked for. One that goes on is what it was, unless
    something else is asked for, which `saved.resume` refuses."""
    if goes_on and options.preset is None and options.steps is None and options.family is None:
        return flags.changed(saved.recipe_of(folder), options)
    size = options.preset or USUAL
    beta = 1.0 if options.beta is None else options.beta
    recipe = preset(options.name, mine, size, options.latents, beta)
    if options.family:
        recipe = replace(recipe, model=flags.of_family(recipe.model, options.family))
    recipe = flags.changed(recipe, options)
    if options.epochs is not None:
        return recipe
    return with_steps(recipe, mine, options.steps or SIZES[size].steps)
