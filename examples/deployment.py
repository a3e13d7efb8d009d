"""
Deployment: train, save, export, and read step by step
======================================================

One pipeline from training to use. It is saved as a file of skops, which runs no code when it is
loaded; it is exported to ONNX, scaler included, and run by onnxruntime without skrnn; and it reads
a sequence step by step, as data arrive. All three give the same probabilities. The example needs
skops, onnx and onnxruntime.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import skops.io
from matplotlib import pyplot as plt
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skrnn
from skrnn import RNNClassifier
from skrnn.export import onnx_inputs, to_onnx
from skrnn.preprocessing import PerStep

# %%
# Train
# -----
# Machines whose temperature starts to drift at some step fail; the others do not. Sequences have
# unequal lengths, and temperatures are far from zero: the scaler is part of the model.


def machines(n, seed):
    """Return temperatures of n machines, and which of them fail."""
    rng = np.random.default_rng(seed)
    lengths, fails = rng.integers(20, 60, n), rng.random(n) < 0.5
    X = [350 + 5 * rng.normal(size=(length, 1)) for length in lengths]
    for x, fail in zip(X, fails, strict=True):
        if fail:
            start = rng.integers(5, len(x) - 10)
            x[start:, 0] += 1.5 * np.arange(len(x) - start)
    return X, np.where(fails, "fails", "runs")


X, y = machines(300, 0)
X_test, y_test = machines(100, 1)
network = RNNClassifier(
    (16,), learning_rate_init=0.01, max_iter=30, n_iter_no_change=np.inf, random_state=0
)
model = make_pipeline(PerStep(StandardScaler()), network).fit(X, y)
expected = model.predict_proba(X_test)
print(f"Accuracy on machines never seen: {model.score(X_test, y_test):.2f}")

# %%
# Save
# ----
# ``trusted_types`` lists what a file of skrnn's estimators may name.

folder = Path(tempfile.mkdtemp())
skops.io.dump(model, folder / "model.skops")
loaded = skops.io.load(folder / "model.skops", trusted=skrnn.trusted_types())
print("From skops the same to the bit:", np.array_equal(loaded.predict_proba(X_test), expected))

# %%
# Export
# ------
# The graph reads padded sequences and their lengths. ``onnx_inputs`` makes both.

(folder / "model.onnx").write_bytes(to_onnx(model).SerializeToString())
session = onnxruntime.InferenceSession(folder / "model.onnx")
probabilities = session.run(["probabilities"], onnx_inputs(model, X_test))[0]
print(f"From ONNX within {np.abs(probabilities - expected).max():.0e}")

# %%
# Read step by step
# -----------------
# The state is a plain array, which the caller holds.

scaler, network = model[0].transformer_, model[-1]
chosen = int(np.flatnonzero(y_test == "fails")[0])
state, seen = network.initial_state(), []
for temperature in X_test[chosen]:
    output, state = network.step(scaler.transform(temperature[np.newaxis]), state)
    seen.append(output[0])
print(f"After the last step within {np.abs(seen[-1] - expected[chosen]).max():.0e}")

figure, (above, below) = plt.subplots(2, sharex=True, layout="constrained")
above.plot(X_test[chosen][:, 0])
above.set_ylabel("temperature")
below.plot(np.array(seen)[:, list(network.classes_).index("fails")])
below.set(xlabel="step", ylabel="probability of failure", ylim=(0, 1))
plt.show()
