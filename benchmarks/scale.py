"""Tables of the page on scaling out: a store against memory, two workers against one, planning.

``python benchmarks/scale.py [store] [workers] [planning] [memory]`` prints the tables that are
named, or all, which takes less than 20 minutes; ``--write`` also puts them into the page,
``docs/guide/scaling_out.md``. ``--small`` tries each part in a minute or two, and its figures mean
nothing.

`store`: peak memory of a fit on 20 GB (a sparse file), and time per step of a store against the
same data in memory. `workers`: two processes of one thread each against one, on FSDD and EWT
(``SKRNN_DATA``), on Dask where it is installed and on a pool of processes. `planning`: the model of
time and traffic against what two workers take, and what it says up to 64. `memory`: peak memory of
fits of many short sequences, of long ones, and of one very long one. Times mean something on a
quiet machine with two cores only.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from sklearn.preprocessing import StandardScaler

from skrnn import LSTMTagger, RNNClassifier, distributed
from skrnn.datasets import SequenceStore
from skrnn.preprocessing import PerStep

DATA = Path(os.environ.get("SKRNN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
COMMON = {"n_iter_no_change": np.inf, "random_state": 0}
PLAIN = {**COMMON, "pooling": "last", "scaling": "none", "learning_rate": "constant"}
MB = 2**20
SMALL = "--small" in sys.argv or bool(os.environ.get("SKRNN_SCALE_SMALL"))


def peak_mb():
    """Return the peak resident memory of this process."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def in_process(name, *arguments, threads=None):
    """Call a function of this file in a process of its own; returns what it returns."""
    limit = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    code = f"import json, scale; print(json.dumps(scale.{name}(*{arguments!r})))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=Path(__file__).parent, check=True,
        stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **limit},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def seconds_of(function):
    """Return how long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


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
    RNNClassifier((8,), max_iter=1, batch_size=64, **PLAIN).fit(store, y)
    return before, peak_mb()


def time_of_store():
    """Return seconds per epoch in memory and of a store, each the least of several fits."""
    rng = np.random.default_rng(0)
    X = list(rng.standard_normal((1_000 if SMALL else 10_000, 100, 32), np.float32))
    y = np.arange(len(X)) % 2
    with tempfile.TemporaryDirectory() as folder:
        store = SequenceStore.write(folder, X, y, buffer_bytes=(2 if SMALL else 16) * MB)
        model, times = RNNClassifier((32,), max_iter=2, **PLAIN), ([], [])
        for turn in range(2 if SMALL else 10):
            given = (X, store)[turn % 2]
            times[turn % 2].append(seconds_of(lambda given=given: model.fit(given, y)) / 2)
    return list(map(min, times))


def store_table():
    """Print peak memory and time of fits on a store."""
    print("\n| store | memory before | peak | fit adds |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = sparse_store(folder, 1 if SMALL else 20)
        whole = len(SequenceStore(path))
        for n in (64, whole // 100, whole):
            before, peak = in_process("memory_of_store_fit", path, n)
            size = n * 100 * 256 * 4 / 1e9
            print(f"| {size:.2f} GB | {before:.0f} MB | {peak:.0f} MB | {peak - before:.0f} MB |")
    print("\n| 128 MB, buffer of 16 MiB | one thread | all threads |\n|---|---|---|")
    one, many = in_process("time_of_store", threads=1), in_process("time_of_store")
    for k, name in enumerate(("in memory, seconds per epoch", "store, seconds per epoch")):
        print(f"| {name} | {one[k]:.2f} | {many[k]:.2f} |")
    print(f"| store : memory | {one[1] / one[0]:.2f} | {many[1] / many[0]:.2f} |")


# -- two workers against one ----------------------------------------------------------------------


def load_digits():
    """Return sequences and labels of spoken digits: training, then test."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import spoken_digits

    X, y, recording = spoken_digits.load_fsdd(DATA / "fsdd")
    X, X_test, y, y_test = spoken_digits.split(X, y, recording, spoken_digits.TEST_RECORDINGS)
    scaler = PerStep(StandardScaler()).fit(X)
    return scaler.transform(X), y, scaler.transform(X_test), y_test


@contextmanager
def two_workers(engine):
    """Start two processes of one thread each, which have imported what they need."""
    if engine == "dask":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            client.run(_start_worker)
            yield client
        return
    with ProcessPoolExecutor(2, get_context("spawn"), initializer=_start_worker) as pool:
        list(pool.map(_start_worker, range(4)))
        yield pool


def _start_worker(_=None):
    import skrnn.distributed._worker  # noqa: F401 - import takes its time


def engines():
    """Return the engines that can be tried here."""
    return ["dask", "pool"] if find_spec("distributed") else ["pool"]


def digits_fit(engine, steps, seed):
    """Return seconds and accuracy of a fit on FSDD, in this process or on two workers."""
    X, y, X_test, y_test = load_digits()
    model = RNNClassifier(
        (64,), max_iter=2 if SMALL else 30, learning_rate="linear", learning_rate_init=0.005,
        batch_size=16, n_iter_no_change=np.inf, random_state=seed, pooling="last", scaling="none",
    )  # fmt: skip
    if engine is None:
        seconds = seconds_of(lambda: model.fit(X, y))
    else:
        with two_workers(engine) as client:
            seconds = seconds_of(lambda: distributed.fit(model, X, y, client=client, steps=steps))
    return seconds, model.score(X_test, y_test)


def tags_fit(engine, steps, seed):
    """Return seconds and accuracy on the development part of a fit on EWT, as `digits_fit`."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import ewt_tagger

    X, y = (part[: 500 if SMALL else None] for part in ewt_tagger.treebank("train"))
    model = LSTMTagger(**ewt_tagger.PARAMETERS | {"random_state": seed})
    if engine is None:
        seconds = seconds_of(lambda: model.fit(X, y))
    else:
        with two_workers(engine) as client:
            seconds = seconds_of(lambda: distributed.fit(model, X, y, client=client, steps=steps))
    return seconds, model.score(*ewt_tagger.treebank("dev"))


STEPS_PER_ROUND = (32, 96)  # three averages per epoch of two shards, and one


def workers_table():
    """Print accuracy and time of one process, and of two of one thread each."""
    seeds = range(1 if SMALL else 3)
    print("\n| FSDD, 30 epochs, means of 3 seeds | seconds | accuracy | times as fast |")
    print("|---|---|---|---|")
    alone = None
    kinds = [(None, 0), *((engine, k) for engine in engines() for k in STEPS_PER_ROUND)]
    for engine, k in kinds:
        runs = np.array([in_process("digits_fit", engine, k, seed, threads=1) for seed in seeds])
        seconds, accuracy = runs.mean(axis=0)
        alone = alone or seconds
        name = f"two such, {engine}, averages every {k} steps"
        if engine is None:
            name = "one process, one thread"
        each = ", ".join(f"{a:.4f}" for a in runs[:, 1])
        print(f"| {name} | {seconds:.1f} | {accuracy:.4f} ({each}) | {alone / seconds:.2f} |")
    print("\n| tags of EWT, development part, one seed | seconds | accuracy | times as fast |")
    print("|---|---|---|---|")
    alone, accuracy = in_process("tags_fit", None, 0, 0, threads=1)
    print(f"| one process, one thread | {alone:.1f} | {accuracy:.4f} | 1.00 |")
    engine, k = engines()[0], STEPS_PER_ROUND[-1]
    seconds, accuracy = in_process("tags_fit", engine, k, 0, threads=1)
    name = f"two such, {engine}, averages every {k} steps"
    print(f"| {name} | {seconds:.1f} | {accuracy:.4f} | {alone / seconds:.2f} |")


# -- planning -------------------------------------------------------------------------------------
#
# A worker takes t seconds per batch, and k of them between two averages. The machine that calls fit
# exchanges b = 24 W bytes with each of n workers (W weights and two moments, float32, there and
# back), at B bytes per second of the link; its own work (pickles, sums) takes c + b / S per worker:
#
#     round(n, k) = k t + n (c + b / S + b / B)        speed(n, k) = n k t / round(n, k)
#
# t, c and S are measured: t in one process, c and S by rounds of two workers with next to no work.
# Rounds with work, of which neither was taken, then test the model (B is no limit in one machine).

GIGABITS = (1, 10, 100)
UNITS = (32, 128, 512)


@cache
def noise(n, steps):
    """Return a shard of so many sequences."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, steps, 32), np.float32), np.arange(n) % 2


class Shard:
    """A shard that the worker makes, once."""

    def __init__(self, *sizes):
        self.sizes = sizes

    def __call__(self):
        """Return the shard."""
        return noise(*self.sizes)


def noise_model(units, batch, epochs=1):
    """Return a classifier of a network with one layer."""
    return RNNClassifier((units,), max_iter=epochs, batch_size=batch, **PLAIN)


def seconds_per_batch(units):
    """Return the number of weights, and the seconds of a batch of 32 sequences of 100 steps."""
    X, y = noise(128 if SMALL else 640, 100)
    model = noise_model(units, 32).fit(X[:32], y[:32])
    seconds = [seconds_of(lambda: model.fit(X, y)) for _ in range(1 if SMALL else 3)]
    return len(model._params), min(seconds) / (len(X) / 32)


def seconds_per_round(units, steps, rounds, batch=32, length=100):
    """Return the seconds of a round of two workers: what so many more of them take."""
    with two_workers(engines()[0]) as client:

        def fit(rounds):
            shards = [Shard(batch * steps * rounds, length)] * 2
            fit = distributed.fit
            return seconds_of(
                lambda: fit(noise_model(units, batch), shards, client=client, steps=steps)
            )

        fit(2)
        return (fit(rounds + 2) - fit(2)) / rounds


def planning_table():
    """Print the model against two workers, and what it says of more."""
    measured = {units: in_process("seconds_per_batch", units, threads=1) for units in UNITS}
    n_bytes = {units: 24 * weights for units, (weights, _) in measured.items()}
    idle = [
        in_process(
            "seconds_per_round", units, 1, 4 if SMALL else 1 + 4000 // units, 1, 1, threads=1
        )
        for units in UNITS
    ]
    # Least squares of n (c + b / S), relative, so that the small ones count.
    A = np.array([[2.0, 2.0 * n_bytes[units]] for units in UNITS]) / np.array(idle)[:, np.newaxis]
    c, per_byte = np.maximum(np.linalg.lstsq(A, np.ones(len(UNITS)), rcond=None)[0], 0)

    def seconds(units, n, k, gigabits=np.inf):
        b, t = n_bytes[units], measured[units][1]
        return k * t + n * (c + b * per_byte + b * 8 / (gigabits * 1e9))

    print(f"\nPer worker and round: {c * 1e3:.1f} ms, and {per_byte * 1e9:.2f} ms per MB.")
    print(
        "\n| units | weights | seconds per batch | MB per round and worker | k"
        " | seconds per round of 2: model | measured | speed of 2: model | measured |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for units in UNITS:
        weights, t = measured[units]
        for k in (2,) if SMALL else (4, 16):
            rounds = 1 if SMALL else int(np.clip(8 / (k * t), 2, 40))
            real = in_process("seconds_per_round", units, k, rounds, threads=1)
            told = seconds(units, 2, k)
            print(
                f"| {units} | {weights:,} | {t:.4f} | {n_bytes[units] / 1e6:.2f} | {k} |"
                f" {told:.3f} | {real:.3f} | {2 * k * t / told:.2f} | {2 * k * t / real:.2f} |"
            )
    print(
        "\n| units | link | k for nine tenths of 64 workers' speed | speed of 2 | 8 |"
        " 64 workers at k = 32 | 64 at that k |\n|---|---|---|---|---|---|---|"
    )
    for units in UNITS:
        t = measured[units][1]
        for gigabits in GIGABITS:
            wire = seconds(units, 64, 0, gigabits)
            k = int(np.ceil(9 * wire / t))
            speeds = [n * 32 * t / seconds(units, n, 32, gigabits) for n in (2, 8, 64)]
            most = 64 * k * t / seconds(units, 64, k, gigabits)
            print(f"| {units} | {gigabits} Gbit/s | {k} |"
                  f" {' | '.join(f'{x:.1f}' for x in speeds)} | {most:.1f} |")  # fmt: skip


# -- memory of shapes -----------------------------------------------------------------------------


def memory_of_shape(kind):
    """Return megabytes of the data, before and at the peak of a fit."""
    rng = np.random.default_rng(0)
    if kind == "10^6 sequences of 4 steps":
        X, y = rng.standard_normal((10**6, 4, 4), np.float32), np.arange(10**6) % 2
        model = RNNClassifier((8,), max_iter=1, batch_size=256, **PLAIN)
    elif kind.startswith("10^3 sequences of 10^4 steps"):
        X, y = rng.standard_normal((1000, 10_000, 4), np.float32), np.arange(1000) % 2
        model = RNNClassifier((8,), max_iter=1, batch_size=16, bptt_steps=100, **PLAIN)
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
    for kind in ("10^6 sequences of 4 steps", "10^3 sequences of 10^4 steps, `bptt_steps=100`",
                 "1 sequence of 10^7 steps, `bptt_steps=100`"):  # fmt: skip
        data, before, peak = in_process("memory_of_shape", kind)
        print(f"| {kind} | {data:.0f} MB | {before:.0f} MB | {peak:.0f} MB |"
              f" {peak - before:.0f} MB |")  # fmt: skip


TABLES = {"store": store_table, "workers": workers_table, "planning": planning_table,
          "memory": memory_table}  # fmt: skip

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "scaling_out.md"


def write_to_page(name, text):
    """Put tables between the marks of the page that name them."""
    before, begin, rest = PAGE.read_text().partition(f"<!-- scale.py {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not end:
        raise ValueError(f"{PAGE} has no marks for {name}")
    PAGE.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


class Copied(io.StringIO):
    """What is printed, kept for the page."""

    def write(self, text):
        """Print and keep a text."""
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def main():
    """Print the tables that are asked for; with --write also into the page."""
    warnings.simplefilter("ignore")
    os.environ["SKRNN_SCALE_SMALL"] = "1" if SMALL else ""  # for the processes of this one
    for name in [name for name in sys.argv[1:] if not name.startswith("--")] or TABLES:
        start, lines = time.perf_counter(), Copied()
        with redirect_stdout(lines):
            TABLES[name]()
        print(f"\n({name}: {time.perf_counter() - start:.0f} s)", flush=True)
        if "--write" in sys.argv:
            write_to_page(name, lines.getvalue())


if __name__ == "__main__":
    main()
