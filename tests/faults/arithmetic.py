"""Faults of what everything is computed with: optimiser, tile, sums, elementary functions."""

from faults import Fault

FAULTS = [
    # -- optimiser --
    Fault(
        "L2 without gradient",
        "_kernels/optim.pxd",
        "g[k] += factor * w[k]",
        "pass",
        "test_gradients.py::test_every_network_against_the_oracle",
    ),
    Fault(
        "L2 on the head's bias too",
        "_plan.py",
        '"weight_hh", "head_weight")',
        '"weight_hh", "head")',
        "test_gradients.py::test_every_network_against_the_oracle",
    ),
    Fault(
        "clipping off",
        "_kernels/engine.pyx",
        "scale = opt.max_norm / norm",
        "scale = 1",
        "test_parity.py::test_mini_batches",
    ),
    Fault(
        "Adam: bias correction missing",
        "_kernels/optim.pxd",
        "opt.learning_rate * sqrt(1 - opt.beta_2 ** opt.step) / (1 - opt.beta_1 ** opt.step)",
        "opt.learning_rate",
        "test_parity.py::test_mini_batches",
    ),
    Fault(
        "sgd: Nesterov's look ahead missing",
        "_kernels/optim.pxd",
        "p[k] += mu * m[k] - lr * g",
        "p[k] += m[k]",
        "test_parity.py::test_mini_batches",
    ),
    # -- tile, sums, bits --
    Fault(
        "tile of 5 rows computes 4",
        "_kernels/simd.h",
        "vec ar = splat(a[r * a_row]);",
        "vec ar = splat(R == 5 && r == 4 ? 0 : a[r * a_row]);",
        "test_gradients.py::test_every_network_against_the_oracle",
    ),
    Fault(
        "tile of two sums: the first is lost",
        "_kernels/simd.h",
        "tile_add(R, AH, CH, s, Kh, h, h_row, 1, wh, CH * LANES);",
        "tile_load(R, C, s, start, start_row);                               \\\n"
        "        tile_add(R, AH, CH, s, Kh, h, h_row, 1, wh, CH * LANES);",
        "test_gradients.py::test_every_network_against_the_oracle",
    ),
    Fault(
        "dh: what came from above is forgotten where the product is added",
        "_kernels/scan.pxd",
        "1, layer.pack_dh + block * K * LANES, dh, Hp, dh, Hp)",
        "1, layer.pack_dh + block * K * LANES, layer.dh, 0, dh, Hp)",
        "test_gradients.py::test_every_network_against_the_oracle",
    ),
    Fault(
        "weight gradient ends with its first panel of rows",
        "_kernels/linear.pxd",
        "for p in range(panel, panels(w.g)):",
        "for p in range(panel, imin(panel + 1, panels(w.g))):",
        "test_gradients.py::test_large_sizes",
    ),
    Fault(
        "weight gradient within the time loop: a panel twice",
        "_kernels/gradients.pxd",
        "finish_task(&sums[task // each].tasks[task % each], sums[task // each].panel)",
        "finish_task(&sums[task // each].tasks[task % each], 0)",
        "test_bits.py::test_sequences_taken_over",
    ),
    Fault(
        "weight gradient within the time loop is not gone on with",
        "_kernels/gradients.pxd",
        "if sums[k].panel < panels(&sums[k].ih):",
        "if False:",
        "test_bits.py::test_sequences_taken_over",
    ),
    Fault(
        "weight gradient within the time loop: a panel before its rows are complete",
        "_kernels/linear.pxd",
        "else n0 >= done",
        "else n0 + SUM_ROWS > done",
        "test_gradients.py::test_slices",
    ),
    Fault(
        "the same in the direction from the last step to the first",
        "_kernels/linear.pxd",
        "return imin(n0 + SUM_ROWS, g.N) <= done",
        "return n0 < done",
        "test_gradients.py::test_slices",
    ),
    Fault(
        "weight gradient within the time loop: sums of dW_hh over those of dW_ih",
        "_kernels/gradients.pxd",
        "start_tasks(sums.tasks + sums.n, &sums.hh, scratch + sums_size(&sums.ih))",
        "start_tasks(sums.tasks + sums.n, &sums.hh, scratch)",
        "test_gradients.py::test_slices",
    ),
    Fault(
        "weight gradients in another order where threads share them",
        "_kernels/gradients.pxd",
        "ih.order = hh.order = -plan.direction",
        "ih.order = hh.order = -plan.direction if threads == 1 else plan.direction",
        "test_bits.py::test_gradients_of_slices_for_any_number_of_threads",
    ),
    Fault(
        "weight gradient: last input column of a task left out",
        "_kernels/linear.pxd",
        "w.K = imin(g.run, g.width - w.k0)",
        "w.K = imin(g.run - 1, g.width - w.k0)",
        "test_gradients.py::test_large_sizes",
    ),
    Fault(
        "exp: low part of ln 2 missing",
        "_kernels/simd.h",
        "return (x - whole * LN2_HI) - whole * LN2_LO;",
        "return x - whole * LN2_HI;",
        "test_elementary.py",
    ),
    Fault(
        "a row alone gets other last bits",
        "_kernels/simd.h",
        "vec ar = splat(a[r * a_row]);",
        "vec ar = splat(a[r * a_row]) * (R == 1 ? REAL(1.0000000000000002) : 1);",
        "test_bits.py",
    ),
    Fault(
        "global norm summed in an order that depends on the threads",
        "_kernels/engine.pyx",
        "g2 += net.partial[2 * k]",
        "g2 += net.partial[2 * (k if net.threads < 3 else net.plan.n_chunks - 1 - k)]",
        "test_bits.py::test_training_and_prediction_for_any_number_of_threads",
    ),
]
