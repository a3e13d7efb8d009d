"""
A recurrent classifier in a pipeline, tuned by a grid search, on two sets of sequences
======================================================================================

1. scikit-learn's digits, read row by row: each image is 8 steps of 8 pixels, all of one
   length, so X is simply the array of images.
2. Sequences of unequal length, as a plain list of arrays: the JapaneseVowels recordings where
   ``SKRNN_DATA`` has them (12 channels, 7 to 29 steps, 9 speakers); elsewhere the same digits
   as lists of their inked pixels (row, column, ink), as many steps as there are such pixels.

Both go through the same pipeline and the same search. Prints scores on data held out from the
search, and saves a picture of the learning curves and of the search to ``quickstart.png``. Takes
less than a minute.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws without a display

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier
from skrnn.datasets import read_ts
from skrnn.preprocessing import PerStep


def digits_by_row():
    """Split the digits, arrays ``(n, 8 steps, 8 features)``, into train and test parts."""
    digits = load_digits()
    return train_test_split(
        digits.images, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )


def ink(image):
    """Turn an image into the sequence of its inked pixels: row, column, amount of ink."""
    rows, columns = np.nonzero(image)
    return np.column_stack([rows, columns, image[rows, columns]])


def ragged_set():
    """Return a name, and train and test parts of a list of arrays of unequal length."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKRNN_DATA", beside)) / "ts"
    if (folder / "JapaneseVowels_TRAIN.ts").is_file():
        X_train, y_train = read_ts(folder / "JapaneseVowels_TRAIN.ts", return_X_y=True)
        X_test, y_test = read_ts(folder / "JapaneseVowels_TEST.ts", return_X_y=True)
        return "Japanese vowels", (X_train, X_test, y_train, y_test)
    digits = load_digits()
    return "digits as ink", train_test_split(
        [ink(image) for image in digits.images],
        digits.target,
        test_size=0.25,
        stratify=digits.target,
        random_state=0,
    )


def show_progress(search):
    """Show bars where scikit-learn has them (1.9, with rich), else print one line per fit."""
    try:
        from sklearn.callback import ProgressBar

        if sys.stdout.isatty():
            return search.set_callbacks(ProgressBar(max_propagation_depth=0))
    except ImportError:
        pass
    return search.set_params(verbose=3)


def tune(X, y, epochs):
    """Search width and pooling by cross-validation, two fits at a time."""
    model = make_pipeline(
        PerStep(StandardScaler()),
        RNNClassifier(
            cell="lstm",
            bidirectional=True,
            batch_size=32,
            learning_rate_init=3e-3,
            max_iter=epochs,
            n_iter_no_change=np.inf,  # that many epochs, stalled or not
            random_state=0,
        ),
    )
    grid = {
        "rnnclassifier__hidden_layer_sizes": [(32,), (64,)],
        "rnnclassifier__pooling": ["last", "mean"],
    }
    return show_progress(GridSearchCV(model, grid, cv=3, n_jobs=2)).fit(X, y)


def candidate(params):
    """Name a candidate of the search: width and pooling."""
    (width,) = params["rnnclassifier__hidden_layer_sizes"]
    return f"{width}, {params['rnnclassifier__pooling']}"


def save_picture(path, searches):
    """Draw the chosen models' training loss by epoch, and the scores of all candidates.

    `searches` maps names to (fitted search, test accuracy).
    """
    fig, (curves, scores) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for k, (name, (search, accuracy)) in enumerate(searches.items()):
        losses = search.best_estimator_[-1].loss_curve_
        curves.semilogy(range(1, len(losses) + 1), losses, color=f"C{k}", label=name)
        found = search.cv_results_
        at = np.arange(len(found["params"])) + 0.16 * (k - 0.5)
        scores.errorbar(
            at, found["mean_test_score"], found["std_test_score"],
            color=f"C{k}", fmt="o", capsize=3,
        )  # fmt: skip
        best = search.best_index_
        scores.plot(at[best], found["mean_test_score"][best], "o", ms=13, mfc="none", c=f"C{k}")
        scores.axhline(accuracy, color=f"C{k}", ls="--", lw=1, label=f"{name}: test {accuracy:.3f}")
    curves.set(xlabel="epoch", ylabel="training loss", title="Learning curves of the chosen models")
    scores.set(
        xlabel="hidden units, pooling",
        ylabel="accuracy",
        title="Cross-validation (chosen: ringed) and test",
    )
    scores.set_xticks(range(len(found["params"])), map(candidate, found["params"]))
    for ax in (curves, scores):
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    curves.legend(frameon=False)
    scores.legend(frameon=False, loc="lower right")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main(argv=None):
    """Tune and test on both sets, then draw the learning curves."""
    parser = argparse.ArgumentParser(description="Tune a classifier on two sets.")
    parser.add_argument("--picture", default="quickstart.png", help="where to save the curves")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args(argv)
    sys.stdout.reconfigure(line_buffering=True)  # in order with what the workers print

    start = time.perf_counter()
    searches = {}
    for name, parts in [("digits by row", digits_by_row()), ragged_set()]:
        X_train, X_test, y_train, y_test = parts
        lengths = [len(x) for x in X_train]
        print(
            f"\n{name}: {len(X_train)} sequences of {min(lengths)} to {max(lengths)} steps, "
            f"{len(X_test)} more to test"
        )
        search = tune(X_train, y_train, args.epochs)
        accuracy = search.score(X_test, y_test)
        print(
            f"chosen: {candidate(search.best_params_)} pooling; accuracy "
            f"{search.best_score_:.4f} in cross-validation, {accuracy:.4f} on the test part"
        )
        searches[name] = search, accuracy

    save_picture(args.picture, searches)
    print(f"\npicture: {args.picture}   {time.perf_counter() - start:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
