"""Faults of an output layer that is computed in chunks of rows, and of snapshots."""

from faults import Fault

FAULTS = [
    Fault(
        "wide outputs: the weight gradient of the last chunk alone",
        "_kernels/heads/wide_output.pxd",
        "    if start == 0:\n        memset(net.grads + net.plan.head_w",
        "    if True:\n        memset(net.grads + net.plan.head_w",
        "kernels/test_wide_output.py::test_chunks_have_the_bits_of_the_whole",
    ),
    Fault(
        "wide outputs: gradients added to those of the batch before",
        "_kernels/heads/wide_output.pxd",
        "    if start == 0:\n        memset(net.grads + net.plan.head_w",
        "    if False:\n        memset(net.grads + net.plan.head_w",
        "kernels/test_wide_output.py::test_training_in_chunks",
    ),
    Fault(
        "wide outputs: targets of the first chunk for all",
        "_kernels/heads/wide_output.pxd",
        "at = target_of_row(net, offsets, start + first + r)",
        "at = target_of_row(net, offsets, first + r)",
        "kernels/test_wide_output.py::test_chunks_have_the_bits_of_the_whole",
    ),
    Fault(
        "wide outputs: a tile of the weight gradient writes over the row below",
        "_kernels/heads/wide_output.pxd",
        "    if cols * LANES == width:",
        "    if True:",
        "kernels/test_wide_output.py::test_chunks_have_the_bits_of_the_whole",
    ),
    Fault(
        "wide outputs: sums of exponentials in another order",
        "_kernels/heads/wide_output.pxd",
        "k = v % LANES * BLOCK_COLS",
        "k = 0",
        "kernels/test_wide_output.py::test_chunks_have_the_bits_of_the_whole",
    ),
    Fault(
        "wide outputs: outputs beyond the first SUM_OUTPUTS replace what dX has",
        "_kernels/heads/wide_output.pxd",
        "net.logits + v * ld + first, ld, cols, v > 0)",
        "net.logits + v * ld + first, ld, cols, False)",
        "kernels/test_wide_output.py::test_more_outputs_than_are_summed_at_a_time",
    ),
    Fault(
        "wide outputs: no gradient of the label",
        "_kernels/heads/wide_output.pxd",
        "(((<real*> at_label)[r] - rest - share) * weight[r])",
        "(((<real*> at_label)[r] - share) * weight[r])",
        "kernels/test_wide_output.py::test_chunks_have_the_bits_of_the_whole",
    ),
    Fault(
        "wide outputs: features of the second direction read at the first's place",
        "_kernels/heads/wide_output.pxd",
        "        x = net.ws_features + start * net.P + d * net.plan.Hp\n",
        "        x = net.ws_features + start * net.P\n",
        "kernels/test_wide_output.py::test_chunks_have_the_bits_of_the_whole",
    ),
    Fault(
        "wide outputs: gradients where only a loss is wanted",
        "_kernels/heads/wide_output.pxd",
        "        if not learns:\n            continue",
        "        if False:\n            continue",
        "kernels/test_wide_output.py::test_a_loss_alone_and_passes_over_chunks_of_steps",
    ),
    Fault(
        "snapshots: the last array is written first",
        "_network/optimizer.py",
        "        for array in arrays:\n            file.write",
        "        for array in arrays[::-1]:\n            file.write",
        "network/test_optimizer.py::test_what_was_copied_comes_back",
    ),
]
