"""Calls of the kernels as estimators make them, to be made again with arguments that do not fit."""

import copy

import numpy as np

import skrnn._kernels

ENTRIES = (
    "train", "predict", "rollout", "inspect_batch", "sample", "likelihood", "translate_train",
    "translate_decode", "translate_inspect_batch",
)  # fmt: skip


class Recorder:
    """Stands for a compiled module, and notes the calls of its entries."""

    def __init__(self, engine, calls):
        self._engine, self._calls = engine, calls

    def __getattr__(self, name):
        found = getattr(self._engine, name)
        if name not in ENTRIES:
            return found

        def entry(*args, **kwargs):
            plan, *rest = args
            self._calls.append((name, plan, copy.deepcopy(rest), copy.deepcopy(kwargs)))
            return found(*args, **kwargs)

        return entry


def recorded(model, call, monkeypatch):
    """Return [(entry, plan, other arguments, keywords)] of what `call(model)` asks the kernels."""
    calls: list = []

    def get_engine(dtype, level):
        return Recorder(skrnn._kernels.get_engine(dtype, level), calls)

    vars(model).pop("_plan", None)
    with monkeypatch.context() as patch:
        patch.setattr("skrnn._network.plan.get_engine", get_engine)
        # An epoch is one call: a workspace that has been used cannot be copied under sanitizers.
        patch.setattr("skrnn._network.threads.FIRST_SLICE", 10**9)
        call(model)
    return calls


def leaves(value, path=()):
    """Yield (path, part) of every array and integer within lists, tuples and dicts."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, (list, tuple)):
        for key, part in enumerate(value):
            yield from leaves(part, (*path, key))
    elif isinstance(value, (np.ndarray, int)) and not isinstance(value, bool):
        yield path, value


def replaced(value, path, part):
    """Return a copy of nested lists, tuples and dicts with one part replaced."""
    if not path:
        return part
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: replaced(value[key], rest, part)}
    items = [replaced(item, rest, part) if k == key else item for k, item in enumerate(value)]
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def replay(call, args, kwargs):
    """Make a recorded call with other arguments, on copies."""
    name, plan, _, _ = call
    return getattr(plan.engine, name)(plan, *copy.deepcopy(args), **copy.deepcopy(kwargs))
