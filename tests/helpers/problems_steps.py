"""Sequences of steps, and what is put around or behind the transformers of steps."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

from skrnn._data.validation import check_sequences


def ragged(lengths=(3, 1, 4, 2), width=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(3, 2, size=(length, width)) for length in lengths]


def frames():
    return [
        pd.DataFrame({"place": ["in", "out", "in"], "load": [1.0, 2.0, 3.0]}),
        pd.DataFrame({"place": ["out"], "load": [6.0]}),
    ]


class Spy(TransformerMixin, BaseEstimator):
    """Keeps what its fit was given, and changes nothing."""

    def fit(self, X, y=None, sample_weight=None, groups=None):
        self.given_ = {"X": X, "y": y, "sample_weight": sample_weight, "groups": groups}
        return self

    def transform(self, X):
        return X


class MeanClassifier(ClassifierMixin, BaseEstimator):
    """A stand-in for a recurrent classifier: it thresholds each sequence's mean."""

    def fit(self, X, y, sample_weight=None):
        check_sequences(self, X, reset=True)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        sequences = check_sequences(self, X, reset=False)
        means = np.array([values.mean() for values in sequences.arrays()])
        return self.classes_[(means > 0).astype(int)]
