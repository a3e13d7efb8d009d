"""
Stop before the network learns by heart
=======================================

With few sequences, the training loss falls on and on while the loss of unseen sequences turns.
``early_stopping`` watches unseen data and keeps the best weights.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import RNNClassifier

rng = np.random.default_rng(1)


def make(n_sequences):
    """Noisy waves of two frequencies, 20 to 39 steps each."""
    y = rng.integers(2, size=n_sequences)
    X = []
    for label in y:
        t = np.arange(rng.integers(20, 40)) + rng.uniform(0, 10)
        X.append(np.sin(t * (0.5 + 0.1 * label)) + 0.5 * rng.normal(size=t.size))
    return X, y


X, y = make(60)
X_val, y_val = make(200)

# %%
# The same network twice: once to the end, once with data to watch.

settings = {"learning_rate_init": 0.01, "random_state": 0, "batch_size": 16}
to_the_end = RNNClassifier((32,), max_iter=60, n_iter_no_change=np.inf, **settings).fit(X, y)
watched = RNNClassifier((32,), max_iter=60, early_stopping=True, n_iter_no_change=20, **settings)
watched.fit(X, y, X_val=X_val, y_val=y_val)
print(f"to the end: {to_the_end.score(X_val, y_val):.3f} after {to_the_end.n_iter_} epochs")
print(f"watched:    {watched.score(X_val, y_val):.3f} after {watched.n_iter_} epochs")

# %%
# ``validation_scores_`` holds the negative loss of the watched data after each epoch.

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.plot(to_the_end.loss_curve_, label="training loss, to the end")
ax.plot(watched.loss_curve_, label="training loss, watched")
ax.plot(-np.array(watched.validation_scores_), label="loss of the watched data")
ax.axvline(np.argmax(watched.validation_scores_), color="gray", lw=1, label="weights that are kept")
ax.set(xlabel="epoch", ylabel="loss")
ax.legend(frameon=False)
plt.show()
