"""One fit at a time, and all of it or nothing."""

import copy
import os
import pickle
import sys
import threading

import numpy as np
import pytest
from problems import first_step, quick
from sklearn.base import clone

from skrnn import RNNClassifier
from skrnn._data.guards import OneFit, restore_on_error

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def in_a_thread(call):
    """Return what a call gives, or raises, in another thread."""
    found = []

    def run():
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_second_fit_by_another_thread_is_refused(method):
    X, y = first_step(20)
    model = quick().fit(X, y)
    fitting = OneFit(model)
    refused = in_a_thread(lambda: getattr(model, method)(X, y))
    assert isinstance(refused, RuntimeError) and "clone" in str(refused)
    getattr(model, method)(X, y)  # a callback of its own, say
    # Copies are other estimators.
    fitting = OneFit(model)
    for other in (clone(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert in_a_thread(lambda other=other: other.fit(X, y)) is other
    assert isinstance(in_a_thread(lambda: getattr(model, method)(X, y)), RuntimeError)
    fitting.__exit__()
    assert in_a_thread(lambda: getattr(model, method)(X, y)) is model


def test_two_threads_that_start_at_once():
    X, y = first_step(60)
    model, ends = quick(max_iter=200, n_iter_no_change=np.inf), []
    together = threading.Barrier(4)

    def fit():
        together.wait()
        try:
            ends.append(model.fit(X, y))
        except RuntimeError as error:
            ends.append(error)

    threads = [threading.Thread(target=fit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 4 and model in ends
    assert model.n_iter_ == 200 and len(model.predict(X)) == 60


def test_every_way_out_ends_it():
    X, y = first_step(20)
    model = quick()
    with pytest.raises(ValueError, match="targets"):
        model.fit(X, y[:-1])
    assert in_a_thread(lambda: model.fit(X, y)) is model


def test_an_interrupt_on_its_way_out_ends_it():
    X, y = first_step(20)
    model = quick()

    def interrupt(frame, event, arg):
        if frame.f_code is OneFit.__exit__.__code__:
            raise KeyboardInterrupt

    sys.settrace(interrupt)
    try:
        model.fit(X, y)
    except KeyboardInterrupt:
        sys.settrace(None)
    else:
        raise AssertionError("nothing was interrupted")
    assert in_a_thread(lambda: model.fit(X, y)) is model


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_fits_on():
    model = RNNClassifier()
    fitting = OneFit(model)
    child = os.fork()
    if not child:
        os._exit(isinstance(in_a_thread(lambda: OneFit(model)), RuntimeError))
    assert os.waitpid(child, 0)[1] == 0
    fitting.__exit__()


# Rollback


def change(model, error, **known):
    """Change attributes within the guard, and fail."""
    with restore_on_error(model) as undo:
        vars(undo).update(known)
        model._skl_callback_context = "theirs"
        model.extra_ = 0
        del model.alpha
        raise error


def test_a_failure_leaves_every_attribute():
    model = RNNClassifier((3,))
    before = vars(model).copy()
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            change(model, error)
        assert vars(model) == {**before, "_skl_callback_context": "theirs"}


def test_an_interrupt_that_is_kept():
    model = RNNClassifier()
    with pytest.raises(KeyboardInterrupt):
        change(model, KeyboardInterrupt, keeps_interrupts=True)
    assert model.extra_ == 0 and not hasattr(model, "alpha")


class Interrupt:
    """Raise KeyboardInterrupt at the k-th place that a trace comes to."""

    def __init__(self, k, is_watched, opcodes=False):
        self.k, self.places, self.is_watched, self.opcodes = k, 0, is_watched, opcodes

    def __call__(self, frame, event, arg):
        if not self.is_watched(frame.f_code):
            return None
        frame.f_trace_opcodes = self.opcodes
        self.places += 1
        if self.places == self.k:
            raise KeyboardInterrupt
        return self


def interrupted(interrupt, call):
    """Call under a trace; returns whether the place was come to."""
    sys.settrace(interrupt)
    try:
        call()
    except (KeyboardInterrupt, ValueError):
        pass
    finally:
        sys.settrace(None)
    return interrupt.places >= interrupt.k


def test_an_interrupt_of_the_rollback_loses_no_parameter():
    code = restore_on_error.__exit__.__code__

    def fail(model):
        with restore_on_error(model):
            raise ValueError

    for k in range(1, 200):
        model = RNNClassifier()
        goes_on = interrupted(Interrupt(k, lambda c: c is code, True), lambda m=model: fail(m))
        assert vars(RNNClassifier()).keys() <= vars(model).keys()
        if not goes_on:
            break
    assert 5 < k < 199


@pytest.mark.parametrize("warm", [False, True])
def test_what_an_epoch_records_agrees_wherever_it_is_interrupted(warm):
    X, y = first_step(12)
    data = pickle.dumps(quick(hidden_layer_sizes=(2,), max_iter=2, warm_start=warm).fit(X, y))
    for k in range(1, 4000, 7):
        model = pickle.loads(data)
        watched = Interrupt(k, lambda c: "_base" in c.co_filename)
        goes_on = interrupted(watched, lambda m=model: m.fit(X, y))
        curve = model.loss_curve_
        assert hasattr(model, "loss_") == (len(curve) > 0)
        assert not curve or curve[-1] == model.loss_
        assert model.n_iter_ in (len(curve), len(curve) - 2)  # those of this fit
        if not goes_on:
            break
    assert 50 < k < 3990
