"""Faults of truncated BPTT in the memory of a chunk."""

from faults import Fault

FAULTS = [
    Fault(
        "truncated BPTT: the gradient is that of the last pass",
        "_kernels/truncated_bptt.pxd",
        "total[k] += net.grads[k]",
        "total[k] = net.grads[k]",
        "kernels/test_truncated.py::test_chunks_have_the_oracles_gradients",
    ),
    Fault(
        "truncated BPTT: a chunk starts from zero",
        "_kernels/truncated_bptt.pxd",
        "elif begins(branch, b):",
        "elif True:",
        "kernels/test_truncated.py::test_chunks_have_the_oracles_gradients",
    ),
    Fault(
        "truncated BPTT: a chunk's loss is a mean over the chunk",
        "_kernels/truncated_bptt.pxd",
        "net.seed, size.rows",
        "net.seed, 0",
        "kernels/test_truncated.py::test_chunks_have_the_oracles_gradients",
    ),
    Fault(
        "truncated BPTT: the maximum is looked for in each chunk",
        "_kernels/heads/pooling.pxd",
        "d_out[k] if at[k] == t0 + t else 0",
        "d_out[k] if at[k] == t else 0",
        "kernels/test_truncated.py::test_chunks_have_the_oracles_gradients",
    ),
    Fault(
        "truncated BPTT: joined pooling gives every chunk's end the final state's gradient",
        "_kernels/heads/pooling.pxd",
        "if t0 == 0 if top.plan.direction < 0 else t0 + net.lengths[b] == length:",
        "if True:",
        "kernels/test_truncated.py::test_chunks_have_the_oracles_gradients",
    ),
    Fault(
        "truncated BPTT: an embedding row has the gradient of the last pass",
        "_kernels/truncated_bptt.pxd",
        "to[k] += source[k]",
        "to[k] = source[k]",
        "kernels/test_truncated.py::test_dropout_and_embeddings",
    ),
    Fault(
        "truncated BPTT: embedding rows of the last pass alone are moved",
        "_kernels/truncated_bptt.pxd",
        "passes.touched + base, passes.n_touched[c]",
        "net.touched_rows[c], 0",
        "kernels/test_truncated.py::test_a_fit_in_chunks_is_the_fit_of_whole_sequences",
    ),
]
