"""A recurrent classifier in a pipeline, tuned by a grid search, on two sets of sequences.

1. scikit-learn's digits, read row by row: each image is 8 steps of 8 pixels, all of one
   length, so X is simply the array of images.
2. Sequences of unequal length, as a plain list of arrays: the JapaneseVowels recordings where
   ``SKRNN_DATA`` has them (12 channels, 7 to 29 steps, 9 speakers); elsewhere the same digits
   as lists of their inked pixels (row, column, ink), as many steps as there are such pixels.

Both go through the same pipeline and the same search. Prints scores on data held out from the
search, and saves the curves of the training loss to ``quickstart.png``. Takes seconds.
"""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws without a display

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
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
    """Show bars where scikit-learn has them (1.9, with rich), else print a line a fit."""
    try:
        from sklearn.callback import ProgressBar

        if sys.stdout.isatty():
            return search.set_callbacks(ProgressBar())
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
            random_state=0,
        ),
    )
    grid = {
        "rnnclassifier__hidden_layer_sizes": [(32,), (64,)],
        "rnnclassifier__pooling": ["last", "mean"],
    }
    return show_progress(GridSearchCV(model, grid, cv=3, n_jobs=2)).fit(X, y)


def save_picture(path, curves):
    """Draw the training loss by epoch; `curves` maps names to (loss curve, accuracy)."""
    fig, ax = plt.subplots(figsize=(6, 4))
    for name, (losses, accuracy) in curves.items():
        epochs = range(1, len(losses) + 1)
        ax.semilogy(epochs, losses, label=f"{name}: test accuracy {accuracy:.3f}")
    ax.set(xlabel="epoch", ylabel="training loss", title="Learning curves of the chosen models")
    ax.grid(alpha=0.3)
    ax.legend()
    fig.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(fig)


def main(argv=None):
    """Tune and test on both sets, then draw the learning curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", default="quickstart.png", help="where to save the curves")
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args(argv)
    # A fixed number of epochs is the intention here. Workers take the filter from the
    # environment.
    warnings.simplefilter("ignore", ConvergenceWarning)
    os.environ["PYTHONWARNINGS"] = "ignore"

    start = time.perf_counter()
    curves = {}
    for name, parts in [("digits by row", digits_by_row()), ragged_set()]:
        X_train, X_test, y_train, y_test = parts
        lengths = [len(x) for x in X_train]
        print(
            f"\n{name}: {len(X_train)} sequences of {min(lengths)} to {max(lengths)} steps, "
            f"{len(X_test)} more to test"
        )
        search = tune(X_train, y_train, args.epochs)
        accuracy = search.score(X_test, y_test)
        chosen = {key.split("__")[1]: value for key, value in search.best_params_.items()}
        print(f"chosen {chosen}, cross-validation {search.best_score_:.3f}")
        print(f"test accuracy {accuracy:.4f}")
        curves[name] = (search.best_estimator_[-1].loss_curve_, accuracy)

    save_picture(args.picture, curves)
    print(f"\nlearning curves: {args.picture}   {time.perf_counter() - start:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
