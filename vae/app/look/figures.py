"""What a card's numbers come to, in words and as figures, by what z is."""

from vae.app.look.html import label, nats
from vae.serve.batcher import ROWS
from vae.serve.capabilities import Can
from vae.serve.entry import Entry, Loaded

Figures = list[tuple[str, str, str]]  # what it is, the number, and what stands under it


def in_short(entry: Entry) -> str:
    """The two numbers that matter, a sentence."""
    if entry.lacks(Can.MAP) is None:
        seen = _photos(entry)
        which = "the example photos" if entry.is_tried else "photos that it has never seen"
        cost = f", for {seen['rate']:.2f} bits per pixel" if "rate" in seen else ""
        return f"Of {which} {seen['psnr'][str(entry.latents)]:.1f} dB come back{cost}."
    exact = entry.numbers.get("negative_log_evidence")
    bound = nats(-entry.numbers["negative_iw"]["value"])
    tightest = f"log p(x) {nats(-exact['value'])}" if exact else f"IWAE {bound}"
    elbo = nats(-entry.numbers["negative_elbo"]["value"])
    return f"On the test set: ELBO {elbo}, {tightest} nats per picture."


def in_words(entry: Entry) -> str:
    """What the numbers come to, for everybody."""
    if entry.lacks(Can.MAP) is None:
        if entry.is_tried:
            back = _photos(entry)["psnr"][str(entry.latents)]
            return (
                "It comes from elsewhere, and reads a photo of any size, place by place. Of the example photos "
                f"{back:.0f} dB come back: more is better, and from 35 on few see a difference."
            )
        few, all_ = (f"{_photos(entry)['psnr'][kept]:.0f}" for kept in ("4", str(entry.latents)))
        return (
            "It reads a photo of any size, place by place. With the first 4 numbers of each place alone "
            f"{few} dB come back, with all {all_}: more is better, and from 35 on few see a difference."
        )
    numbers = entry.numbers
    used = numbers["active_units"]
    uses = "all its numbers" if used == entry.latents else f"{used} of its {entry.latents} numbers"
    if "fidelity" in numbers:
        known = numbers["fidelity"]["sampled"]["psnr"]
        return (
            f"It learned to use {uses}. Of pictures that it has never seen {known:.1f} dB come back: more is better, "
            "and from 35 on few see a difference."
        )
    if "weighed_neighbours" not in numbers:
        lost, told = (numbers[name]["value"] for name in ("reconstruction", "kl"))
        return (
            f"It learned to use {uses}. They tell {told:.0f} nats of a picture that it has never seen, and "
            f"{lost:.0f} are lost."
        )
    right = numbers["weighed_neighbours"]["latents"]
    return (
        f"It learned to use {uses}. Told by them alone, {100 * right:.0f} % of pictures that it has never seen are "
        f"recognised by what lies nearest."
    )


def of_model(loaded: Loaded) -> Figures:
    """What the card says of pictures that nothing was trained on, and what was measured when it was loaded."""
    return _of_map(loaded.entry) if loaded.entry.lacks(Can.MAP) is None else _of_vector(loaded)


def _photos(entry: Entry) -> dict:
    """The numbers of the kind of pictures that the model is for."""
    return next(iter(entry.numbers.values()))


def _of_map(entry: Entry) -> Figures:
    seen, most = _photos(entry), str(entry.latents)
    linear = {kept: f"linear code: {level:.1f}" for kept, level in seen.get("linear", {}).items()}
    found = [
        *(
            (label(f"{kept} numbers", "PSNR"), f"{level:.1f} dB", linear.get(kept, ""))
            for kept, level in seen["psnr"].items()
        ),
        (label("likeness", "MS-SSIM"), f"{seen['ms_ssim']:.3f}", "1 is the same"),
    ]
    if "rate" in seen:  # else z has no prior by which it costs anything
        found.append((label("rate"), f"{seen['rate']:.2f}", label("bits per pixel")))
    if "linear_at_rate" in seen:
        here = f"here {seen['psnr'][most]:.1f}"
        found.append((label("at this rate", "linear channel"), f"{seen['linear_at_rate']:.1f} dB", here))
    if "bits_per_dimension" in seen:
        value = f"{seen['bits_per_dimension']:.2f} ± {seen['error']:.2f}"
        found.append((label("lower bound", "−ELBO"), value, "bits for each value of a pixel"))
    return found


def _of_vector(loaded: Loaded) -> Figures:
    entry, served = loaded.entry, loaded.precision
    measured = entry.numbers
    bound, exact = measured["negative_iw"], measured.get("negative_log_evidence")
    tightest = exact or bound
    word = "by quadrature" if exact else f"bound of {bound['samples']} draws"
    return [
        (
            label("lower bound", "ELBO"),
            nats(-measured["negative_elbo"]["value"]),
            label("nats a picture"),
        ),
        (
            label("evidence", "log p(x)") if exact else label("closer bound", "IWAE"),
            f"{nats(-tightest['value'])} ± {tightest['error']:.2f}",
            word,
        ),
        (
            label("what z tells", "KL(q || p)"),
            nats(measured["kl"]["value"]),
            label(f"{measured['active_units']} of {entry.latents} numbers used"),
        ),
        *_of_classes(measured),
        *_of_levels(measured),
        *(
            [("served in", label(served.name), f"{served.one:.1f} ms a picture, {served.batch:.1f} ms for {ROWS}")]
            if served
            else []
        ),
    ]


def _of_classes(measured: dict) -> Figures:
    """How well the class can be told, where there are classes."""
    if "linear_probe" not in measured:
        return []
    probe = measured["linear_probe"]
    return [
        (
            "classes found",
            f"{100 * measured['weighed_neighbours']['latents']:.0f} %",
            label(f"by nearest neighbours; PCA {100 * measured['nearest_neighbours']['pca']:.0f} %"),
        ),
        (
            "classes found",
            f"{100 * probe['latents']:.0f} %",
            label(f"by a linear probe; PCA {100 * probe['pca']:.0f} %"),
        ),
    ]


def _of_levels(measured: dict) -> Figures:
    """How near pictures of 256 levels come back."""
    if "fidelity" not in measured:
        return []
    found = measured["fidelity"]
    linear = f"linear code: {found['linear']['psnr']:.1f}" if "linear" in found else ""
    return [
        (label("what comes back", "PSNR"), f"{found['sampled']['psnr']:.1f} dB", linear),
        (label("likeness", "MS-SSIM"), f"{found['sampled']['ms_ssim']:.3f}", "1 is the same"),
        (label("lower bound", "−ELBO"), f"{measured['bits_per_dimension']:.2f}", "bits for each value of a pixel"),
    ]
