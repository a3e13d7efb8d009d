"""Sections about labels for every step: `LSTMTagger` and its CRF against the same in PyTorch."""

import warnings
from importlib import import_module

import numpy as np
import ours
from around import in_child
from ewt import data_folder, treebank
from report import Table, race_row, times
from sklearn.exceptions import ConvergenceWarning
from timing import alternate, best_threads

import skrnn
from skrnn._network.border import BatchLimits, KernelData, KernelTargets
from skrnn._network.plan import Options, Plan
from skrnn._network.threads import effective_n_threads

# Parameters of LSTMTagger that both sides follow; one epoch keeps the whole run within minutes.
NETWORK = {
    "hidden_layer_sizes": (128,),
    "dropout": 0.4,
    "word_dropout": 0.3,
    "min_freq": 2,
    "batch_size": 32,
    "learning_rate_init": 2e-3,
    "max_iter": 1,
}
QUICK_SENTENCES = 1000
# Sequences a batch that PyTorch may predict with; the fastest counts.
PREDICT_BATCHES = (64, 128, 256, 512)
CRF_LABELS, CRF_SEQUENCES, CRF_LENGTHS, CRF_REPEATS = 17, 32, (5, 50), 20


class OurTagger:
    """LSTMTagger with the interface of the other side's tagger."""

    def __init__(self, params):
        self.model = skrnn.LSTMTagger(
            **params, alpha=0, tol=0, n_iter_no_change=np.inf, max_grad_norm=1.0, random_state=0
        )

    def fit(self, X, y):
        """Train from scratch; this whole call is what is timed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(X, y)
        return self

    def predict(self, X):
        """Predict labels; this whole call is what is timed."""
        return self.model.predict(X)

    def embedding_sizes(self):
        """List rows and width of each embedding."""
        weights = self.model.weights_
        return [w.shape for name, w in weights.items() if name.startswith("embedding")]


def tagging(run):
    """Compare an epoch of a part-of-speech tagger, its speed in use, and a CRF's loss."""
    table = Table(
        "Tagging: a label for every step",
        ["what", "ours", "PyTorch", "ratio", "goal", "verdict"],
        "UD English EWT from lists of words to lists of labels, the encoding of words included, "
        "which both sides leave to our `TokenEncoder`: embeddings of word, prefixes, suffixes and "
        "shape, a bidirectional LSTM of 128 units, dropout 0.4, batches of 32. PyTorch packs its "
        "sequences, has fused Adam, and predicts in batches of "
        f"{', '.join(map(str, PREDICT_BATCHES))}, whichever is fastest. The CRF is loss and "
        "gradients from given scores of labels; PyTorch's is the usual one, which loops over steps "
        "and leaves the gradient to autograd.",
    )
    peer = None if run.peer is None else import_module("pytorch_tagging")
    if data_folder().is_dir():
        _treebank_rows(run, peer, table)
    else:
        print("Tagging: no treebank (see SKRNN_DATA), the CRF alone.")
    _crf_row(run, peer, table)
    return table


def _treebank_rows(run, peer, table):
    X, y = treebank("train")
    X_test, _ = treebank("test")
    if run.quick:
        X, y, X_test = X[:QUICK_SENTENCES], y[:QUICK_SENTENCES], X_test[:QUICK_SENTENCES]
    taggers = [OurTagger(NETWORK)] + ([] if peer is None else [peer.Tagger(NETWORK)])
    sides = run.sides()
    calls = [
        (side, lambda tagger=tagger: tagger.fit(X, y))
        for side, tagger in zip(sides, taggers, strict=True)
    ]
    fits = alternate(calls, run.repeats)
    if peer is not None and peer.embedding_sizes(taggers[1].rows) != taggers[0].embedding_sizes():
        raise RuntimeError("The two sides embed tokens in different widths.")
    race_row(table, f"an epoch of {len(X):,} sentences", fits, 3.0)

    calls = [(ours, lambda: taggers[0].predict(X_test))]
    if peer is not None:
        tries = [(run.peer, lambda n=n: taggers[1].predict(X_test, n)) for n in PREDICT_BATCHES]
        calls.append(min(tries, key=lambda call: best_threads(*call)[1]))
    n_tokens = sum(map(len, X_test))

    def speed(timing):
        if timing is None:
            return "-"
        return f"{n_tokens / timing.seconds:,.0f} tokens/s ({timing.threads} thr.)"

    row = f"labels for {n_tokens:,} tokens"
    race_row(table, row, alternate(calls, run.repeats), 3.0, speed)


def _crf_row(run, peer, table):
    rng = np.random.default_rng(0)
    shortest, longest = CRF_LENGTHS
    lengths = rng.integers(shortest, longest + 1, CRF_SEQUENCES)
    problem = {
        "scores": rng.standard_normal((CRF_LABELS + 2, CRF_LABELS), dtype=np.float32),
        "logits": rng.standard_normal((lengths.sum(), CRF_LABELS), dtype=np.float32),
        "labels": rng.integers(0, CRF_LABELS, lengths.sum()),
        "lengths": lengths.tolist(),
    }
    computations = [crf_loss(**problem)]
    if peer is not None:
        computations.append(peer.crf_loss(**problem))
        (mine, gradient), (theirs, other) = (compute(1) for compute in computations)
        if abs(mine - theirs) > 1e-4 * abs(theirs) or np.abs(gradient - other).max() > 1e-5:
            raise RuntimeError(f"The CRFs differ: our loss is {mine}, PyTorch's {theirs}.")
    calls = [
        (side, lambda compute=compute: compute(CRF_REPEATS))
        for side, compute in zip(run.sides(), computations, strict=True)
    ]

    def one(timing):
        if timing is None:
            return "-"
        return f"{timing.seconds / CRF_REPEATS * 1e3:.3f} ms ({timing.threads} thr.)"

    row = f"CRF, {CRF_LABELS} labels, {CRF_SEQUENCES} sequences of {shortest}..{longest} steps"
    race_row(table, row, alternate(calls, run.repeats), 10.0, one)


def crf_loss(scores, logits, labels, lengths):
    """Prepare our CRF; parameters and return value are those of the other side's function."""
    # The smallest network there is: the kernel takes the scores of labels as they are given.
    plan = Plan("lstm", (1,), 1, logits.shape[1], pooling="all", loss="crf")
    params = np.zeros(plan.n_params, plan.dtype)
    views = plan.views(params)
    views["crf_start"][:] = scores[0]
    views["crf_transitions"][:] = scores[1:-1]
    views["crf_end"][:] = scores[-1]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
    data = KernelData(offsets, np.zeros((len(labels), 1), plan.dtype), None)
    limits = BatchLimits(len(lengths), len(labels), max(lengths))
    order = np.arange(len(lengths), dtype=np.intp)
    targets = KernelTargets(labels.astype(np.intp), None, None)
    grads = np.zeros_like(params)

    def compute(repeats):
        options = Options(training=True, threads=effective_n_threads())
        return plan.engine.repeat_loss(
            plan, options, limits, plan.workspace(options, limits), params, grads, data, order,
            targets, logits, repeats,
        )  # fmt: skip

    return compute


def memory(run):
    """Compare the peak memory of an epoch on the treebank, a process for each side."""
    table = Table(
        "Peak memory of a tagger's fit",
        ["ours", "PyTorch", "ours / PyTorch", "goal", "verdict"],
        "High-water mark of a process that reads the treebank and trains on it for one epoch.",
    )
    if not data_folder().is_dir():
        print("Peak memory of a tagger's fit: skipped, no treebank (see SKRNN_DATA).")
        return table
    mine = in_child("tagging", "ours")
    theirs = None if run.peer is None else in_child("tagging", "pytorch")
    ratio = None if theirs is None else round(mine / theirs, 2)
    shown = "-" if theirs is None else f"{theirs:.0f} MB"
    met = "-" if ratio is None else "met" if ratio < 1 else "**missed**"
    table.add(f"{mine:.0f} MB", shown, times(ratio), "< 1.00x", met)
    return table
