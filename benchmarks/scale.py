"""Tables of the page on scaling out: a store against memory, two workers against one, planning.

``python benchmarks/scale.py [store] [workers] [planning] [memory]`` prints the tables that are
named, or all. `store`: peak memory of a fit on 20 GB (a sparse file), and time per step of a store
against the same data in memory. `workers`: two processes of one thread each against one, on FSDD
(``SKRNN_DATA``). `planning`: what the model of time and traffic says up to 64 workers, from the
steps per second that it measures. `memory`: peak memory of fits of many short sequences, of long
ones, and of one very long one. Times mean something on a quiet machine with two cores only.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sklearn.preprocessing import StandardScaler

from skrnn import LSTMTagger, RNNClassifier, distributed
from skrnn.datasets import SequenceStore
from skrnn.preprocessing import PerStep

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
COMMON = {"n_iter_no_change": np.inf, "random_state": 0}
MB = 2**20


def peak_mb():
    """Return the peak resident memory of this process."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def in_process(name, *arguments):
    """Call a function of this file in a process of its own; returns what it returns."""
    code = f"import json, scale; print(json.dumps(scale.{name}(*{arguments!r})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=Path(__file__).parent, check=True,
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    return json.loads(done.stdout)


# -- a store against memory ---------------------------------------------------------------------


def sparse_store(folder, gigabytes, n_features=256, steps=100):
    """Make a store of zeros, whose file takes no room on the disk."""
    one = np.zeros((1, steps, n_features), np.float32)
    path = SequenceStore.write(folder, one, [0]).path
    n = int(gigabytes * 1e9 / one.nbytes)
    description = json.loads(Path(path, "store.json").read_text())
    description.update(n_sequences=n, n_steps=n * steps)
    Path(path, "store.json").write_text(json.dumps(description))
    np.save(f"{path}/offsets.npy", np.arange(n + 1, dtype=np.int64) * steps)
    np.save(f"{path}/y.npy", np.arange(n, dtype=np.int64) % 2)
    header = Path(path, "values.npy").read_bytes()[:128]
    size = len(header)
    shapes = [f"({rows}, {n_features})".encode() for rows in (steps, n * steps)]
    new = header.replace(*shapes)
    new = new[:-1].rstrip() + b" " * size
    Path(path, "values.npy").write_bytes(new[: size - 1] + b"\n")
    os.truncate(f"{path}/values.npy", size + n * steps * n_features * 4)
    return path


def memory_of_store_fit(path, n):
    """Return peak memory before and after a fit on the first sequences of a store."""
    store = SequenceStore(path)[:n]
    y = store.y
    before = peak_mb()
    RNNClassifier((8,), max_iter=1, batch_size=64, **COMMON).fit(store, y)
    return before, peak_mb()


def store_table(gigabytes=20):
    """Print peak memory and time of fits on a store."""
    print("\n| store | memory before | peak | fit adds |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = sparse_store(folder, gigabytes)
        whole = len(SequenceStore(path))
        for n in (64, whole // 100, whole):
            before, peak = in_process("memory_of_store_fit", path, n)
            size = n * 100 * 256 * 4 / 1e9
            print(f"| {size:.2f} GB | {before:.0f} MB | {peak:.0f} MB | {peak - before:.0f} MB |")
    rng = np.random.default_rng(0)
    X = list(rng.standard_normal((10_000, 100, 32), np.float32))
    y = np.arange(len(X)) % 2
    print("\n| 128 MB, LSTM of 32 units | seconds per epoch |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        store = SequenceStore.write(folder, X, y, buffer_bytes=16 * MB)
        model, times = RNNClassifier((32,), max_iter=2, **COMMON), {}
        for turn in range(6):
            name, given = (("in memory", X), ("store", store))[turn % 2]
            start = time.perf_counter()
            model.fit(given, y)
            times.setdefault(name, []).append((time.perf_counter() - start) / 2)
        for name, seconds in times.items():
            print(f"| {name} | {min(seconds):.2f} |")
        ratio = min(times["store"]) / min(times["in memory"])
        print(f"\nA store takes {ratio:.2f} times as long.")


# -- two workers against one ----------------------------------------------------------------------


def load_digits():
    """Return sequences and labels of spoken digits: training, then test."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import spoken_digits

    X, y, recording = spoken_digits.load_fsdd(DATA / "fsdd")
    X, X_test, y, y_test = spoken_digits.split(X, y, recording, spoken_digits.TEST_RECORDINGS)
    scaler = PerStep(StandardScaler()).fit(X)
    return scaler.transform(X), y, scaler.transform(X_test), y_test


def workers_table(epochs=30, steps=32):
    """Print accuracy and time of one process, and of two of one thread each."""
    X, y, X_test, y_test = load_digits()
    params = {"hidden_layer_sizes": (64,), "max_iter": epochs, "learning_rate": "linear",
              "learning_rate_init": 0.005, "batch_size": 16, **COMMON}  # fmt: skip
    print("\n| FSDD | seconds | accuracy |\n|---|---|---|")
    model = RNNClassifier(**params)
    start = time.perf_counter()
    model.fit(X, y)
    alone = time.perf_counter() - start
    print(f"| one process | {alone:.1f} | {model.score(X_test, y_test):.4f} |")
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=_start_worker) as pool:
        list(pool.map(_start_worker, range(4)))
        shared = RNNClassifier(**params)
        start = time.perf_counter()
        distributed.fit(shared, X, y, client=pool, steps=steps)
        both = time.perf_counter() - start
    print(f"| two processes, averages every {steps} steps | {both:.1f} |"
          f" {shared.score(X_test, y_test):.4f} |")  # fmt: skip
    print(f"\nTwo are {alone / both:.2f} times as fast.")


def _start_worker(_=None):
    import skrnn.distributed._worker  # noqa: F401 - import takes its time


# -- planning -------------------------------------------------------------------------------------

GIGABITS = (1, 10, 100)


def planning_table():
    """Print the steps per round for which traffic takes a tenth of the time of 64 workers."""
    print("\n| units | weights | MB per round and worker | seconds per batch |"
          " steps per round of 64 workers at 1, 10, 100 Gbit/s |"
          " speed of 2, 8, 64 workers at 10 Gbit/s |\n|---|---|---|---|---|---|")  # fmt: skip
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((640, 100, 32), np.float32), np.arange(640) % 2
    for units in (32, 128, 512):
        model = RNNClassifier((units,), max_iter=1, **COMMON).fit(X[:64], y[:64])
        start = time.perf_counter()
        model.fit(X, y)
        batch = (time.perf_counter() - start) / 20
        weights = len(model._params)
        bytes_there_and_back = 2 * 12 * weights  # weights and two moments, in float32
        least = [traffic(bytes_there_and_back, 64, speed) * 9 / batch for speed in GIGABITS]
        k = max(32, int(np.ceil(least[1])))
        speeds = []
        for n in (2, 8, 64):
            work, wire = k * batch, traffic(bytes_there_and_back, n, 10)
            speeds.append(n * work / (work + wire + OVERHEAD))
        print(f"| {units} | {weights:,} | {bytes_there_and_back / 1e6:.2f} | {batch:.4f} |"
              f" {', '.join(str(max(1, int(np.ceil(x)))) for x in least)} |"
              f" {', '.join(f'{x:.1f}' for x in speeds)} (k = {k}) |")  # fmt: skip


OVERHEAD = 0.01  # seconds of a round that are neither work nor traffic: messages, pickles


def traffic(n_bytes, n_workers, gigabits):
    """Return the seconds in which one machine exchanges so many bytes with each worker."""
    return n_bytes * n_workers * 8 / (gigabits * 1e9)


# -- memory of shapes -----------------------------------------------------------------------------


def memory_of_shape(kind):
    """Return megabytes of the data, before and at the peak of a fit."""
    rng = np.random.default_rng(0)
    if kind == "10^6 sequences of 4 steps":
        X, y = rng.standard_normal((10**6, 4, 4), np.float32), np.arange(10**6) % 2
        model = RNNClassifier((8,), max_iter=1, batch_size=256, **COMMON)
    elif kind == "10^3 sequences of 10^4 steps":
        X, y = rng.standard_normal((1000, 10_000, 4), np.float32), np.arange(1000) % 2
        model = RNNClassifier((8,), max_iter=1, batch_size=16, bptt_steps=100, **COMMON)
    else:
        X = rng.standard_normal((1, 10**7, 4), np.float32)
        y = (X[:, :, 0] > 0).astype(np.int64)
        model = LSTMTagger((8,), max_iter=1, bptt_steps=100, bidirectional=False, **COMMON)
    before = peak_mb()
    model.fit(X, y)
    return X.nbytes / MB, before, peak_mb()


def memory_table():
    """Print what fits of some shapes add to the memory of their data."""
    print("\n| data | X | before fit | peak | fit adds |\n|---|---|---|---|---|")
    for kind in ("10^6 sequences of 4 steps", "10^3 sequences of 10^4 steps",
                 "1 sequence of 10^7 steps, bptt_steps"):  # fmt: skip
        data, before, peak = in_process("memory_of_shape", kind)
        print(f"| {kind} | {data:.0f} MB | {before:.0f} MB | {peak:.0f} MB |"
              f" {peak - before:.0f} MB |")  # fmt: skip


TABLES = {"store": store_table, "workers": workers_table, "planning": planning_table,
          "memory": memory_table}  # fmt: skip

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or TABLES:
        TABLES[name]()
