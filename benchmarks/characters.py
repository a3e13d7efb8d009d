"""Section about `subwords="chars"`: what the characters of words bring, and what they cost."""

import time
import warnings

import numpy as np
from ewt import PARAMETERS, data_folder
from report import Table
from sklearn.exceptions import ConvergenceWarning

import skrnn
from skrnn.datasets import read_conllu

QUICK_SENTENCES = 300
# Folder and files to train on and to score with. Of Finnish there are two parts only.
TREEBANKS = {
    "English (EWT), development part": ("ud_english_ewt", "en_ewt-ud", ("train", "dev")),
    "Finnish (TDT), test part": ("ud_finnish_tdt", "fi_tdt-ud", ("dev", "test")),
}
SEEDS = (0, 1)


def characters(run):
    """Compare the tagger of the example with and without characters, on two languages."""
    table = Table(
        "Characters of words",
        ["language", "subwords", "accuracy", "unseen words", "processor time of fit", "of predict"],
        "Part-of-speech tags by `LSTMTagger` with the parameters of `examples/ewt_tagger.py` (two "
        "layers of 128 units, 14 epochs): `subwords=True`, which is affixes and shape, and "
        "`subwords='chars'`, which adds an LSTM over the characters of each word. Trained on the "
        "train part of the English treebank, and on the development part of the Finnish one, of "
        "which there is no other. Means of two seeds; times on one thread, relative to "
        "`subwords=True`.",
    )
    for name, (folder, prefix, parts) in TREEBANKS.items():
        files = [data_folder().parent / folder / f"{prefix}-{part}.conllu" for part in parts]
        if not all(file.is_file() for file in files):
            print(f"Characters of words: no treebank {folder} (see SKRNN_DATA).")
            continue
        train, score = map(read_conllu, files)
        if run.quick:
            train = [part[:QUICK_SENTENCES] for part in train]
        first = None
        for subwords in (True, "chars"):
            found = np.mean([tagged(*train, *score, subwords, seed) for seed in SEEDS], axis=0)
            first = found if first is None else first
            cost = [f"{ratio:.2f}x" for ratio in found[2:] / first[2:]]
            table.add(name, f"`{subwords!r}`", f"{found[0]:.4f}", f"{found[1]:.4f}", *cost)
    return table


def tagged(X, y, X_score, y_score, subwords, seed):
    """Return accuracy, that of words never seen, and seconds of processor time."""
    model = skrnn.LSTMTagger(**PARAMETERS | {"random_state": seed, "subwords": subwords})
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    fitted = time.process_time()
    predicted = model.predict(X_score)
    seconds = [fitted - start, time.process_time() - fitted]
    known = {word for row in X for word in row}
    unseen = np.array([word not in known for row in X_score for word in row])
    right = np.concatenate(predicted) == np.concatenate([np.array(row) for row in y_score if row])
    return [right.mean(), right[unseen].mean(), *seconds]
