"""Faults of the scale of X."""

from faults import Fault

FAULTS = [
    Fault(
        "scaling: what is held out is counted",
        "_base/input_scale.py",
        "(~held).astype(np.float64) if weights is None",
        "np.ones(len(held)) if weights is None",
        "base/test_input_scale.py::test_what_is_held_out_is_not_counted",
    ),
    Fault(
        "scaling: weights do not count",
        "_base/input_scale.py",
        "(shares if w is None else shares * w)",
        "(shares)",
        "base/test_input_scale.py::test_a_weight_counts_as_repetitions",
    ),
    Fault(
        "scaling: squares without weights",
        "_base/input_scale.py",
        "(off if w is None else off * w)",
        "(off)",
        "base/test_input_scale.py::test_a_weight_counts_as_repetitions",
    ),
    Fault(
        "scaling: a step of one feature is stretched",
        "_base/input_scale.py",
        " or x.shape[1] != len(self._input_center)",
        "",
        "base/test_input_scale.py::test_a_step_of_one_feature_is_not_stretched",
    ),
    Fault(
        "scaling: steps are read as they are",
        "_base/streaming.py",
        "x if self._input_scale is None else self._scaled_step(x)",
        "x",
        "base/test_input_scale.py::test_steps_are_scaled",
    ),
    Fault(
        "scaling: the folded bias lacks the center",
        "_base/input_scale.py",
        "- (W * center).sum(axis=1)",
        "",
        "base/test_input_scale.py::test_weights_are_those_of_a_network_that_reads_x_as_it_is",
    ),
    Fault(
        "scaling: too large goes on as infinity",
        "_base/input_scale.py",
        "if not (-largest <= block.min()",
        "if False and not (-largest <= block.min()",
        "base/test_input_scale.py::test_too_far_from_the_training_data",
    ),
    Fault(
        "scaling: stores are read as they are",
        "_base/input_scale.py",
        "        if sequences.is_stored:\n            return replace(",
        "        if sequences.is_stored:\n            return sequences or replace(",
        "base/test_input_scale.py::test_a_store_is_scaled_as_what_is_in_memory",
    ),
]
