"""
Where a translator looks
========================

``Seq2SeqTranslator`` turns a sequence into another of any length. Attention tells which source
tokens each output came from.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import Seq2SeqTranslator
from skrnn.inspection import AttentionDisplay

# %%
# Words are written backwards, and their vowels in upper case.

rng = np.random.default_rng(0)
words = ["".join(rng.choice(list("abcdeiou"), rng.integers(3, 7))) for _ in range(600)]
X = [list(word) for word in words]
y = [[c.upper() if c in "aeiou" else c for c in reversed(word)] for word in words]

model = Seq2SeqTranslator(
    (32,), learning_rate="linear", learning_rate_init=0.01, max_iter=40, random_state=0
)
model.fit(X[:500], y[:500])
print(f"{model.score(X[500:], y[500:]):.2f} of unseen words are exactly right")
print("".join(model.predict([list("abide")])[0]))

# %%
AttentionDisplay.from_estimator(model, list("abide"))
plt.show()
