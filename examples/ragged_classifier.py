"""
Classify sequences of unequal length
====================================

A list of arrays goes straight into a pipeline and a grid search: nothing is padded, and
scikit-learn needs no wrapper.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrnn import RNNClassifier
from skrnn.inspection import LossCurveDisplay
from skrnn.preprocessing import PerStep

# %%
# 300 random walks in the plane, of 5 to 19 steps. The label tells whether a walk ends above its
# start, so the network has to add up what it reads.

rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(5, 20, size=300)]
y = ["above" if x[:, 1].sum() > 0 else "below" for x in X]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

# %%
# Two ways to summarize a sequence are compared by cross-validation.

model = make_pipeline(
    PerStep(StandardScaler()),
    RNNClassifier(
        (16,), learning_rate="linear", learning_rate_init=0.01, max_iter=40, random_state=0
    ),
)
search = GridSearchCV(model, {"rnnclassifier__pooling": ["last", "mean", "max"]}, cv=3)
search.fit(X_train, y_train)
print(search.best_params_, f"{search.score(X_test, y_test):.3f} on the test part")

# %%
# The loss of each epoch shows whether training has converged.

LossCurveDisplay.from_estimator(search.best_estimator_[-1])
plt.show()
