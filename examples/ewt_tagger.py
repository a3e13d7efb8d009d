"""
Part-of-speech tags for English words: from a treebank's file to tags for sentences of yours
============================================================================================

The data is the English Web Treebank of the Universal Dependencies: 12,543 sentences of blogs,
mails, reviews and news groups to train on, and about 2,000 each to develop and to test with.
Words go in as they stand; `LSTMTagger` knows those it has never seen by their prefixes, suffixes
and shape. What could be tuned was chosen on the development part, which all figures but one are
of; ``--test`` prints the accuracy on the test part as well.

Run it with ``SKRNN_DATA=folder python examples/ewt_tagger.py``, where ``folder/ud_english_ewt``
holds the ``.conllu`` files. Takes less than three minutes, and a few seconds with ``--quick``, a
smaller network and a twelfth of the data.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix

from skrnn import LSTMTagger
from skrnn.datasets import read_conllu
from skrnn.metrics import flatten_labels, token_accuracy_score

PARAMETERS = {
    "hidden_layer_sizes": (128, 128),
    "embedding_dim": 64,
    "dropout": 0.4,
    "word_dropout": 0.3,
    "min_freq": 2,  # a word that occurs once teaches what an unknown word is
    "learning_rate_init": 0.002,
    "learning_rate": "linear",
    "max_iter": 14,
    "n_iter_no_change": np.inf,  # fourteen epochs, stalled or not
    "random_state": 0,
}
QUICK = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.005, "max_iter": 3}
QUICK_SENTENCES = 1000
SENTENCES = [
    "They refuse to permit us to obtain the refuse permit .",
    "My cousin emailed 3 spreadsheets from Ulaanbaatar , unfortunately !",
    "Wow , that grumbly old printer totally unjammed itself",
]


def data_folder():
    """Find the data: under ``SKRNN_DATA``, or ``shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SKRNN_DATA", beside)) / "ud_english_ewt"


def treebank(part):
    """Read words and tags of the sentences of `part`: "train", "dev" or "test"."""
    return read_conllu(data_folder() / f"en_ewt-ud-{part}.conllu")


def unseen_accuracy(X, y, predicted, X_train):
    """Return the accuracy on words that training did not hold, and how many they are."""
    seen = {word for words in X_train for word in words}
    right = [
        tag == guess
        for words, tags, guesses in zip(X, y, predicted, strict=True)
        for word, tag, guess in zip(words, tags, guesses, strict=True)
        if word not in seen
    ]
    return np.mean(right), len(right)


def confusions(X, y, predicted, most):
    """Yield the `most` frequent mistakes: true tag, predicted tag, count, the first in context."""
    counts, examples = Counter(), {}
    for words, tags, guesses in zip(X, y, predicted, strict=True):
        for t, mistake in enumerate(zip(tags, guesses, strict=True)):
            if mistake[0] != mistake[1]:
                counts[mistake] += 1
                examples.setdefault(mistake, in_context(words, t))
    for (tag, guess), count in counts.most_common(most):
        yield tag, guess, count, examples[tag, guess]


def in_context(words, t, width=4):
    """Write word `t` in brackets among its neighbors."""
    before, after = words[max(0, t - width) : t], words[t + 1 : t + 1 + width]
    return " ".join([*before, f"[{words[t]}]", *after])


def print_tagged(words, tags):
    """Print words above their tags, in columns."""
    widths = [max(len(word), len(tag)) for word, tag in zip(words, tags, strict=True)]
    for line in (words, tags):
        print("  " + " ".join(f"{x:{n}}" for x, n in zip(line, widths, strict=True)).rstrip())


def save_picture(path, true, predicted):
    """Draw the confusion matrix: of each true tag, the share that each tag was predicted for."""
    import matplotlib

    matplotlib.use("Agg")  # draws without a display
    import matplotlib.pyplot as plt
    from matplotlib.colors import PowerNorm

    tags = np.unique(np.concatenate([true, predicted]))
    counts = confusion_matrix(true, predicted, labels=tags)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    fig, ax = plt.subplots(figsize=(9, 8), layout="constrained")
    # A root for colors: a mistake in a hundred is still to be seen beside the diagonal.
    ax.imshow(shares, cmap="Blues", norm=PowerNorm(0.4, vmin=0, vmax=1))
    for i, j in np.argwhere(shares >= 0.005):
        ink = "white" if shares[i, j] > 0.25 else "black"
        text = f"{100 * shares[i, j]:.0f}"
        ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=9)
    ax.set_xticks(range(len(tags)), tags, rotation=90)
    ax.set_yticks(range(len(tags)), [f"{t}  ({n:,})" for t, n in zip(tags, totals, strict=True)])
    ax.set_xticks(np.arange(len(tags)) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(tags)) - 0.5, minor=True)
    ax.grid(which="minor", color="0.9", lw=0.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted tag", ylabel="true tag (words)")
    accuracy = np.mean(true == predicted)
    ax.set_title(f"UD English EWT, development part: accuracy {accuracy:.4f}; % of each row")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main(argv=None):
    """Train, score, and show what the tagger gets wrong."""
    parser = argparse.ArgumentParser(description="Tag parts of speech in the English Web Treebank.")
    parser.add_argument("--picture", default="ewt_tagger.png", help="where to save it")
    parser.add_argument("--quick", action="store_true", help="a small network on a twelfth of it")
    parser.add_argument("--test", action="store_true", help="score the test part as well")
    parser.add_argument("--verbose", action="store_true", help="print the loss of each epoch")
    args = parser.parse_args(argv)
    if not data_folder().is_dir():
        print(f"Skipped: no {data_folder()}. Point SKRNN_DATA to the folder of ud_english_ewt.")
        return 0

    start = time.perf_counter()
    X_train, y_train = treebank("train")
    X, y = treebank("dev")
    params = PARAMETERS
    if args.quick:
        X_train, y_train = X_train[:QUICK_SENTENCES], y_train[:QUICK_SENTENCES]
        params = PARAMETERS | QUICK
    print(
        f"{len(X_train)} sentences of {sum(map(len, X_train))} words to train on, "
        f"read in {time.perf_counter() - start:.1f} s"
    )

    start = time.perf_counter()
    tagger = LSTMTagger(**params, verbose=args.verbose).fit(X_train, y_train)
    n_weights = sum(weights.size for weights in tagger.weights_.values())
    print(f"trained {n_weights:,} weights in {time.perf_counter() - start:.1f} s")

    predicted = tagger.predict(X)
    unseen, n_unseen = unseen_accuracy(X, y, predicted, X_train)
    print(f"\ndev accuracy {token_accuracy_score(y, predicted):.4f}")
    print(f"on the {n_unseen} words not seen in training {unseen:.4f}")
    if args.test:
        print(f"test accuracy {tagger.score(*treebank('test')):.4f}")

    true, guessed = flatten_labels(y, predicted)
    print("\nBy tag:\n")
    print(classification_report(true, guessed, digits=3, zero_division=0))
    print("The commonest mistakes, and the first of each:\n")
    for tag, guess, count, example in confusions(X, y, predicted, most=10):
        print(f"  {count:4} {tag:5} taken for {guess:5}   {example}")

    print("\nSentences of our own:")
    sentences = [sentence.split() for sentence in SENTENCES]
    for words, tags in zip(sentences, tagger.predict(sentences), strict=True):
        print()
        print_tagged(words, tags)

    save_picture(args.picture, true, guessed)
    print(f"\nconfusion matrix: {args.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
