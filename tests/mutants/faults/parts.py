"""Faults of single parts of the kernels, each caught by the tests of that part alone."""

from faults import Fault

FAULTS = [
    Fault(
        "sorting a batch: sequences of one length are turned round",
        "_kernels/batch.pxd",
        "    for b in range(B):\n        length = offsets",
        "    for b in range(B - 1, -1, -1):\n        length = offsets",
        "kernels/test_batch.py::test_order_is_a_stable_sort_by_falling_length",
    ),
    Fault(
        "sorting a batch: a sequence that joins starts from the state of the first",
        "_kernels/batch.pxd",
        "-1 - (lo + known)",
        "-1 - lo",
        "kernels/test_batch.py::test_runs_lead_to_the_row_of_the_step_before",
    ),
    Fault(
        "packing: the second direction of the layer below follows the first without padding",
        "_kernels/pack.pxd",
        "group * K * LANES + s * stride * n * LANES",
        "group * K * LANES + s * width * n * LANES",
        "kernels/test_pack.py::test_column_block",
    ),
    Fault(
        "packing: the last vector of a transposed row is taken as a full one",
        "_kernels/pack.pxd",
        "lanes = imin(LANES, width - at % stride)",
        "lanes = LANES if width >= LANES else width",
        "kernels/test_pack.py::test_transposed",
    ),
    Fault(
        "places of tokens: equal tokens change places",
        "_kernels/embedding.pxd",
        "tokens[source[i]] <= tokens[source[j]]",
        "tokens[source[i]] < tokens[source[j]]",
        "kernels/test_embedding.py::test_places_are_sorted_by_token_and_then_by_place",
    ),
    Fault(
        "panels: added from the first on whatever the order",
        "_kernels/weight_gradients.pxd",
        "return (panel if g.order > 0 else panels(g) - 1 - panel) * SUM_ROWS",
        "return panel * SUM_ROWS",
        "kernels/test_weight_gradients.py::test_panels_are_added_in_their_order",
    ),
    Fault(
        "panels: the last, shorter one is never complete",
        "_kernels/weight_gradients.pxd",
        "return imin(n0 + SUM_ROWS, g.N) <= done",
        "return n0 + SUM_ROWS <= done",
        "kernels/test_weight_gradients.py::test_order_and_completeness",
    ),
    Fault(
        "stealing: a quarter is left in place of a half",
        "_kernels/work_stealing.pxd",
        "while before + steps_left(net, task, b, i) // 2 < left // 2:",
        "while before < left // 4:",
        "kernels/test_work_stealing.py::test_half_of_what_is_left_is_stolen",
    ),
]
