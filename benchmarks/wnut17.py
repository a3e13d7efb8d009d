"""Entities of WNUT-17 with a CRF and without one: same parameters, three seeds each.

3,394 noisy sentences to train on, 1,009 to develop and 1,287 to test with; six types of entities
that hardly recur from part to part. Figures are precision, recall and F1 of whole entities, in
per cent, the mean over the seeds; and the predicted sequences of labels that the scheme forbids,
an I- that nothing begins, of which ``tag_scheme="auto"`` lets none through. Run it as
``SKRNN_DATA=folder python benchmarks/wnut17.py``, where ``folder/wnut17`` holds the files.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

from skrnn import LSTMTagger
from skrnn.datasets import read_conll
from skrnn.metrics import entity_f1_score, entity_precision_score, entity_recall_score

PARAMETERS = {
    "hidden_layer_sizes": (64,),
    "dropout": 0.5,
    "recurrent_dropout": 0.25,
    "word_dropout": 0.5,
    "min_freq": 2,
    "learning_rate_init": 0.002,
    "learning_rate": "linear",
    "max_iter": 9,
    "n_iter_no_change": np.inf,
}
CONFIGURATIONS = [
    ("CRF", {"crf": True}),
    ("softmax", {"crf": False}),
    ("softmax, no scheme", {"crf": False, "tag_scheme": None}),
]
FILES = {
    "train": "wnut17train.conll",
    "dev": "emerging.dev.conll",
    "test": "emerging.test.annotated",
}
SCORES = (entity_precision_score, entity_recall_score, entity_f1_score)


def data_folder():
    """Find the files: under ``SKRNN_DATA``, or ``shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SKRNN_DATA", beside)) / "wnut17"


def load(part):
    """Read tokens and labels of `part`: "train", "dev" or "test"."""
    return read_conll(data_folder() / FILES[part])


def is_impossible(labels):
    """Tell whether an I- stands where no entity of its type goes on."""
    before = "O"
    for label in labels:
        if label.startswith("I-") and before not in (label, "B-" + label[2:]):
            return True
        before = label
    return False


def main(argv=None):
    """Print a row for each configuration; the exit code says whether the scheme was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of those of the parameters")
    parser.add_argument("--dev", action="store_true", help="leave the test part alone, to tune")
    args = parser.parse_args(argv)
    if not data_folder().is_dir():
        print("Skipped: no WNUT-17. Point SKRNN_DATA to the folder that holds wnut17.")
        return 0
    params = PARAMETERS | ({"max_iter": args.epochs} if args.epochs else {})
    X, y = load("train")
    parts = {name: load(name) for name in (["dev"] if args.dev else ["dev", "test"])}
    heads = [f"{name} P     R     F1 (each seed)".ljust(26 + 6 * args.seeds) for name in parts]
    print(f"{'':18}   {'   '.join(heads)}   impossible   fit")
    broken = False
    for name, choice in CONFIGURATIONS:
        figures = {part: [] for part in parts}
        impossible, seconds = 0, []
        for seed in range(args.seeds):
            start = time.perf_counter()
            tagger = LSTMTagger(**params, **choice, random_state=seed).fit(X, y)
            seconds.append(time.perf_counter() - start)
            for part, (X_part, y_part) in parts.items():
                predicted = tagger.predict(X_part)
                figures[part].append([100 * score(y_part, predicted) for score in SCORES])
                impossible += sum(map(is_impossible, predicted))
        cells = [_cell(np.array(each)).ljust(26 + 6 * args.seeds) for each in figures.values()]
        print(
            f"{name:18}   {'   '.join(cells)}   {impossible:10}   {np.mean(seconds):.1f} s",
            flush=True,
        )
        broken |= impossible > 0 and choice.get("tag_scheme", "auto") is not None
    return 1 if broken else 0


def _cell(figures):
    means = "  ".join(f"{mean:5.2f}" for mean in figures.mean(axis=0))
    return f"{means} ({' '.join(f'{f1:.2f}' for f1 in figures[:, 2])})"


if __name__ == "__main__":
    sys.exit(main())
