"""
How far back do gradients reach?
================================

``gradient_flow`` measures the gradient of the loss with respect to every hidden state. In a plain
recurrent network it fades with every step; the gates of an LSTM keep it.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import RNNClassifier
from skrnn.inspection import GradientFlowDisplay, gradient_flow

rng = np.random.default_rng(0)
X = [rng.normal(size=(60, 3)) for _ in range(64)]
y = [int(x[0, 0] > 0) for x in X]  # the label is told by the first of 60 steps

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
for ax, cell in zip(axes, ["rnn", "lstm"]):
    model = RNNClassifier((32,), cell=cell, max_iter=3, n_iter_no_change=np.inf, random_state=0)
    model.fit(X, y)
    GradientFlowDisplay(gradient_flow(model, X, y)).plot(ax=ax)
    ax.set_title(cell)
plt.show()
