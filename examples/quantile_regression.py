"""
A number per sequence, and how sure it is
=========================================

``RNNRegressor`` with ``loss="quantile"`` learns a quantile of the target. Two of them make an
interval whose width depends on the sequence.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import RNNRegressor

# %%
# The target is the sum of a sequence, with noise that grows with its length.

rng = np.random.default_rng(0)


def make(n_sequences):
    """Sequences of 2 to 29 values of mean one, and their noisy sums."""
    lengths = rng.integers(2, 30, size=n_sequences)
    X = [rng.normal(1, 0.3, size=n) for n in lengths]
    return X, np.array([x.sum() + 0.1 * x.size * rng.normal() for x in X])


X, y = make(1000)
X_test, y_test = make(300)
settings = {
    "learning_rate": "linear",
    "learning_rate_init": 0.01,
    "max_iter": 40,
    "random_state": 0,
}
low, high = (
    RNNRegressor((16,), loss="quantile", quantile=q, **settings).fit(X, y).predict(X_test)
    for q in (0.1, 0.9)
)
print(f"{np.mean((y_test >= low) & (y_test <= high)):.2f} of the targets are inside (asked: 0.80)")

# %%
lengths = np.array([len(x) for x in X_test])
order = np.argsort(lengths, kind="stable")
figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.vlines(np.arange(300), low[order], high[order], color="C0", alpha=0.4, label="80 % interval")
ax.plot(y_test[order], ".", color="black", ms=3, label="target")
ax.set(xlabel="test sequences, from the shortest to the longest", ylabel="target")
ax.legend(frameon=False)
plt.show()
