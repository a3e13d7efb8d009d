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
from skrnn._guards import OneFit

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
    fitting.ends()
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
        if frame.f_code.co_name == "ends":
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
    fitting.ends()
