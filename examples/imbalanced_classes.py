"""
Rare classes: weights and thresholds
====================================

Where one class is rare, a classifier learns to predict the other. ``class_weight`` changes what is
learned; scikit-learn's ``TunedThresholdClassifierCV`` changes the decision afterwards.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay, balanced_accuracy_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from skrnn import RNNClassifier

rng = np.random.default_rng(0)
y = (rng.random(600) < 0.08).astype(int)
X = rng.normal(size=(600, 30, 1))
X[y == 1, 10:20] += 0.7  # one sequence in twelve has a bump
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

settings = {
    "pooling": "mean",
    "learning_rate": "linear",
    "learning_rate_init": 0.005,
    "max_iter": 15,
    "random_state": 0,
}
models = {
    "as it is": RNNClassifier((16,), **settings),
    "class_weight='balanced'": RNNClassifier((16,), class_weight="balanced", **settings),
    "tuned threshold": TunedThresholdClassifierCV(RNNClassifier((16,), **settings), cv=3),
}

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, (name, model) in zip(axes, models.items()):
    predicted = model.fit(X_train, y_train).predict(X_test)
    ConfusionMatrixDisplay.from_predictions(y_test, predicted, ax=ax, colorbar=False)
    ax.set_title(f"{name}\nbalanced accuracy {balanced_accuracy_score(y_test, predicted):.2f}")
plt.show()
