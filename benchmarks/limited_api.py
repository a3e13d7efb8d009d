"""What the limited API of CPython (SKRNN_ABI3=1) costs on the smallest calls.

    python benchmarks/limited_api.py [--rounds 30]

Builds the kernels of this machine's instruction set twice, for the limited API and for the full
one, into build/limited_api, and lets two processes time the same calls in turns, on one thread. A
call long enough to matter spends its time inside of the kernels, which are the same; what differs
is how Python's arguments are read, so the rows are calls of a few microseconds.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "limited_api"
SIDES = {"full": "0", "limited": "1"}

WORKER = """
import sys, time, warnings
import numpy as np
import skrnn
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(4, 50, 4)).astype(np.float32)
y = np.array([0, 1, 0, 1])
model = skrnn.RNNClassifier(
    (32,), pooling="last", scaling="none", max_iter=1, random_state=0
).fit(X, y)
state = model.initial_state(1)
x = np.ascontiguousarray(X[:1, 0])
out = model.step(x, state)
forecaster = skrnn.LSTMForecaster(1, 8, max_iter=1, random_state=0)
forecaster.fit(np.sin(np.arange(60)))
tagger = skrnn.LSTMTagger((8,), max_iter=1, random_state=0)
words, tags = [["a", "b"], ["c"]], [["x", "y"], ["x"]]
CALLS = {
    "step, 32 units, in place": (2000, lambda: model.step(x, state, out=out)),
    "step, 32 units": (2000, lambda: model.step(x, state)),
    "predict_proba, one sequence, T=50": (200, lambda: model.predict_proba(X[:1])),
    "predict_proba, one step": (200, lambda: model.predict_proba(X[:1, :1])),
    "predict of a forecaster": (50, lambda: forecaster.predict()),
    "fit, four sequences, T=50, one epoch": (20, lambda: model.fit(X, y)),
    "fit of a tagger, two sentences, one epoch": (5, lambda: tagger.fit(words, tags)),
}
print(*CALLS, sep="|", flush=True)
for line in sys.stdin:
    repeats, call = CALLS[line.strip()]
    call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    print((time.perf_counter() - start) / repeats, flush=True)
"""


def build(side):
    """Build one side in a folder of its own; return the folder."""
    target = BUILD / side
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", str(BUILD / "temp")]
    subprocess.run(
        [*command, "--build-lib", str(target)],
        cwd=ROOT,
        env=os.environ | {"SKRNN_ABI3": SIDES[side]},
        check=True,
    )
    return target


def start(folder):
    """Start a process that times the calls whose names it reads."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def main():
    """Build, time in turns, and print a table."""
    parser = argparse.ArgumentParser(description="Cost of the limited API on the smallest calls.")
    parser.add_argument("--rounds", type=int, default=30, help="turns per row")
    parser.add_argument("--no-build", action="store_true", help="use what was built before")
    args = parser.parse_args()
    if "SKRNN_VARIANTS" not in os.environ:
        sys.path.insert(0, str(ROOT))
        from skrnn._kernels import LEVEL

        os.environ["SKRNN_VARIANTS"] = f"{LEVEL}_f32"
        os.environ["SKRNN_ISA"] = LEVEL
    folders = [BUILD / side if args.no_build else build(side) for side in SIDES]
    workers = dict(zip(SIDES, map(start, folders)))
    for worker in workers.values():
        names = worker.stdout.readline().strip().split("|")
    print("| call | full, us | limited, us | limited / full: median of pairs, quartiles |")
    print("|---|---|---|---|")
    for name in names:
        seconds = {side: [] for side in SIDES}
        for turn in range(args.rounds):
            for side in list(SIDES)[:: 1 if turn % 2 else -1]:  # neither always goes first
                workers[side].stdin.write(name + "\n")
                workers[side].stdin.flush()
                seconds[side].append(float(workers[side].stdout.readline()))
        ratios = [b / a for a, b in zip(seconds["full"], seconds["limited"])]
        low, middle, high = statistics.quantiles(ratios, n=4)
        full, limited = (1e6 * statistics.median(seconds[side]) for side in SIDES)
        print(f"| {name} | {full:.1f} | {limited:.1f} | {middle:.3f} ({low:.3f} to {high:.3f}) |")
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()


if __name__ == "__main__":
    main()
