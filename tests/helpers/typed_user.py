"""What a user writes, for type checkers in strict mode."""

from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import skrnn
from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn.datasets import SequenceStore
from skrnn.metrics import entity_f1_score, mean_absolute_scaled_error
from skrnn.preprocessing import PerStep, from_long

rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 3)) for n in (5, 7, 4)]
words = [["a", "b"], ["c"], ["a"]]
model = RNNClassifier((8,), batch_size=64, max_grad_norm=None, n_iter_no_change=np.inf, max_iter=2)
pipeline = Pipeline([("scale", PerStep(StandardScaler())), ("net", model)])
labels = model.fit(X, [0, 1, 0]).predict(X)
classifier = RNNClassifier(8, pooling=("last", "max"), class_weight="balanced", max_iter=1)
probabilities: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = classifier.fit(
    X, [0, 1, 0], sample_weight=[1.0, 2.0, 1.0]
).predict_proba(X)

regressor = RNNRegressor([8, 4], random_state=np.random.RandomState(0), max_iter=1)
r2: float = regressor.fit(X, [1.0, 2.0, 3.0]).score(X, [1.0, 2.0, 3.0])
tagger = LSTMTagger(crf=True, max_iter=1).fit(words, [["x", "y"], ["x"], ["y"]])
print(tagger.predict(words)[0], tagger.classes_, tagger.transitions_)
forecaster = LSTMForecaster(3, 8, difference=None, loss="quantile", max_iter=1).fit(
    np.sin(np.arange(60))
)
print(forecaster.predict(horizon=2), forecaster.predict_interval(coverage=0.9))
language = LSTMLanguageModel((8,), bptt_steps=None, max_iter=1).fit(words)
print(language.perplexity(words), language.sample(3, temperature=0.5))
translator = Seq2SeqTranslator((8,), attention="dot", max_iter=1).fit(words, words)
best: list[list[tuple[list[Any], float]]] = translator.predict_n_best(words, 2)
search = GridSearchCV(pipeline, {"net__hidden_layer_sizes": [(8,), (16,)]}, cv=2)
with TemporaryDirectory() as folder:
    store = SequenceStore.write(f"{folder}/store", X, [0, 1, 0])
    steps: list[int] = [len(sequence) for sequence in store] + [len(store), len(store[1])]
    model.fit(store[[0, 1]], store[:2].y)
tags = [["B-X", "O"]]
print(entity_f1_score(tags, tags), mean_absolute_scaled_error([1.0], [2.0], y_train=[1.0, 3.0]))
print(skrnn.__version__, skrnn.trusted_types()[0], skrnn.preprocessing.Frames(4, 2), from_long)
skrnn.show_versions()
