"""What is asked of a loaded model over rows, while somebody waits: one row each."""

from operator import attrgetter

from vae.inference import record
from vae.inference.structure import decoding
from vae.latent import ancestral, encodings, places
from vae.serve.engine import Asked
from vae.serve.entry import Loaded
from vae.serve.precision import decoded

MODEL, DECODER, COMPANY = attrgetter("model"), attrgetter("decoder"), attrgetter("company")
FORMS_Q = attrgetter("is_slow")  # slow where the decoder corrects q


def _always(loaded: Loaded) -> bool:
    return True


def _never(loaded: Loaded) -> bool:
    return False


PLACES = Asked(places.places, MODEL, FORMS_Q)  # z, and x or nothing
PASSING = Asked(places.passing, MODEL, _never)  # z, and nothing, or x with the mu and sigma of its q
ENCODED = Asked(places.encoded, MODEL, FORMS_Q)  # x
GLIMPSE = Asked(record.glimpse, MODEL, FORMS_Q)  # x and seeds
SKETCH = Asked(record.sketch, MODEL, _always, most=8)  # x; each decodes SKETCH_SAMPLES + 1 pictures
ANCESTRY = Asked(ancestral.ancestry, MODEL, _always)  # z and seeds
DECODING = Asked(decoding, MODEL, _never)  # z
NEAR = Asked(encodings.near, COMPANY, _always)  # z
PICTURES = Asked(decoded, DECODER, _always)  # z
