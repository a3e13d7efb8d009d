"""Sections about what surrounds the kernels: import, memory, searches, growth of cost."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import ours
from report import Table, duration, times, verdict
from shapes import SHAPES, dense_data
from timing import thread_counts, timed

HERE = Path(__file__).resolve().parent


def in_child(*args, env=None):
    """Run ``child.py`` in a process of its own and return the number it prints."""
    command = [sys.executable, str(HERE / "child.py"), *args]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def memory(run):
    """Compare the peak memory of a fit, a process for each side."""
    table = Table(
        "Peak memory of a fit at 100, 32, 128, 256",
        ["ours", "PyTorch", "ours / PyTorch", "goal", "verdict"],
        "High-water mark of a process that makes the data and fits once.",
    )
    mine = in_child("memory", "ours")
    theirs = None if run.peer is None else in_child("memory", "pytorch")
    ratio = None if theirs is None else round(mine / theirs, 2)
    shown = "-" if theirs is None else f"{theirs:.0f} MB"
    met = verdict(ratio, 0.8, at_least=False)
    table.add(f"{mine:.0f} MB", shown, times(ratio), "<= 0.80x", met)
    return table


def avx2(run):
    """Compare both sides at the level of AVX2, in a process that is told so when it starts."""
    table = Table(
        "AVX2 on both sides",
        ["network", "T, B, D, H", "ours", "PyTorch", "ratio", "goal", "verdict"],
        "`SKRNN_ISA=avx2` beside `ONEDNN_MAX_CPU_ISA=AVX2`; ten batches per epoch.",
    )
    if run.peer is None:
        print("AVX2: skipped, PyTorch is not installed.")
        return table
    command = [sys.executable, str(HERE / "bench.py"), "--isa", "avx2", "--only", "fit", "predict"]
    command += ["--repeats", str(run.repeats)] + ["--quick"] * run.quick
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.startswith("| lstm "):
            table.add(*line.strip("| ").split(" | ")[: len(table.columns)])
    return table


def import_time(run):
    """Compare the time of imports in fresh processes."""
    mlp = "from sklearn.neural_network import MLPClassifier"
    table = Table(
        "Import",
        ["statement", "more than MLPClassifier's", "goal", "verdict"],
        "Median of three fresh processes, after one to compile the modules and to fill the disk "
        f"cache: a statement after `{mlp}`, whose modules skrnn needs too.",
    )
    statements = ["import skrnn", "from skrnn import RNNClassifier", "from skrnn import *"]
    # An installed package has its bytecode; a checkout has not where Python is told not to write
    # any, and compiling takes three quarters of an import.
    env = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for statement in statements:
        with tempfile.TemporaryDirectory() as folder:
            env["PYTHONPYCACHEPREFIX"] = folder
            taken = [in_child("import", statement, mlp, env=env) for _ in range(4)][1:]
        more = statistics.median(taken)
        own = statement != "from skrnn import *"  # that is every estimator
        goal, met = ("<= 30 ms", verdict(more, 0.03, at_least=False)) if own else ("-", "-")
        table.add(f"`{statement}`", f"+{more * 1e3:.0f} ms", goal, met)
    return table


def search(run):
    """GridSearchCV with two jobs over one, one thread each."""
    from japanese_vowels import data_folder, load
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skrnn import RNNClassifier
    from skrnn.preprocessing import PerStep

    table = Table(
        "GridSearchCV on JapaneseVowels, 8 candidates x 3 folds",
        ["1 job", "2 jobs", "ratio", "goal", "verdict", "cores gave"],
        "One thread per job; the workers are started before the clock.",
    )
    if not data_folder().is_dir():
        print("GridSearchCV: skipped, no JapaneseVowels (see SKRNN_DATA).")
        return table
    if len(thread_counts()) < 2:
        print("GridSearchCV: skipped, there is one core.")
        return table
    X, y = load("TRAIN")
    epochs = 10 if run.quick else 60
    model = make_pipeline(
        PerStep(StandardScaler()),
        RNNClassifier(
            (64,),
            batch_size=32,
            max_iter=epochs,
            tol=0,
            random_state=0,
            pooling="last",
            scaling="none",
            learning_rate="constant",
            learning_rate_init=1e-3,
        ),
    )
    # Of one size, and a quarter of a second: joblib hands out fits below 0.2 s several at a time,
    # and one worker ends up with the last few while the other waits.
    grid = {
        "rnnclassifier__alpha": [0, 1e-4],
        "rnnclassifier__learning_rate_init": [1e-3, 2e-3, 3e-3, 5e-3],
    }

    def seconds(n_jobs):
        start = time.perf_counter()
        GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, refit=False).fit(X, y)
        return time.perf_counter() - start

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Workers do not inherit the filter above; the environment reaches them.
        before = os.environ.get("PYTHONWARNINGS")
        os.environ["PYTHONWARNINGS"] = "ignore"
        try:
            seconds(2)
            taken, machine = {1: [], 2: []}, []
            for _ in range(3):
                machine.append(ours.cores_gflops(2))
                with ours.threads(1):
                    taken[1].append(seconds(1))
                taken[2].append(seconds(2))
        finally:
            if before is None:
                del os.environ["PYTHONWARNINGS"]
            else:
                os.environ["PYTHONWARNINGS"] = before
    one, two = (statistics.median(taken[n]) for n in (1, 2))
    ratio = round(one / two, 2)
    gave = statistics.median(machine) / run.peak if run.peak else None
    table.add(duration(one), duration(two), times(ratio), "1.70x", verdict(ratio, 1.7), times(gave))
    return table


def busy(run):
    """Compare the default number of threads with one and two while a process keeps a core busy."""
    table = Table(
        "One of the cores busy with something else (LSTM fit)",
        ["T, B, D, H", "1 thread", "2 threads", "default", "default / better", "goal", "verdict"],
        "Medians of five, in turns, beside a process that computes on one core all the time.",
    )
    if len(thread_counts()) < 2:
        print("Busy core: skipped, there is one core.")
        return table
    for _, shape in run.shapes():
        if shape.H > 256:
            continue
        X, y = dense_data(shape)
        counts, taken = [1, 2, None], {1: [], 2: [], None: []}
        timed(ours, lambda s=shape, X=X, y=y: ours.fit(s, X, y), 2)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            try:
                for _ in range(run.repeats):
                    for n in counts:
                        start = time.perf_counter()
                        with ours.threads(n) if n else nullcontext():
                            ours.fit(shape, X, y)
                        taken[n].append(time.perf_counter() - start)
            finally:
                other.kill()
        one, two, default = (statistics.median(taken[n]) for n in counts)
        ratio = round(default / min(one, two), 2)
        cells = [duration(one), duration(two), duration(default), times(ratio)]
        table.add(shape, *cells, "<= 1.15x", verdict(ratio, 1.15, at_least=False))
    return table


def initial_weights(run):
    """Time the initial weights of a wide network, alone."""
    from skrnn._network.initialize import draw_orthogonal

    table = Table(
        "Initial weights of an LSTM of 512 units",
        ["what", "ours", "goal", "verdict"],
        "The four orthogonal blocks of weight_hh, most of what is drawn; median of five.",
    )
    taken = []
    blocks = np.empty((4, 512, 512), np.float32)
    for _ in range(run.repeats):
        rng = np.random.RandomState(0)
        start = time.perf_counter()
        draw_orthogonal(rng, list(blocks))
        taken.append(time.perf_counter() - start)
    median = statistics.median(taken)
    table.add("4 of 512 x 512", duration(median), "<= 40 ms", verdict(median, 0.04, at_least=False))
    return table


def growth(run):
    """Log-log slope of a fit's time in T, in B and in the number of sequences."""
    table = Table(
        "Growth of the cost (LSTM fit)",
        ["in", "over", "slope", "goal", "verdict"],
        "Slope of log time over log size, one thread; 1 is linear. Around 100, 32, 16, 64; the "
        "number of batches is constant as B grows. A fit of any size has some 3.5 ms of its own "
        "(validation, initial weights), as much as thirty of these sequences: they start at 320.",
    )
    base = replace(SHAPES[1], epochs=1)
    X, y = dense_data(base)
    factors = [1, 2, 4, 8, 16]

    def slope(name, sizes, shapes_and_data):
        logs = []
        for shape, data, labels in shapes_and_data:

            def call(shape=shape, data=data, labels=labels):
                return ours.fit(shape, data, labels)

            logs.append(np.log(min(timed(ours, call, 1) for _ in range(3))))
        value = float(np.polyfit(np.log(sizes), logs, 1)[0])
        met = "met" if 0.95 <= value <= 1.05 else "**missed**"
        table.add(name, f"{sizes[0]}..{sizes[-1]}", f"{value:.3f}", "0.95..1.05", met)

    def in_time(factor):
        shape = replace(base, T=25 * factor)
        return shape, *dense_data(shape)

    def in_batch(factor):
        shape = replace(base, B=12 * factor)
        return shape, *dense_data(shape)

    slope("T", [25 * f for f in factors], map(in_time, factors))
    slope("B", [12 * f for f in factors], map(in_batch, factors))
    counts = [len(X) * f // 2 for f in factors]
    X, y = np.tile(X, (8, 1, 1)), np.tile(y, 8)
    slope("sequences", counts, ((base, X[:n], y[:n]) for n in counts))
    return table
