"""
Learn to spell, and invent names
================================

``LSTMLanguageModel`` learns what comes next. It scores what it reads and samples what it has not.
"""

import numpy as np
from matplotlib import pyplot as plt

from skrnn import LSTMLanguageModel

START = ["ka", "to", "mi", "sa", "no", "ri", "ha", "yu"]
END = ["ko", "mi", "ro", "shi", "ta", "na"]
rng = np.random.default_rng(0)
names = ["".join(rng.choice(START, rng.integers(1, 3))) + END[rng.integers(6)] for _ in range(300)]

model = LSTMLanguageModel(
    (32,), learning_rate="linear", learning_rate_init=0.01, max_iter=30, random_state=0
)
model.fit([list(name) for name in names])

# %%
# New names, drawn letter by letter.

drawn = model.sample(8, max_length=12, random_state=1)
print(["".join(name) for name in drawn])

# %%
# Log-probability per letter: names of the same kind are likely, shuffled letters are not.

spellings = ["katoko", "sanomi", "riyushi", "kkttoo", "imonas", "shiyurih"]
score = model.score_samples([list(name) for name in spellings])
per_letter = score / np.array([len(name) + 1 for name in spellings])
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.barh(spellings, per_letter, color=["C0"] * 3 + ["C3"] * 3)
ax.set(xlabel="log-probability per letter")
ax.invert_yaxis()
plt.show()
