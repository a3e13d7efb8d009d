"""Plant faults in the kernels, one at a time, and see that the tests catch each of them.

    python tests/planted_faults.py            all
    python tests/planted_faults.py adam gru   those whose description holds one of the words

The tree is copied to a temporary folder; there one instruction set and float64 are built with each
fault and the kernels' tests are run up to the first failure. A fault is caught when an assertion
fails: a build that breaks or a run that dies proves nothing. Exit status 1 if one is missed, or if
the text it replaces is not found exactly once.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "skrnn", "tests")
TESTS = ("test_gradients", "test_crf", "test_parity", "test_elementary", "test_bits")
PRECISION = "f64"


class Fault(NamedTuple):
    """One fault: in `file` of skrnn, `old` becomes `new`."""

    what: str
    file: str
    old: str
    new: str


FAULTS = [
    # -- cells --
    Fault(
        "LSTM: gates f and g swapped",
        "_kernels/lstm.pxd",
        "f = sigmoid(z[1])\n    cdef vec g = tanh_vec(z[2])",
        "f = sigmoid(z[2])\n    cdef vec g = tanh_vec(z[1])",
    ),
    Fault(
        "LSTM: dc passes the forget gate unchanged",
        "_kernels/lstm.pxd",
        "store(dc + u * LANES, d_cell * f)",
        "store(dc + u * LANES, d_cell)",
    ),
    Fault(
        "LSTM: tanh' of the cell state missing",
        "_kernels/lstm.pxd",
        "d * o * (1 - tanh_c * tanh_c)",
        "d * o",
    ),
    Fault(
        "GRU: gates r and z swapped in the plan",
        "_plan.py",
        "rz = np.tile([0, 1], blocks)",
        "rz = np.tile([1, 0], blocks)",
    ),
    Fault(
        "GRU: carry z * dh dropped",
        "_kernels/gru.pxd",
        "store(dh + u * LANES, d * z)",
        "store(dh + u * LANES, d - d)",
    ),
    Fault(
        "GRU: reset gate missing in the gradient of its product",
        "_kernels/gru.pxd",
        "store(at_m, da_n * r)",
        "store(at_m, da_n)",
    ),
    Fault(
        "rnn: derivative of logistic is that of tanh",
        "_kernels/rnn.pxd",
        "d * y * (1 - y)",
        "d * (1 - y * y)",
    ),
    # -- the time loop --
    Fault(
        "dW_hh from h_t instead of h_{t-1}",
        "_kernels/network.pxd",
        "layer.row_hh, layer.h_in, layer.plan.Hp, 1,",
        "layer.row_hh, layer.y, layer.ldy, 1,",
    ),
    Fault(
        "backward pass leaves out the first step",
        "_kernels/scan.pxd",
        "for s in range(net.T):\n        t = net.T - 1 - s if",
        "for s in range(net.T - 1):\n        t = net.T - 1 - s if",
    ),
    Fault(
        "second direction not reversed",
        "_plan.py",
        '"direction": 1 - 2 * direction',
        '"direction": 1',
    ),
    Fault(
        "initial cell state taken from h0",
        "_kernels/scan.pxd",
        "return layer.c0 + b * layer.plan.Hp",
        "return layer.h0 + b * layer.plan.Hp",
    ),
    Fault(
        "truncated BPTT cut one step early",
        "_kernels/scan.pxd",
        "left % net.plan.bptt_steps == 0",
        "(left + 1) % net.plan.bptt_steps == 0",
    ),
    Fault(
        "truncated BPTT counted from the start of the sequence",
        "_kernels/scan.pxd",
        "left = net.lengths[b] - t if layer.plan.direction > 0 else t + 1",
        "left = t + 1 if layer.plan.direction > 0 else net.lengths[b] - t",
    ),
    Fault(
        "recurrent mask missing in the backward pass",
        "_kernels/scan.pxd",
        "acc[r * BLOCK_COLS + c] * load(layer.mask + at)",
        "acc[r * BLOCK_COLS + c]",
    ),
    Fault(
        "dx of one direction only",
        "_kernels/network.pxd",
        "NULL, d > 0)",
        "NULL, False)",
    ),
    Fault(
        "second bias without gradient",
        "_kernels/network.pxd",
        "&hh, layer.dw_hh, layer.db_hh,",
        "&hh, layer.dw_hh, NULL,",
    ),
    # -- dropout --
    Fault(
        "dropout between layers missing in the backward pass",
        "_kernels/network.pxd",
        "level_dropout(net, dx, dx, net.N, layer - dirs, level)",
        "pass",
    ),
    Fault(
        "dropout before the head missing in the backward pass",
        "_kernels/network.pxd",
        "level_dropout(net, net.dfeatures, net.dfeatures, net.R, top, net.plan.n_levels)",
        "pass",
    ),
    Fault(
        "dropout does not scale up what it keeps",
        "_kernels/batch.pxd",
        "<real> (1.0 / (1.0 - rate))",
        "1",
    ),
    Fault(
        "every layer and direction draws the same recurrent mask",
        "_kernels/network.pxd",
        "mix64(net.seed, 2 * k + 1)",
        "mix64(net.seed, 1)",
    ),
    # -- heads --
    Fault(
        "last pooling: final step of the second direction too",
        "_kernels/heads.pxd",
        "net.first[net.lengths[b] - 1] + b if direction > 0 else b",
        "net.first[net.lengths[b] - 1] + b",
    ),
    Fault(
        "mean pooling: gradient not divided",
        "_kernels/heads.pxd",
        "row[k] = d_out[k] * share",
        "row[k] = d_out[k]",
    ),
    Fault(
        "max pooling: the last of equals wins",
        "_kernels/heads.pxd",
        "if row[k] > out[k]:",
        "if row[k] >= out[k]:",
    ),
    Fault(
        "softmax: first column of the padding counts as a maximum",
        "_kernels/heads.pxd",
        "for j in range(n_outputs, Op):\n        out[j] = low",
        "for j in range(n_outputs + 1, Op):\n        out[j] = low",
    ),
    Fault(
        "squared error: gradient twice too large",
        "_kernels/heads.pxd",
        "residual * weight / M",
        "2 * residual * weight / M",
    ),
    Fault(
        "sample weights ignored",
        "_kernels/network.pxd",
        "1.0 if weights == NULL else weights[at]",
        "1.0",
    ),
    Fault(
        "labels of -1 count",
        "_kernels/network.pxd",
        "labels[at] < 0:\n                net.row_weight[r] = 0",
        "labels[at] < 0:\n                pass",
    ),
    Fault(
        "absolute error: the sign forgotten",
        "_kernels/heads.pxd",
        "dz[j] = <real> (-weight / M)",
        "dz[j] = <real> (weight / M)",
    ),
    Fault(
        "quantile: the levels the wrong way round",
        "_kernels/heads.pxd",
        "dz[j * Q + q] = <real> ((1 - p[q]) * weight / M)",
        "dz[j * Q + q] = <real> (p[q] * weight / M)",
    ),
    Fault(
        "gaussian: no gradient of the deviation's own term",
        "_kernels/heads.pxd",
        "dz[2 * j + 1] = <real> ((1 - r * r) * share)",
        "dz[2 * j + 1] = <real> (-r * r * share)",
    ),
    Fault(
        "a row without any number counts",
        "_kernels/network.pxd",
        "elif targets != NULL and all_missing(targets + at * M, M):",
        "elif False:",
    ),
    # -- batches and embedding --
    Fault(
        "order of the batch forgotten",
        "_kernels/batch.pxd",
        "net.order[t] = chosen[b]",
        "net.order[t] = b",
    ),
    Fault(
        "embedding: places of a token not summed",
        "_kernels/batch.pxd",
        "to[k] += source[k]",
        "to[k] = source[k]",
    ),
    Fault(
        "embedding: gradient left out of the global norm",
        "_kernels/engine.pyx",
        "sqrt(g2 + touched_squares(net))",
        "sqrt(g2)",
    ),
    Fault(
        "embedding: every column takes the first one's gradient",
        "_kernels/batch.pxd",
        "order[p] * net.ld_dx + column.place",
        "order[p] * net.ld_dx",
    ),
    Fault(
        "word dropout: all columns of a step drop together",
        "_kernels/batch.pxd",
        "mix64(seed, c) < threshold",
        "mix64(seed, 0) < threshold",
    ),
    # -- CRF --
    Fault(
        "CRF: start scores missing",
        "_kernels/crf.pxd",
        "memcpy(a, net.crf_scores, Op * sizeof(real))",
        "memset(a, 0, Op * sizeof(real))",
    ),
    Fault(
        "CRF: backward sums go along the transitions the wrong way",
        "_kernels/crf.pxd",
        "net.crf_rows, net.crf_scores + Op, 1, Op, K, Op)",
        "net.crf_columns, net.crf_scores + Op, Op, 1, K, Op)",
    ),
    Fault(
        "CRF: pairs' marginals without the transition",
        "_kernels/crf.pxd",
        "splat(e[i]) * load(net.crf_columns + i * Op + j)",
        "splat(e[i])",
    ),
    Fault(
        "CRF: end scores missing in log Z",
        "_kernels/crf.pxd",
        "load(before + j) + load(net.crf_scores + (K + 1) * Op + j)",
        "load(before + j)",
    ),
    Fault(
        "CRF: what is counted of the path lacks its end",
        "_kernels/crf.pxd",
        "    grads[(K + 1) * Op + before] -= f",
        "    pass",
    ),
    Fault(
        "CRF: steps without a label not summed over",
        "_kernels/crf.pxd",
        "label_at(net, labels, first, t, b), Op)\n        for j from 0 <= j < Op by LANES:\n"
        "            store(a + j",
        "-1, Op)\n        for j from 0 <= j < Op by LANES:\n            store(a + j",
    ),
    Fault(
        "CRF: small sums taken as they are",
        "_kernels/crf.pxd",
        "if sums[j] < SMALLEST_SUM:\n            out[j]",
        "if sums[j] < 0:\n            out[j]",
    ),
    Fault(
        "CRF: a sequence weighs the sum of its steps",
        "_kernels/crf.pxd",
        "return total / counted if counted else 0",
        "return total",
    ),
    Fault(
        "CRF: the gradient of the last sequence only",
        "_kernels/crf.pxd",
        "to[j] += net.crf_grads",
        "to[j] = net.crf_grads",
    ),
    Fault(
        "Viterbi: goes back along the transitions the wrong way",
        "_kernels/crf.pxd",
        "T + y, Op, K)",
        "T + y * Op, 1, K)",
    ),
    # -- optimiser --
    Fault(
        "L2 without gradient",
        "_kernels/optim.pxd",
        "net.grads[k] += factor * net.params[k]",
        "pass",
    ),
    Fault(
        "L2 on the head's bias too",
        "_plan.py",
        '"weight_hh", "head_weight")',
        '"weight_hh", "head")',
    ),
    Fault(
        "clipping off",
        "_kernels/engine.pyx",
        "scale = opt.max_norm / norm",
        "scale = 1",
    ),
    Fault(
        "Adam: bias correction missing",
        "_kernels/optim.pxd",
        "opt.learning_rate * sqrt(1 - opt.beta_2 ** opt.step) / (1 - opt.beta_1 ** opt.step)",
        "opt.learning_rate",
    ),
    Fault(
        "sgd: Nesterov's look ahead missing",
        "_kernels/optim.pxd",
        "p[k] += mu * m[k] - lr * g",
        "p[k] += m[k]",
    ),
    # -- tile, sums, bits --
    Fault(
        "tile of 5 rows computes 4",
        "_kernels/simd.h",
        "tile_body(R, C, K,",
        "tile_body(R == 5 ? 4 : R, C, K,",
    ),
    Fault(
        "weight gradient ends with its first panel of rows",
        "_kernels/linear.pxd",
        "for n0 from 0 <= n0 < g.N by SUM_ROWS:",
        "for n0 from 0 <= n0 < imin(g.N, SUM_ROWS) by SUM_ROWS:",
    ),
    Fault(
        "weight gradient: last input column of a task left out",
        "_kernels/linear.pxd",
        "cdef idx K = imin(g.run, g.width - k0)",
        "cdef idx K = imin(g.run - 1, g.width - k0)",
    ),
    Fault(
        "exp: low part of ln 2 missing",
        "_kernels/simd.h",
        "vec r = (x - whole * LN2_HI) - whole * LN2_LO;",
        "vec r = x - whole * LN2_HI;",
    ),
    Fault(
        "a row alone gets other last bits",
        "_kernels/simd.h",
        "vec ar = splat(a[r * a_row]);",
        "vec ar = splat(a[r * a_row]) * (R == 1 ? REAL(1.0000000000000002) : 1);",
    ),
    Fault(
        "global norm summed in an order that depends on the threads",
        "_kernels/engine.pyx",
        "g2 += net.partial[2 * k]",
        "g2 += net.partial[2 * (k if net.threads < 3 else net.plan.n_chunks - 1 - k)]",
    ),
]


def environment(tree, level):
    """Return what builds and tests see: one variant, one level, this tree."""
    return os.environ | {
        "SKRNN_VARIANTS": f"{level}_{PRECISION}",
        "SKRNN_ISA": level,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "1000",
    }


def run(tree, level, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree, env=environment(tree, level), capture_output=True, text=True, check=False,
    )  # fmt: skip


def build(tree, level):
    return run(tree, level, "setup.py", "-q", "build_ext", "--inplace")


def test(tree, level):
    """Run the kernels' tests; returns (verdict, what says so)."""
    files = [f"tests/{name}.py" for name in TESTS]
    done = run(
        tree, level, "-m", "pytest", "-x", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider",
        "-o", "addopts=", *files,
    )  # fmt: skip
    if done.returncode == 0:
        return "missed", "all tests pass"
    pattern = r"^FAILED tests/(\S+?\.py::\w+).*? - (?:assert |AssertionError)"
    failure = re.search(pattern, done.stdout, re.MULTILINE)
    if done.returncode == 1 and failure:
        return "caught", failure[1]
    return "broken", (done.stdout + done.stderr).strip()[-2000:]


def plant(tree, level, fault):
    """Build and test with one fault; returns (verdict, what says so)."""
    path = tree / "skrnn" / fault.file
    sound = path.read_text()
    if (found := sound.count(fault.old)) != 1:
        return "not planted", f"text found {found} times in {fault.file}"
    path.write_text(sound.replace(fault.old, fault.new))
    try:
        built = build(tree, level)
        if built.returncode:
            return "broken", built.stderr[-2000:]
        return test(tree, level)
    finally:
        path.write_text(sound)


def copy_tree(tree):
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=ignore)
        elif source.exists():
            shutil.copy(source, tree / name)


def choose_level(tree):
    """Best instruction set of this machine, as the copy's own build finds it."""
    code = "import skrnn._kernels.cpu as cpu; print(cpu.__file__); print(cpu.levels()[0])"
    where, level = run(tree, "base", "-c", code).stdout.split()
    if not Path(where).is_relative_to(tree):
        sys.exit(f"the tests would import skrnn from {where}, not from the copy")
    return os.environ.get("SKRNN_ISA") or level


def main(words):
    chosen = [
        fault
        for fault in FAULTS
        if not words or any(word.lower() in fault.what.lower() for word in words)
    ]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve()
        copy_tree(tree)
        build(tree, "base")
        level = choose_level(tree)
        build(tree, level)
        verdict, detail = test(tree, level)
        if verdict != "missed":
            sys.exit(f"without any fault the tests must pass:\n{detail}")
        print(
            f"{len(chosen)} faults, {level}, {PRECISION}; without any, the tests pass", flush=True
        )
        escaped = 0
        for fault in chosen:
            start = time.perf_counter()
            verdict, detail = plant(tree, level, fault)
            escaped += verdict != "caught"
            seconds = time.perf_counter() - start
            print(f"{verdict:12}{seconds:5.0f} s  {fault.what:60}{detail}", flush=True)
    print(f"{len(chosen) - escaped} of {len(chosen)} caught")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
