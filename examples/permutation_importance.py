"""
Which features, which steps matter
==================================

``permutation_importance`` shuffles a feature among the sequences and measures what the score loses.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import RNNClassifier
from skrnn.inspection import permutation_importance

rng = np.random.default_rng(0)
names = ["pulse", "pressure", "room temperature", "weekday"]
X = rng.normal(size=(600, 20, 4))
y = (X[:, :, 0].mean(axis=1) + 0.5 * X[:, -5:, 1].mean(axis=1) > 0).astype(int)
model = RNNClassifier(
    (16,), learning_rate="linear", learning_rate_init=0.01, max_iter=40, random_state=0
)
model.fit(X[:400], y[:400])
print(f"accuracy on unseen sequences: {model.score(X[400:], y[400:]):.2f}")

# %%
result = permutation_importance(model, X[400:], y[400:], n_repeats=20, random_state=0)
order = np.argsort(result.importances_mean)
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.barh(
    [names[k] for k in order],
    result.importances_mean[order],
    xerr=result.importances_std[order],
)
ax.set(xlabel="loss of accuracy when shuffled")
plt.show()
