"""
Decide while data arrive
========================

``step`` continues from a state that is a plain array. After each step the network tells what it
would predict if the sequence ended there, at the cost of one step.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import RNNClassifier

rng = np.random.default_rng(0)


def read_machine(fails, n_steps):
    """Vibration of a machine; one that fails begins to drift at step 30."""
    drift = 0.15 * np.maximum(np.arange(n_steps) - 30, 0)
    return rng.normal(size=n_steps) + fails * drift


# Readings end at any step, early ones included, so that the network is asked about all of them.
fails = rng.integers(2, size=400)
X = [read_machine(failing, rng.integers(2, 60)) for failing in fails]
y = [int(failing and len(x) > 35) for failing, x in zip(fails, X)]
model = RNNClassifier(
    (16,), learning_rate="linear", learning_rate_init=0.01, max_iter=40, random_state=0
).fit(X, y)

# %%
# Two new machines, read value by value. ``state`` is all that is kept between two calls.

figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for failing, name in [(0, "sound"), (1, "fails")]:
    state, probability = model.initial_state(1), []
    for value in read_machine(failing, 60):
        output, state = model.step([[value]], state)
        probability.append(output[0, 1])
    ax.plot(probability, label=name)
ax.set(xlabel="step", ylabel="probability of a failure", ylim=(0, 1))
ax.legend(frameon=False)
plt.show()
