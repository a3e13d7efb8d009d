"""The abstract class of all estimators: what it leaves to them."""

import inspect

import pytest

import skrnn
from skrnn._base.estimator import BaseRecurrentNetwork
from skrnn._base.streaming import StreamingMixin

SHARED = (BaseRecurrentNetwork, StreamingMixin)
ESTIMATORS = [
    getattr(skrnn, name) for name in skrnn.__all__ if inspect.isclass(getattr(skrnn, name))
]


def replaced():
    """Return {name: shared method} of the private methods that an estimator has of its own."""
    found = {}
    for make in ESTIMATORS:
        for cls in make.__mro__[: make.__mro__.index(BaseRecurrentNetwork)]:
            if cls.__module__.partition(".")[0] != "skrnn" or cls in SHARED:
                continue
            for name, thing in vars(cls).items():
                if inspect.isfunction(thing) and name.startswith("_") and name[1] != "_":
                    for base in SHARED:
                        if name in vars(base):
                            found[name] = vars(base)[name]
    return found


def test_estimators_fill_in_at_most_ten_methods():
    methods = replaced()
    assert len(methods) <= 10, sorted(methods)
    for name, method in methods.items():
        doc = inspect.getdoc(method)
        assert doc and "Called" in doc, f"{name} does not say when it is called"
        taken = set(inspect.signature(method).parameters) - {"self"}
        assert not taken or "Parameters\n---" in doc, name
        assert "Returns\n---" in doc or "to be filled" in doc, name


def test_the_shared_class_is_abstract():
    with pytest.raises(TypeError, match=r"abstract.* fit"):
        BaseRecurrentNetwork()


def test_no_variable_of_a_loop_is_left_in_a_class():
    for make in ESTIMATORS:
        left = {name for name, thing in vars(make).items() if isinstance(thing, str)}
        assert left <= {"__module__", "__doc__", "_loss"}, make
