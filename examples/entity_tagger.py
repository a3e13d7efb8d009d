"""
Tag names in sentences
======================

``LSTMTagger`` labels each token. With ``crf=True`` it scores whole label sequences, so that tags
that cannot follow each other are never predicted.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import LSTMTagger
from skrnn.inspection import TagConfusionDisplay
from skrnn.metrics import entity_classification_report, entity_f1_score

rng = np.random.default_rng(0)
FIRST = ["Ada", "Alan", "Grace", "Emmy", "Kurt", "Sofia", "Carl", "Mary"]
LAST = ["Lovelace", "Turing", "Hopper", "Noether", "Gauss", "Somerville"]
PLACES = [["London"], ["New", "York"], ["Rome"], ["Sankt", "Gallen"], ["Paris"]]


def sentence():
    """A sentence with a person and perhaps a place, and its tags."""
    person = [FIRST[rng.integers(8)]] + [LAST[rng.integers(6)]] * rng.integers(2)
    place = PLACES[rng.integers(5)]
    words = ["Yesterday", *person, ["met", "phoned", "left"][rng.integers(3)]]
    tags = ["O", "B-PER", *["I-PER"] * (len(person) - 1), "O"]
    if rng.random() < 0.7:
        words += ["people", "in", *place]
        tags += ["O", "O", "B-LOC", *["I-LOC"] * (len(place) - 1)]
    return words, tags


X_train, y_train = zip(*(sentence() for _ in range(200)))
X_test, y_test = zip(*(sentence() for _ in range(100)))

# %%
# The tag scheme (here BIO) is found from the labels.

tagger = LSTMTagger(
    (16,), crf=True, learning_rate="linear", learning_rate_init=0.02, max_iter=4, random_state=0
)
tagger.fit(X_train, y_train)
predicted = tagger.predict(X_test)
print(entity_classification_report(y_test, predicted))
print(f"F1 {entity_f1_score(y_test, predicted):.3f}")

# %%
TagConfusionDisplay.from_predictions(y_test, predicted)
plt.show()
