"""Accuracy on JapaneseVowels: official split, ragged lists, five seeds a configuration.

270 utterances to train on and 370 to test, 12 channels, 7 to 29 steps, 9 speakers. Run it as
``SKRNN_DATA=folder python benchmarks/japanese_vowels.py``, where ``folder/ts`` holds the
``.ts`` files; ``--torch`` trains the same networks in PyTorch beside ours.
"""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

TUNED = {
    "hidden_layer_sizes": (64,),
    "cell": "lstm",
    "max_iter": 60,
    "learning_rate": "constant",
    "n_iter_no_change": 10,
    "learning_rate_init": 3e-3,
    "batch_size": 32,
}
CONFIGURATIONS = [
    ("bidirectional, mean", {**TUNED, "bidirectional": True, "pooling": "mean"}, 0.972),
    ("one direction, last", {**TUNED, "bidirectional": False, "pooling": "last"}, 0.952),
    ("out of the box", {}, 0.95),
]


def data_folder():
    """Find the ``.ts`` files: under ``SKRNN_DATA``, or ``shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SKRNN_DATA", beside)) / "ts"


def load(part):
    """Read the sequences and labels of `part`, "TRAIN" or "TEST"."""
    from skrnn.datasets import read_ts

    return read_ts(data_folder() / f"JapaneseVowels_{part}.ts", return_X_y=True)


def accuracy(params, seed, train, test):
    """Train our pipeline and score it on the test set."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skrnn import RNNClassifier
    from skrnn.preprocessing import PerStep

    model = make_pipeline(PerStep(StandardScaler()), RNNClassifier(random_state=seed, **params))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*train).score(*test)


def torch_accuracy(params, seed, train, test):
    """Train the same network with the same loop in PyTorch, and score it."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    steps = np.concatenate(list(train[0]))
    mean, scale = steps.mean(axis=0), steps.std(axis=0)
    X, X_test = (
        [torch.tensor((x - mean) / scale, dtype=torch.float32) for x in data[0]]
        for data in (train, test)
    )
    classes, y = np.unique(train[1], return_inverse=True)
    y = torch.from_numpy(y)
    (width,), directions = params["hidden_layer_sizes"], 1 + params["bidirectional"]
    lstm = nn.LSTM(X[0].shape[1], width, bidirectional=params["bidirectional"], batch_first=True)
    head = nn.Linear(directions * width, len(classes))
    weights = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=params["learning_rate_init"], weight_decay=1e-4)

    def scores(batch):
        outputs, (last, _) = lstm(pack_sequence(batch, enforce_sorted=False))
        if params["pooling"] == "last":
            return head(torch.cat(list(last[-directions:]), dim=1))
        # Padding comes back as zeros, so the sum is over real steps alone.
        padded, lengths = pad_packed_sequence(outputs, batch_first=True)
        return head(padded.sum(dim=1) / lengths[:, None])

    for _ in range(params["max_iter"]):
        for rows in torch.randperm(len(X)).split(params["batch_size"]):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(scores([X[i] for i in rows]), y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
    with torch.no_grad():
        predicted = scores(X_test).argmax(dim=1).numpy()
    return float(np.mean(classes[predicted] == np.asarray(test[1])))


def main(argv=None):
    """Print mean and single accuracies; the exit code says whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--torch", action="store_true", help="PyTorch's figures as well")
    args = parser.parse_args(argv)
    if not data_folder().is_dir():
        print("Skipped: no JapaneseVowels. Point SKRNN_DATA to the folder that holds ts.")
        return 0
    train, test = load("TRAIN"), load("TEST")
    missed = 0
    for name, params, goal in CONFIGURATIONS:
        sides = [("skrnn", accuracy)]
        # What our defaults are is ours alone; there is no such network to compare with.
        if args.torch and params:
            sides.append(("PyTorch", torch_accuracy))
        for side, measure in sides:
            start = time.perf_counter()
            figures = [measure(params, seed, train, test) for seed in range(args.seeds)]
            mean = float(np.mean(figures))
            verdict = ""
            if side == "skrnn":
                met = mean >= goal
                missed += not met
                verdict = f"   goal {goal}: {'met' if met else 'MISSED'}"
            each = " ".join(f"{figure:.4f}" for figure in figures)
            seconds = (time.perf_counter() - start) / args.seeds
            print(f"{name:20} {side:8} mean {mean:.4f}   {each}   {seconds:.1f} s each{verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
