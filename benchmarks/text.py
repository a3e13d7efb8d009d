"""Sections about text: a language model and an encoder-decoder against the same in PyTorch."""

import warnings
from importlib import import_module

import numpy as np
import ours
from around import in_child
from report import Table, race_row
from sklearn.exceptions import ConvergenceWarning
from timing import alternate, best_threads

import skrnn

# Parameters of the estimators that both sides follow.
LANGUAGE = {
    "hidden_layer_sizes": (256,),
    "embedding_dim": 64,
    "bptt_steps": 100,
    "batch_size": 32,
    "learning_rate_init": 2e-3,
    "max_iter": 1,
}
SYMBOLS, BATCHES = 65, 20
MANY_TOKENS = 50_000
TRANSLATION = {
    "hidden_layer_sizes": (128,),
    "embedding_dim": 64,
    "batch_size": 32,
    "learning_rate_init": 3e-3,
    "max_iter": 1,
}
PAIRS, SOURCES, LENGTHS = 2000, 1000, (3, 20)
SOURCE_TOKENS = 30
# Epochs of the network that both sides predict with: it is to end its targets as one in use does.
EPOCHS = 8
# Sequences a batch that PyTorch may predict with; the fastest counts.
PREDICT_BATCHES = (64, 128, 256, 512, 1000)


def text(run):
    """Compare an epoch of a language model, one of a translator, and its predictions."""
    table = Table(
        "Text: a language model, and sequence to sequence",
        ["what", "ours", "PyTorch", "ratio", "goal", "verdict"],
        f"The language model reads one document of {SYMBOLS} symbols as 32 that advance together, "
        f"{BATCHES} batches of 100 steps, the state carried; an LSTM of 256 units, embeddings of "
        f"64. The translator has {PAIRS:,} made-up pairs of {LENGTHS[0]}..{LENGTHS[1]} source "
        "tokens and about as many target tokens, batches of 32; a bidirectional LSTM of 128 units, "
        "a decoder of 256, attention after the decoder, as ours has it: so PyTorch trains its "
        "decoder in one call too. Token lists in, token lists out, encoding included. PyTorch "
        "predicts with our weights, the same tokens, in batches of "
        f"{', '.join(map(str, PREDICT_BATCHES))}, whichever is fastest.",
    )
    peer = None if run.peer is None else import_module("pytorch_text")
    _language_row(run, peer, table)
    for attention in ("dot", "additive"):
        _translation_rows(run, peer, table, {**TRANSLATION, "attention": attention})
    return table


def many_tokens(embedding_dim):
    """Make a language model of `MANY_TOKENS` tokens, and two batches that hold all of them."""
    model = skrnn.LSTMLanguageModel(
        **{**LANGUAGE, "embedding_dim": embedding_dim, "max_iter": 2}, random_state=0
    )
    return model, np.random.default_rng(0).permutation(64_000) % MANY_TOKENS


def memory(run):
    """Print what two epochs with many tokens add to data and weights, in a process of their own."""
    table = Table(
        f"Peak memory of a language model of {MANY_TOKENS:,} tokens",
        ["embedding", "weights", "beside data and weights", "goal", "verdict"],
        "As above, but one document of 64,000 tokens. The high-water mark of a process that trains "
        "for two epochs, less what it was before and less the weights once; so their gradients and "
        "the two moments of Adam, as large as the weights each, are counted.",
    )
    for width in (128, 256):
        added, weights = in_child("language", str(width))
        met = "met" if added <= 400 else "**missed**"
        table.add(str(width), f"{weights:.0f} MB", f"{added:.0f} MB", "<= 400 MB", met)
    return table


def fitted(estimator, params, *data):
    """Train one of our estimators from scratch; this whole call is what is timed."""
    model = getattr(skrnn, estimator)(
        **params, alpha=0, tol=0, n_iter_no_change=np.inf, max_grad_norm=1.0, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*data)


def _language_row(run, peer, table):
    n_batches = BATCHES // 2 if run.quick else BATCHES
    n = LANGUAGE["batch_size"] * LANGUAGE["bptt_steps"] * n_batches + 1
    document = np.random.default_rng(0).integers(0, SYMBOLS, n)
    calls = [(ours, lambda: fitted("LSTMLanguageModel", LANGUAGE, document))]
    if peer is not None:
        model = peer.LanguageModel(LANGUAGE)
        _check_language_models(calls[0][1](), model, document[:2000])
        calls.append((run.peer, lambda: model.fit(document)))
    row = f"language model, an epoch of {n_batches} batches"
    race_row(table, row, alternate(calls, run.repeats), 1.9)


def _check_language_models(model, theirs, document):
    """Raise unless both sides give a document the same probability under the same weights."""
    # Ours gives the first token a probability too, that of its frequency.
    first = model.score_samples([document[:1]])[0]
    mine = (first - model.score_samples([document])[0]) / (len(document) - 1)
    loss = theirs.loss(model.weights_, document)
    if abs(mine - loss) > 1e-4:
        raise RuntimeError(f"The language models differ: our loss is {mine}, PyTorch's {loss}.")


def _translation_rows(run, peer, table, params):
    n_pairs, n_sources = (PAIRS // 4, SOURCES // 4) if run.quick else (PAIRS, SOURCES)
    X, y = pairs(n_pairs, seed=0)
    X_new, _ = pairs(n_sources, seed=1)
    model = fitted("Seq2SeqTranslator", {**params, "max_iter": EPOCHS}, X, y)
    fits = [(ours, lambda: fitted("Seq2SeqTranslator", params, X, y))]
    calls = [(ours, lambda: model.predict(X_new))]
    if peer is not None:
        network = peer.Translator(params)
        fits.append((run.peer, lambda: network.fit(X, y)))
        same = peer.Translator(params).take(model.weights_, X, y)
        _check_translators(model.predict(X_new), same.predict(X_new, PREDICT_BATCHES[0]))
        tries = [(run.peer, lambda n=n: same.predict(X_new, n)) for n in PREDICT_BATCHES]
        calls.append(min(tries, key=lambda call: best_threads(*call)[1]))
    what = f"{params['attention']} attention"
    timings = alternate(fits, run.repeats)
    race_row(table, f"translator, {what}, an epoch of {n_pairs:,} pairs", timings, 3.0)
    timings = alternate(calls, run.repeats)
    race_row(table, f"translator, {what}, targets of {n_sources:,} sources", timings, 5.0)


def _check_translators(mine, theirs):
    """Raise unless both sides say the same; rounding may turn a rare token."""
    same = np.mean([a == b for a, b in zip(mine, theirs, strict=True)])
    if same < 0.99:
        raise RuntimeError(f"The translators agree in {same:.1%} of the targets only.")


def pairs(n, seed):
    """Draw sources, and targets: a token for each source token, none for one in ten."""
    rng = np.random.default_rng(seed)
    shortest, longest = LENGTHS
    rows = [
        rng.integers(0, SOURCE_TOKENS, length) for length in rng.integers(shortest, longest + 1, n)
    ]
    # What a token becomes depends on the one before it too.
    targets = [(row + np.append(0, row[:-1] % 2) * 10)[row % 10 > 0] for row in rows]
    return [[f"s{k}" for k in row] for row in rows], [[f"t{k}" for k in row] for row in targets]
