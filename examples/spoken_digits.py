"""
Spoken digits from raw waves: MFCC frames by SciPy, a bidirectional LSTM, one pipeline
======================================================================================

The data is the Free Spoken Digit Dataset: 3,000 recordings at 8 kHz of six speakers saying
the ten digits. Its official test set is recordings 0-4 of every digit and speaker. What could
be tuned here (frames, width, epochs) was chosen on recordings 5-9, held out of the training
set by ``--validate``; the test recordings are read once, at the end.

Run it with ``SKRNN_DATA=folder python examples/spoken_digits.py``, where ``folder/fsdd``
holds a clone of the data set.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from scipy.fft import dct, rfft
from scipy.io import wavfile

FRAME_SECONDS = 0.025
HOP_SECONDS = 0.010
N_MELS = 26
N_CEPSTRA = 13
TEST_RECORDINGS = range(0, 5)
VALIDATION_RECORDINGS = range(5, 10)


def _mel_filters(rate, n_fft, n_mels):
    """Make triangular filters ``(n_mels, n_fft // 2 + 1)``, evenly spaced on the mel scale."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, n_mels + 2) / 2595) - 1)
    frequencies = np.linspace(0, rate / 2, n_fft // 2 + 1)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))


def _deltas(frames, width=2):
    """Fit a line through ``2 * width + 1`` frames around each frame; return its slope."""
    padded = np.pad(frames, ((width, width), (0, 0)), mode="edge")
    n = len(frames)
    slope = sum(
        k * (padded[width + k : width + k + n] - padded[width - k : width - k + n])
        for k in range(1, width + 1)
    )
    return slope / (2 * sum(k * k for k in range(1, width + 1)))


def features(wave, rate):
    """Compute MFCC frames of one recording, with their first and second differences.

    Parameters
    ----------
    wave : ndarray of shape (n_samples,)
        Mono samples, integer or float.
    rate : int
        Samples a second.

    Returns
    -------
    frames : ndarray of shape (n_frames, 39), float32
        One frame each 10 ms; at least one, however short the recording is.
    """
    wave = np.asarray(wave, dtype=np.float64)
    # Loudness depends on the microphone, not on the digit.
    wave = wave / max(np.abs(wave).max(), 1e-9)
    wave = np.append(wave[:1], wave[1:] - 0.97 * wave[:-1])
    size, hop = round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)
    wave = np.pad(wave, (0, max(0, size - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]
    n_fft = 1 << (size - 1).bit_length()
    power = np.abs(rfft(frames * np.hamming(size), n_fft)) ** 2
    # The floor keeps digital silence from turning into minus infinity.
    log_mel = np.log(power @ _mel_filters(rate, n_fft, N_MELS).T + 1e-6)
    cepstra = dct(log_mel, norm="ortho")[:, :N_CEPSTRA]
    slope = _deltas(cepstra)
    return np.hstack([cepstra, slope, _deltas(slope)]).astype(np.float32)


def load_fsdd(folder):
    """Read the recordings of an FSDD clone as feature sequences.

    Parameters
    ----------
    folder : path-like
        The data set's folder, the one with ``recordings`` in it.

    Returns
    -------
    X : list of ndarray of shape (n_frames, 39)
    y : ndarray of int
        The digit spoken.
    recording : ndarray of int
        The index in the file name; 0-4 are the official test set.
    """
    files = sorted(Path(folder, "recordings").glob("*.wav"))
    if not files:
        raise FileNotFoundError(f"no recordings/*.wav in {folder}")
    X, y, recording = [], [], []
    for file in files:
        digit, _, index = file.stem.split("_")
        rate, wave = wavfile.read(file)
        X.append(features(wave, rate))
        y.append(int(digit))
        recording.append(int(index))
    return X, np.array(y), np.array(recording)


def split(X, y, recording, held_out):
    """Part the recordings whose index is in `held_out` from the others."""
    out = np.isin(recording, list(held_out))
    kept = [x for x, o in zip(X, out, strict=True) if not o]
    held = [x for x, o in zip(X, out, strict=True) if o]
    return kept, held, y[~out], y[out]


def make_model(**params):
    """Make the pipeline of this example; `params` override the classifier's."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skrnn import RNNClassifier
    from skrnn.preprocessing import PerStep

    chosen = {
        "hidden_layer_sizes": (64,),
        "cell": "lstm",
        "bidirectional": True,
        "pooling": "last",
        "dropout": 0.3,
        "batch_size": 32,
        "learning_rate_init": 3e-3,
        "max_iter": 20,
        "n_iter_no_change": np.inf,  # twenty epochs, stalled or not
        "random_state": 0,
    }
    return make_pipeline(PerStep(StandardScaler()), RNNClassifier(**(chosen | params)))


def save_picture(path, truth, predicted):
    """Draw the confusion matrix of the test recordings."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from sklearn.metrics import ConfusionMatrixDisplay

    fig, ax = plt.subplots(figsize=(5, 5))
    ConfusionMatrixDisplay.from_predictions(truth, predicted, ax=ax, colorbar=False, cmap="Blues")
    ax.set_title(f"Spoken digits, test accuracy {np.mean(truth == predicted):.3f}")
    fig.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(fig)


def default_data():
    """Find the data: under ``SKRNN_DATA``, or ``shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SKRNN_DATA", beside)) / "fsdd"


def main(argv=None):
    """Train and score; the test recordings unless ``--validate`` is given."""
    parser = argparse.ArgumentParser(description="Classify spoken digits from raw waves.")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the clone")
    parser.add_argument("--picture", default="spoken_digits.png", help="where to save it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="print the loss of each epoch")
    parser.add_argument(
        "--validate",
        action="store_true",
        help="train without recordings 5-9 and score those; leaves the test set alone",
    )
    args = parser.parse_args(argv)

    start = time.perf_counter()
    try:
        X, y, recording = load_fsdd(args.data)
    except FileNotFoundError as error:
        print(f"Skipped: {error}. Point SKRNN_DATA to the folder that holds fsdd.")
        return 0
    X_train, X_test, y_train, y_test = split(X, y, recording, TEST_RECORDINGS)
    if args.validate:
        training = recording[~np.isin(recording, TEST_RECORDINGS)]
        X_train, X_test, y_train, y_test = split(X_train, y_train, training, VALIDATION_RECORDINGS)
    lengths = [len(x) for x in X]
    print(
        f"{len(X_train)} + {len(X_test)} recordings of {min(lengths)} to {max(lengths)} frames, "
        f"read in {time.perf_counter() - start:.1f} s"
    )

    start = time.perf_counter()
    model = make_model(random_state=args.seed, verbose=args.verbose).fit(X_train, y_train)
    predicted = model.predict(X_test)
    name = "validation" if args.validate else "test"
    print(f"trained in {time.perf_counter() - start:.1f} s")
    print(f"{name} accuracy {np.mean(predicted == y_test):.4f}")
    if not args.validate:
        save_picture(args.picture, y_test, predicted)
        print(f"confusion matrix: {args.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
