"""`python -m vae.evaluate NAME`: held-out numbers of a trained model, written to its card.

python -m vae.evaluate mnist                     measure pretrained/mnist again
python -m vae.evaluate mnist --run runs/mnist    take the weights from a training run first
python -m vae.evaluate mine --run runs/mine      the same of a training on pictures of one's own, with the pictures
python -m vae.evaluate mnist --judge             only make its judge anew, from the encodings that are there
python -m vae.evaluate mnist --directions        only find its named directions, from the same
"""

import argparse
import json
import sys
from pathlib import Path

from vae.data import own
from vae.evaluate import class_directions, directions, judge
from vae.evaluate.bounds import CHAPTER_PICTURES, OWN_PICTURES, PICTURES
from vae.evaluate.card import ships_in, take, write_card
from vae.models import pretrained


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.evaluate",
        description="Measures a model on the whole test set and writes pretrained/NAME/card.json. A model of your own "
        f"pictures is measured on those that were held out, and lies in {pretrained.own_shelf()}.",
        epilog="example: python -m vae.evaluate mnist --run runs/mnist",
    )
    parser.add_argument("name", help="the model's folder in pretrained/, or the name of your own")
    parser.add_argument("--run", type=Path, metavar="DIR", help="first take the weights of this training run")
    parser.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help="random test pictures for the IWAE bound and for log p(x), all other numbers take the whole set "
        f"(default: {PICTURES}, of a chapter's model {CHAPTER_PICTURES}, of your own {OWN_PICTURES[2]} in black and "
        f"white and {OWN_PICTURES[256]} in colour)",
    )
    parser.add_argument(
        "--judge", action="store_true", help="only make what tells pictures that the model knows from others; a minute"
    )
    parser.add_argument(
        "--directions",
        action="store_true",
        help="only find the directions of z that change slant, stroke, width and the like by name or lead to a class, "
        "and what they are worth; some minutes",
    )
    options = parser.parse_args(arguments)
    try:
        if options.judge:
            folder = pretrained.folder_of(options.name)
            with own.open_in(folder) as mine:
                if mine and not judge.can_be_made(mine.name):
                    raise ValueError(
                        f"a judge needs {judge.FEWEST} held-out pictures, and there are {judge.held_of(mine)}"
                    )
                judge.make(folder).save(folder / pretrained.JUDGE)
            return 0
        if options.directions:
            folder = pretrained.folder_of(options.name)
            with own.open_in(folder):
                both = directions.write(folder) | class_directions.write(folder)
            for name, found in both.items():
                print(f"{name:12} {json.dumps(found)}")
            return 0
        folder = take(options.run, options.name) if options.run else ships_in(options.name)
        numbers = write_card(folder, options.pictures)["numbers"]
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the card is as it was.", file=sys.stderr)
        return 130
    for key, value in numbers.items():
        if isinstance(value, dict) and "psnr" in value:
            print(f"{key:12} {json.dumps(value)}")
        elif isinstance(value, dict) and "value" in value:
            print(f"{key:24} {value['value']:9.3f} nats  +- {value['error']:.4f}  ({value['pictures']} pictures)")
        else:
            print(f"{key:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
