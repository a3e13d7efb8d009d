"""
Look inside: the path of the hidden state
=========================================

``hidden_states`` gives what the output layer reads at every step. Two principal components of it
draw how a network separates classes while it reads.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA

from skrnn import RNNClassifier
from skrnn.inspection import hidden_states

rng = np.random.default_rng(0)
y = rng.integers(3, size=150)
X = [
    np.sin(np.arange(n) * (0.3 + 0.25 * label) + rng.uniform(0, 6)) + 0.2 * rng.normal(size=n)
    for n, label in zip(rng.integers(25, 40, size=150), y)
]
model = RNNClassifier((24,), cell="gru", learning_rate_init=0.01, max_iter=40, random_state=0)
model.fit(X, y)
print(f"accuracy on the training data: {model.score(X, y):.2f}")

# %%
# One curve per sequence; a dot where it ends.

states = hidden_states(model, X)
pca = PCA(2).fit(np.concatenate(list(states)))
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
for path, label in list(zip(states, y))[:30]:
    line = pca.transform(path)
    ax.plot(*line.T, color=f"C{label}", lw=0.7, alpha=0.7)
    ax.plot(*line[-1], "o", color=f"C{label}")
ax.set(xlabel="first component", ylabel="second component")
plt.show()
