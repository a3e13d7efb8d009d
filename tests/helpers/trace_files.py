"""Count how often one batch of a fit goes from file to file.

    python tests/helpers/trace_files.py            # the table
    python tests/helpers/trace_files.py --calls    # and every call, indented by depth

A reader who follows `fit` opens a file at each change: a call of a Python function of skrnn that
stands in another file than the call before it. Compiled kernels and other packages do not count.
Only the public API is used, so that the script runs on other commits as well.
"""

import sys
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import skrnn

ONE_BATCH = {"max_iter": 1, "batch_size": 8, "random_state": 0}


def fits():
    """Yield (name, estimator, X, y) of the fits to trace, of one batch each."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (3, 5, 4, 6, 5, 4, 3, 7)]
    words = [list("abc"), list("cab"), list("ba"), list("abcc")] * 2
    yield "RNNClassifier", skrnn.RNNClassifier((4,), **ONE_BATCH), X, [0, 1] * 4
    yield "LSTMForecaster", skrnn.LSTMForecaster(**ONE_BATCH), [x[:, 0] for x in X], None
    yield "Seq2SeqTranslator", skrnn.Seq2SeqTranslator((4,), **ONE_BATCH), words, words


def trace(call):
    """Return the calls of Python functions of skrnn in order: (file, function, depth)."""
    package = str(Path(skrnn.__file__).parent)
    calls, depth = [], 0

    def note(frame, event, arg):
        nonlocal depth
        code = frame.f_code
        if not code.co_filename.startswith(package) or event not in ("call", "return"):
            return
        if event == "call":
            file = code.co_filename.removeprefix(package).lstrip("/\\")
            calls.append((file, code.co_qualname, depth))
        depth += 1 if event == "call" else -1

    # With several threads a slow machine has them counted anew in the middle of a fit.
    with threadpool_limits(1, user_api="openmp"):
        sys.setprofile(note)
        try:
            call()
        finally:
            sys.setprofile(None)
    return calls


def summary(calls):
    """Return the numbers of files, of functions and of changes of file."""
    files = [file for file, _, _ in calls]
    functions = {(file, name) for file, name, _ in calls}
    changes = sum(a != b for a, b in pairwise(files))
    return len(set(files)), len(functions), changes


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(f"{'fit of':20}{'files':>10}{'functions':>10}{'changes':>10}")
    for name, estimator, X, y in fits():
        estimator.fit(X, y)  # what is imported or counted once is no part of it
        calls = trace(lambda model=estimator, X=X, y=y: model.fit(X, y))
        print("{:20}{:>10}{:>10}{:>10}".format(name, *summary(calls)))
        if "--calls" in sys.argv:
            for file, function, depth in calls:
                print(f"  {file:36}{'  ' * depth}{function}")
