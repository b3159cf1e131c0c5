"""The rows of the glossary: symbols, numbers and words on screen that not everybody knows."""

from typing import NamedTuple


class Term(NamedTuple):
    """What a symbol or word means, in one sentence; how it is measured and written, and the chapter that shows it.

    `spelled` are other ways in which it stands on screen, as plain text without colours.
    """

    name: str
    sentence: str
    spelled: tuple[str, ...] = ()
    unit: str = ""
    formula: str = ""
    chapter: str = ""


SYMBOLS = (
    Term(
        "x",
        "The picture that the model is shown, pixel by pixel.",
        formula="x ∈ {0, 1}ⁿ for pictures of bits",
        chapter="model",
    ),
    Term(
        "x̂",
        "The picture that the model gives back: for each pixel, how probable ink is there.",
        formula="x̂ = E[x|z]",
        chapter="model",
    ),
    Term(
        "z",
        "The few numbers, called latents, that stand for a picture: all that the decoder is told.",
        unit="standard deviations of the prior",
        formula="z ~ N(0, I) before a picture is seen",
        chapter="model",
    ),
    Term(
        "μ",
        "Where the encoder believes that z lies: the mean of its answer, one number a latent.",
        formula="q(z|x) = N(μ, σ²)",
        chapter="structure",
    ),
    Term(
        "σ",
        "How unsure the encoder is about z: the standard deviation of its answer, one number a latent.",
        formula="q(z|x) = N(μ, σ²)",
        chapter="structure",
    ),
    Term(
        "ε",
        "Chance from outside, a standard normal draw: it moves z within what the encoder left open.",
        ("σε",),
        formula="z = μ + σε, ε ~ N(0, I)",
        chapter="structure",
    ),
    Term(
        "β",
        "How dear each nat of KL is while the model learns; 1 is the ELBO itself.",
        formula="loss = −E log p(x|z) + β KL",
        chapter="beta",
    ),
    Term("y", "The class of a picture, which a conditional model is told.", ("|y",), chapter="conditions"),
    Term(
        "d",
        "The number of latents: how many numbers stand for a picture.",
        ("√d",),
    ),
    Term(
        "k",
        "How many draws of z the closer bound weighs against each other.",
        ("k = 1000", "k"),
    ),
    Term(
        "N(0, I)",
        "The standard normal distribution: every latent by itself, around 0, with a standard deviation of 1.",
        ("N(0, 1)",),
        chapter="model",
    ),
    Term(
        "p(z)",
        "The prior: how the latents are spread before any picture is seen.",
        ("prior",),
        formula="p(z) = N(0, I)",
        chapter="model",
    ),
    Term(
        "p(x|z)",
        "The likelihood: how probable each picture is once its latents are known; the decoder computes it.",
        ("likelihood", "p(x|z, y)"),
        chapter="model",
    ),
    Term(
        "q(z|x)",
        "The model's posterior: where the encoder, shown a picture, believes that its latents lie.",
        ("q(z|x, y)", "recognition model"),
        formula="q(z|x) = N(μ, σ²)",
        chapter="bayes",
    ),
    Term(
        "p(z|x)",
        "The true posterior: where the latents of a picture really lie by Bayes' rule, known for two latents.",
        ("true posterior", "true posteriors", "posterior"),
        formula="p(z|x) = p(x|z) p(z) / p(x)",
        chapter="bayes",
    ),
    Term(
        "q(z)",
        "Where the latents of all pictures lie together: the average of the model's posteriors.",
        formula="q(z) = mean over pictures of q(z|x)",
        chapter="beta",
    ),
)

NUMBERS = (
    Term(
        "nat",
        "A unit of information, 1.44 bits: one nat more means that something is 2.7 times as probable.",
        ("nats",),
        formula="1 nat = log₂ e bits",
        chapter="kl",
    ),
    Term(
        "bits per pixel",
        "The same information as nats a picture, shared out over its pixels and counted in bits.",
        unit="bits",
        formula="−ELBO / (n ln 2)",
    ),
    Term(
        "PSNR",
        "Peak signal-to-noise ratio: how near a picture comes to another; 6 dB more halve the error, and from 35 on "
        "few people see one.",
        ("dB",),
        unit="decibels",
        formula="−10 log₁₀ of the mean squared error, pixels from 0 to 1",
    ),
    Term("MS-SSIM", "How like two pictures are in structure, from coarse to fine: 1 where they are the same."),
    Term(
        "ELBO",
        "Evidence lower bound: how probable the model finds a picture is at least this; it is the reconstruction minus "
        "the KL, and higher is better.",
        ("ELBO", "lower bound"),
        unit="nats a picture",
        formula="ELBO = E log p(x|z) − KL(q(z|x) ‖ p(z)) ≤ log p(x)",
        chapter="bayes",
    ),
    Term(
        "IWAE",
        "Importance-weighted bound: as the ELBO, but it comes closer, since many draws of z are weighed against each "
        "other.",
        ("IWAE", "closer bound"),
        unit="nats a picture",
        formula="E log (1/k) Σ p(x, zᵢ) / q(zᵢ|x) ≤ log p(x)",
        chapter="bayes",
    ),
    Term(
        "KL",
        "Kullback–Leibler divergence: how far one distribution is from another, 0 where they agree; of q(z|x) from the "
        "prior it is what z tells about the picture.",
        ("KL divergence", "divergence", "rate", "what z tells"),
        unit="nats",
        formula="KL(q ‖ p) = E_q[log q − log p]",
        chapter="kl",
    ),
    Term(
        "reconstruction",
        "How well the decoder gives the picture back from its latents; 0 would be without any doubt.",
        ("E log p(x|z)", "Eq log p(x|z)", "Eq[log p(x|z)]", "E_q[log p(x|z)]", "E log p(x|z, y)", "reconstructions"),
        unit="nats a picture",
        formula="E_q[log p(x|z)]",
        chapter="bayes",
    ),
    Term(
        "distortion",
        "What is left unsaid about the picture when only its latents are known: minus the reconstruction.",
        unit="nats a picture",
        formula="−E log p(x|z)",
        chapter="beta",
    ),
    Term(
        "log p(x)",
        "The evidence: how probable the model finds a picture, over all z; known exactly for two latents only.",
        ("evidence", "log p(x|y)", "p(x)"),
        unit="nats a picture",
        formula="log p(x) = log ∫ p(x|z) p(z) dz",
        chapter="bayes",
    ),
    Term(
        "log p(z)",
        "How near z lies to where the prior has most of its draws: higher is more usual.",
        unit="nats",
        formula="log N(z; 0, I)",
        chapter="model",
    ),
    Term(
        "log p(x|z)",
        "How probable the picture is at this one z: higher explains it better.",
        ("log p(x|z, y)",),
        unit="nats a picture",
        formula="Σ over pixels of log p(xᵢ|z)",
        chapter="model",
    ),
    Term(
        "log q(z|x)",
        "How sure the encoder is that this very z belongs to the picture.",
        unit="nats",
        formula="log N(z; μ, σ²)",
        chapter="model",
    ),
    Term(
        "log q(z)",
        "How crowded a place is: higher where many pictures have their latents.",
        unit="nats",
        formula="log mean over pictures of q(z|x)",
        chapter="beta",
    ),
    Term(
        "log p(x, z)",
        "How probable a picture and its latents are together.",
        ("p(x, z)",),
        unit="nats",
        formula="log p(x, z) = log p(x|z) + log p(z)",
        chapter="bayes",
    ),
    Term(
        "‖(z − μ) / σ‖²",
        "How far z has moved from where the encoder put the picture, each latent counted in its own σ.",
        unit="squared standard deviations",
        formula="Σ (zᵢ − μᵢ)² / σᵢ²",
    ),
    Term(
        "mutual information",
        "How much of what the latents say tells one picture from another.",
        unit="nats",
        formula="I(x; z) = E KL(q(z|x) ‖ q(z))",
        chapter="beta",
    ),
    Term(
        "total correlation",
        "How much the latents repeat one another: 0 where each says something of its own.",
        unit="nats",
        formula="KL(q(z) ‖ ∏ q(zᵢ))",
        chapter="beta",
    ),
    Term(
        "amortisation error",
        "What the encoder loses by answering at once instead of searching for each picture.",
        unit="nats",
        chapter="bayes",
    ),
    Term(
        "family error",
        "What is lost since the answer is a bell shape along each latent, and the truth may not be.",
        unit="nats",
        chapter="bayes",
    ),
    Term(
        "Fisher–Rao",
        "A way to measure how far apart two places are: by how surely their pictures could be told apart.",
        ("Fisher–Rao metric",),
        unit="radians",
    ),
    Term(
        "Cohen's d",
        "How far two groups are apart, in their own standard deviations; 0.8 counts as large.",
        ("Cohen’s d",),
        unit="standard deviations",
        formula="(mean A − mean B) / pooled standard deviation",
    ),
    Term("loss", "What training makes small: for a VAE minus the ELBO.", chapter="training"),
    Term("quadrature", "Adding a curve up over a fine grid: exact to within the error that is stated."),
    Term("standard deviation", "How far draws usually lie from their mean.", ("standard deviations", "1σ", "2σ", "3σ")),
)

WORDS = (
    Term(
        "variational autoencoder",
        "A network that learns to say much about a picture in a few numbers, and to draw new pictures from such "
        "numbers: encoder, decoder and a prior.",
        ("VAE", "VAEs", "variational autoencoders"),
        chapter="model",
    ),
    Term(
        "autoencoder",
        "The same two networks without the prior: it rebuilds pictures well, and has no way to draw new ones.",
        ("AE", "autoencoders"),
        chapter="autoencoder",
    ),
    Term("encoder", "The network that reads a picture and says where its latents lie.", chapter="structure"),
    Term("decoder", "The network that draws a picture from latents.", chapter="structure"),
    Term(
        "latent",
        "One of the few numbers that stand for a picture; nobody said what it should mean.",
        ("latents",),
        chapter="model",
    ),
    Term(
        "latent map",
        "All pictures of the test set where their latents lie: alike ones become neighbours.",
    ),
    Term(
        "encoding",
        "Where the encoder puts a picture: its μ.",
        ("encodings",),
        chapter="features",
    ),
    Term(
        "test set",
        "Pictures that were kept back while the model learned: every number is measured on them.",
        ("test picture", "test pictures"),
    ),
    Term("sample", "A picture or a z drawn by chance.", ("samples",), chapter="model"),
    Term(
        "principal components",
        "The directions in which data vary most: the best that a flat plane can do.",
        ("PCA", "principal component"),
        chapter="features",
    ),
    Term("t-SNE", "A picture of the latents in which neighbours stay near, and distances mean nothing."),
    Term(
        "linear probe",
        "The simplest classifier, fitted on the latents alone: what it gets right, they plainly say.",
        chapter="features",
    ),
    Term(
        "nearest neighbours",
        "A classifier that asks the nearest known pictures.",
        ("nearest encodings", "nearest encoding"),
        chapter="features",
    ),
    Term(
        "mode-seeking",
        "KL(q‖p) punishes q where p is nowhere: q keeps to one hill, and looks too sure.",
        chapter="kl",
    ),
    Term("mass-covering", "KL(p‖q) punishes q where it misses p: q spreads over all hills.", chapter="kl"),
    Term("mixture", "Several distributions, of which one is chosen by chance.", chapter="kl"),
    Term("closed form", "Computed by a formula, without any draws."),
    Term(
        "hierarchical",
        "With several layers of latents, each guided by the one above: also called a deep Bayesian network.",
        ("deep Bayesian network",),
        chapter="layers",
    ),
    Term("conditional", "Told the class of a picture beside it.", chapter="conditions"),
    Term(
        "spherical",
        "A path that keeps its distance from the middle, as draws of the prior do.",
        formula="slerp(a, b; t)",
    ),
    Term(
        "used latents",
        "Latents that tell something about pictures; the others are switched off by the KL.",
        ("latents used", "numbers used", "unused"),
        chapter="beta",
    ),
    Term(
        "channel",
        "One of the numbers that each place of a map has; over all places it is a picture.",
        ("channels",),
    ),
    Term(
        "linear code",
        "The best code that only adds fixed patterns, each as strongly as its number says: the Karhunen–Loève "
        "transform.",
        ("linear channel",),
        formula="x ≈ mean + Σ zₖ patternₖ",
    ),
    Term("epoch", "Once through all training pictures.", ("epochs",)),
    Term("parameters", "The numbers inside a network that training sets."),
    Term(
        "gradient",
        "Which way, and how strongly, each number of a network would have to change to lower the loss.",
        ("gradients",),
        chapter="training",
    ),
    Term(
        "posterior collapse",
        "A latent that the decoder has stopped listening to: its posterior is the prior, whatever the picture.",
        ("collapse",),
        chapter="beta",
    ),
    Term("warm-up", "Letting the KL count little at first and fully later, so that latents are not given up early."),
    Term("free bits", "An amount that each latent may tell without paying for it."),
    Term(
        "R²",
        "How much of what differs from picture to picture is told by a straight line, 1 is all; measured on pictures "
        "that the line was not fitted to.",
        formula="1 − Σ(error²) / Σ(difference from the mean)²",
    ),
    Term(
        "AUC",
        "How often a measure puts a picture of one group above a picture of the other: 1 is always, 0.5 is a guess.",
        unit="",
        formula="area under the ROC curve = P(measure of A > measure of B)",
    ),
    Term("baseline", "A number taken off before averaging: it leaves the mean as it is, and calms the draws."),
    Term("JPEG", "How cameras store photos: 8 x 8 pixels at a time, with less care for what few people see."),
    Term("WebP", "A younger way to store photos, which guesses each square from its neighbours.", ("WEBP",)),
    Term("MNIST", "70,000 handwritten digits, gathered in the 1990s: the field's first exercise."),
    Term("Fashion-MNIST", "70,000 small grey pictures of clothes, made to be harder than digits."),
    Term("bfloat16", "Numbers with fewer digits, which computers handle faster."),
    Term("binarised", "Made black and white: each pixel becomes ink or none.", ("bits",)),
)
