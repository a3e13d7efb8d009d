"""Faults of what is checked: at the border of the kernels, in states, in calls that fail."""

from faults import Fault

FAULTS = [
    Fault(
        "border: a label one beyond the outputs",
        "_kernels/entries/checks.pxi",
        "            if labels[at] >= O:",
        "            if labels[at] > O:",
        "kernels/test_border.py::test_an_index_beyond_is_refused",
    ),
    Fault(
        "border: fewer weights than targets",
        "_kernels/entries/checks.pxi",
        "(weights is not None and weights.shape[0] != n)",
        "(weights is not None and weights.shape[0] > n)",
        "kernels/test_border.py::test_a_short_array_is_refused",
    ),
    Fault(
        "border: offsets that turn back",
        "_kernels/entries/checks.pxi",
        "<= starts[batch_indices[b] + 1] <= n_rows",
        "<= starts[batch_indices[b] + 1]",
        "kernels/test_border.py::test_offsets_that_turn_back_are_refused",
    ),
    Fault(
        "border: a decoder that cannot read its outputs",
        "_kernels/entries/beam_search.pxi",
        "model.decoder.columns[0].rows < model.decoder.plan.n_outputs",
        "model.decoder.columns[0].rows < model.decoder.plan.n_outputs - 1",
        "kernels/test_border.py::test_a_decoder_that_cannot_read_what_it_says_is_refused",
    ),
    Fault(
        "plan: embeddings of negative size",
        "_network/plan.py",
        "min(sizes) < 1 or n_outputs < 0",
        "n_outputs < 0",
        "kernels/test_border.py::test_a_plan_of_no_network_is_refused",
    ),
    Fault(
        "state: more classes than outputs",
        "_base/persistence.py",
        "classes.shape != (plan.n_outputs,)",
        "classes.ndim != 1",
        "base/test_persistence.py::test_what_does_not_fit_is_refused",
    ),
    Fault(
        "state: a loss that the class does not have",
        "_base/persistence.py",
        "        if architecture.get(key) not in allowed[key]:",
        "        if architecture.get(key) is None:",
        "base/test_persistence.py::test_what_does_not_fit_is_refused",
    ),
    Fault(
        "state: any number of halvings",
        "_base/persistence.py",
        'parts.get("halvings"), MAX_HALVINGS)',
        'parts.get("step"))',
        "base/test_persistence.py::test_counters_of_the_optimizer_are_looked_at",
    ),
    Fault(
        "guards: other threads fit too",
        "_data/guards.py",
        "other._thread != self._thread",
        "other._thread is None",
        "data/test_guards.py::test_a_second_fit_by_another_thread_is_refused",
    ),
    Fault(
        "guards: a failure stays",
        "_data/guards.py",
        "        self._estimator.__dict__ = self._before\n",
        "",
        "data/test_guards.py::test_a_failure_leaves_every_attribute",
    ),
    Fault(
        "files: arrays that older versions of NumPy cannot load",
        "_base/portable.py",
        "return value if not fits or objects else Portable(value)",
        "return value",
        "base/test_portable.py::test_a_value_comes_back",
    ),
]
