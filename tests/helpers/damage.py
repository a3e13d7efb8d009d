"""Fitted estimators with a damaged state, in files and in use: refused or used, nothing else.

    python tests/helpers/damage.py 100000 [first]     so many mutants, from a number on

A mutant is a fitted estimator, of which some parts were replaced: by other sizes, types, names,
contents, or by the part of another estimator; weights are cut to what a changed architecture
needs, so that it is not they that are refused. Then some of its methods are called. Each call gives
a result, or `ValueError`, `TypeError` or `AttributeError`. What a number does, it does each time.
"""

import copy
import dataclasses
import faulthandler
import pickle
import signal
import sys
import time
import warnings
from functools import cache
from types import SimpleNamespace

import numpy as np
from problems import first_step, means, quick, tagged, token_lists

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._base.persistence import OPTIMIZER_KEY, make_plan
from skrnn.inspection import gradient_flow

REFUSED = (ValueError, TypeError, AttributeError)
SECONDS = 60  # of one mutant: more is taken for endless


def series(n=4, seed=0, width=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, width)).cumsum(axis=0) for length in rng.integers(9, 14, n)]


@cache
def models():
    """Return {name: (pickle of a fitted estimator, X, y)}."""
    rng = np.random.default_rng(0)
    words, tags = tagged(6)
    ids = [rng.integers(0, 4, (n, 2)) for n in (3, 1, 4, 2, 5, 2)]
    small = {"hidden_layer_sizes": (3,), "max_iter": 1, "warm_start": True, "batch_size": 4}
    forecaster = small | {"horizon": 2, "lookback": 4}
    chosen = {
        "classifier": (RNNClassifier, {"bidirectional": True}, *first_step(6)),
        "classifier, 2 layers": (
            RNNClassifier, {"hidden_layer_sizes": (3, 2), "cell": "gru", "pooling": "max"},
            *first_step(6),
        ),
        "classifier of tokens": (RNNClassifier, {"pooling": "mean"}, *token_lists(6)),
        "classifier of ids": (
            RNNClassifier, {"embedding_dim": 2, "cell": "rnn"}, ids, np.arange(6) % 3
        ),
        "regressor": (RNNRegressor, {"dtype": "float64", "solver": "sgd"}, *means(6, outputs=2)),
        "regressor of a number": (RNNRegressor, {"early_stopping": True}, *means(20)),
        "tagger": (LSTMTagger, {}, words, tags),
        "tagger, one direction": (LSTMTagger, {"bidirectional": False}, *first_tags()),
        "crf": (LSTMTagger, {"crf": True, "subwords": False}, words, tags),
        "tagger, characters": (
            LSTMTagger, {"subwords": "chars", "bidirectional": False}, words, tags,
        ),
        "forecaster": (LSTMForecaster, forecaster, series(), None),
        "forecaster, lags": (
            LSTMForecaster,
            forecaster | {"autoregression": 3, "difference": "season", "season_length": 2,
                          "n_targets": 1, "bptt_steps": 4},
            series(width=2), None,
        ),
        "quantiles": (
            LSTMForecaster, forecaster | {"loss": "quantile", "cell": "gru"}, series(), None
        ),
        "gaussian": (
            LSTMForecaster, forecaster | {"loss": "gaussian", "scaling": "series"},
            series(width=2), None,
        ),
        "language model": (LSTMLanguageModel, {"bptt_steps": 2}, words, None),
        "tied language model": (LSTMLanguageModel, {"tie_embeddings": True}, words, None),
        "language model of a stream": (
            LSTMLanguageModel, {"boundary_tokens": False}, [[0, 1, 2, 1, 0, 2, 1, 1]], None,
        ),
        "translator": (Seq2SeqTranslator, {"max_length": 5}, words, tags),
        "translator, additive": (
            Seq2SeqTranslator, {"attention": "additive", "beam_width": 2, "bidirectional": False},
            words, tags,
        ),
    }  # fmt: skip
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (make, params, X, y) in chosen.items():
            model = quick(make, **small | params).fit(X, y)
            if name == "forecaster":
                model.calibrate(X)
            found[name] = pickle.dumps(model), X, y
    return found


def first_tags():
    X, _ = first_step(6)
    return X, [["a", "b"][: len(x)] + ["a"] * (len(x) - 2) for x in X]


# What is done with a mutant: (name, call of (model, X, y, rng)).


def some(X, rng):
    return X[: int(rng.integers(1, len(X) + 1))]


def steps(model, X, y, rng):
    state = model.initial_state(2)
    x = [x[:1] for x in X[:2]]
    x = [row[0] for row in x] if isinstance(x[0], list) else np.concatenate(x)
    for _ in range(2):
        _, state = model.step(x, state)


USES = {
    "predict": lambda m, X, y, rng: m.predict(some(X, rng)),
    "predict_proba": lambda m, X, y, rng: m.predict_proba(some(X, rng)),
    "score": lambda m, X, y, rng: m.score(X, y),
    "partial_fit": lambda m, X, y, rng: m.partial_fit(X, y),
    "fit": lambda m, X, y, rng: m.fit(X, y),
    "fit anew": lambda m, X, y, rng: m.set_params(warm_start=False).fit(X, y),
    "steps": steps,
    "gradient_flow": lambda m, X, y, rng: gradient_flow(m, X, y),
    "weights": lambda m, X, y, rng: m.set_weights(m.weights_),
    "again": lambda m, X, y, rng: pickle.loads(pickle.dumps(m)),
}
FORECASTS = {
    "predict()": lambda m, X, y, rng: m.predict(horizon=int(rng.integers(1, 8))),
    "predict far": lambda m, X, y, rng: m.predict(X, horizon=int(rng.integers(1, 8))),
    "intervals": lambda m, X, y, rng: m.predict_interval(X),
    "calibrate": lambda m, X, y, rng: m.calibrate(X),
    "update": lambda m, X, y, rng: m.update(X).predict(),
}
TEXTS = {
    "score_samples": lambda m, X, y, rng: m.score_samples(X),
    "perplexity": lambda m, X, y, rng: m.perplexity(X),
    "sample": lambda m, X, y, rng: m.sample(2, 0, max_length=3, top_k=[None, 1][rng.integers(2)]),
    "sample on": lambda m, X, y, rng: m.sample(2, 0, max_length=3, prefix=X[0][:2]),
}
TARGETS = {
    "n_best": lambda m, X, y, rng: m.predict_n_best(X, 2),
    "attention_weights": lambda m, X, y, rng: m.attention_weights(X, y),
}


def uses(model):
    own = {LSTMForecaster: FORECASTS, LSTMLanguageModel: TEXTS, Seq2SeqTranslator: TARGETS}
    return {**USES, **own.get(type(model), {})}


# Parts of a state, and what replaces them


def children(value):
    """Return {key: part} of a container of any kind; of anything else nothing."""
    if isinstance(value, dict):
        return value
    if isinstance(value, (list, tuple)):
        return dict(enumerate(value))
    if dataclasses.is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, SimpleNamespace):
        return vars(value)
    return {}


def with_part(value, path, change):
    """Return a container with the part at a path changed."""
    if not path:
        return change(value)
    key, *rest = path
    part = with_part(children(value)[key], rest, change)
    if isinstance(value, dict):
        return {**value, key: part}
    if isinstance(value, (list, tuple)):
        items = [part if k == key else item for k, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    value = copy.copy(value)
    object.__setattr__(value, key, part)
    return value


def paths(value, path=(), most=12):
    """Yield the paths of all parts; of long containers some."""
    if path == ("_plan",):  # made of the architecture; nobody else's business
        return
    for key, part in list(children(value).items())[: most if path else None]:
        yield (*path, key)
        yield from paths(part, (*path, key))


ODD = [None, 0, 1, -1, 2, 3, 7, 2**31, 2**62, 2**63, 2**70, 1.5, np.nan, np.inf, -np.inf, True,
       "", "a", [], {}, (), [0], np.zeros(0), np.zeros(3), np.zeros((2, 2)), np.array(3),
       b"a"]  # fmt: skip
NAMES = ["lstm", "gru", "rnn", "tanh", "relu", "logistic", "last", "mean", "max", "all", "softmax",
         "squared_error", "crf", "absolute_error", "quantile", "gaussian", "student_t",
         "negative_binomial", "float32", "float64",
         "dot", "additive", "season", "BIO", "adam", "sgd", "linear", "adaptive"]  # fmt: skip
KINDS = ["f2", "f4", "f8", ">f4", "i4", "i8", "u8", "u1", "?", "c16", "O", "U8"]
CONTENTS = [np.nan, np.inf, -1, 0, 1, 2**20, 2**62, -(2**62), 1e30, 1e300, -1e300, 1e-320]


def other_array(array, rng):
    """Return an array of other size, type or contents."""
    n = array.shape[0] if array.ndim else 0
    with np.errstate(all="ignore"):
        choice = rng.integers(12)
        if choice == 0:
            return array[: rng.integers(0, n + 1)]
        if choice == 1:
            return np.concatenate([array] * int(rng.integers(2, 4)))
        if choice == 2:
            return np.resize(array, rng.integers(0, 8, rng.integers(0, 4)))
        if choice == 3:
            return array.T if array.ndim > 1 else array[np.newaxis]
        if choice == 4:
            return array.astype(rng.choice(KINDS))
        if choice == 5:
            return np.repeat(array, 2, axis=0)[::2]
        if choice == 6:
            return array[::-1]
        if choice == 7:
            return array.tolist()
        if choice == 8:
            return np.zeros(int(rng.choice([0, 1, n + 1, 1000])), array.dtype)
        new = array.copy()
        if new.size and array.dtype.kind in "fiu":
            new.flat[rng.integers(new.size)] = np.array(rng.choice(CONTENTS)).astype(array.dtype)
        return new


def other(value, rng):
    """Return what may replace a part."""
    if rng.random() < 0.15:
        return ODD[rng.integers(len(ODD))]
    if isinstance(value, np.ndarray) and value.ndim:
        try:
            return other_array(value, rng)
        except (ValueError, TypeError):  # strings are no numbers
            return value[:0]
    if isinstance(value, (bool, np.bool_)):
        return not value
    if isinstance(value, (int, np.integer)):
        return (
            int(value) + int(rng.choice([-2, -1, 1, 2, 10]))
            if rng.random() < 0.7
            else (ODD[rng.integers(len(ODD))])
        )
    if isinstance(value, str):
        return NAMES[rng.integers(len(NAMES))]
    if isinstance(value, dict) and value:
        keys, values = list(value), list(value.values())
        choice = rng.integers(4)
        if choice == 0:
            keys.pop(rng.integers(len(keys)))
        elif choice == 1:
            keys, values = [*keys, "zz"], [*values, values[-1]]
        elif choice == 2:
            values = values[::-1]
        else:
            values[rng.integers(len(values))] = ODD[rng.integers(len(ODD))]
        return dict(zip(keys, values, strict=False))
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        items = list(value)
        return type(value)([items[:-1], items * 2, items[::-1], [*items, 1]][rng.integers(4)])
    return ODD[rng.integers(len(ODD))]


def mutated(state, plan_class, rng):
    """Change one to three parts of a state, most of the time of its few important ones."""
    done = []
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.15:  # of another estimator
            donor = pickle.loads(list(models().values())[rng.integers(len(models()))][0])
            names = [k for k in vars(donor) if k in state or rng.random() < 0.1]
            key = names[rng.integers(len(names))]
            state, path = {**state, key: vars(donor)[key]}, (key,)
        else:
            every = [path for path in paths(state) if is_fitted_part(path, rng)]
            path = every[rng.integers(len(every))]
            if rng.random() < 0.03 and len(path) == 1:
                state = {key: part for key, part in state.items() if key != path[0]}
            else:
                state = with_part(state, path, lambda part: other(part, rng))
        done.append(path)
    if rng.random() < 0.5:
        state = with_weights_that_fit(state, plan_class, rng)
    return state, done


def is_fitted_part(path, rng):
    """Whether a part is of what `fit` has found; parameters are the user's, and checked there."""
    name = path[0]
    if name == "_architecture":
        return True
    return name.endswith("_") or (name.startswith("_") and not name.startswith("_skl"))


def with_weights_that_fit(state, plan_class, rng):
    """Cut, or repeat, weights and moments to what the architecture needs, if it is one."""
    architecture, params = state.get("_architecture"), state.get("_params")
    if not isinstance(architecture, dict) or not isinstance(params, np.ndarray) or not params.size:
        return state
    try:
        plan = make_plan(plan_class, architecture, np.broadcast_to(0, 100_000))  # no larger
    except Exception:
        return state
    if plan.n_params > 100_000:
        return state
    if params.dtype.kind not in "fiub":
        return state
    with np.errstate(all="ignore"):
        fitting = np.resize(params.ravel(), plan.n_params).astype(plan.dtype, copy=False)
    state = {**state, "_params": fitting}
    optimizer = state.get(OPTIMIZER_KEY)
    if isinstance(optimizer, SimpleNamespace) and rng.random() < 0.8:
        optimizer = copy.copy(optimizer)
        for key in ("m", "v"):
            moments = getattr(optimizer, key, None)
            if isinstance(moments, np.ndarray) and moments.size and moments.dtype.kind in "fiub":
                setattr(optimizer, key, np.resize(moments, plan.n_params).astype(plan.dtype))
        state[OPTIMIZER_KEY] = optimizer
    return state


class Endless(BaseException):
    """A mutant takes longer than any should."""


def stop(signum, frame):
    raise Endless


def try_mutant(number):
    """Make and use a mutant.

    Returns
    -------
    str
        "refused" where its state is, else what its uses gave.

    Raises
    ------
    AssertionError
        For any error but those that refuse.
    """
    rng = np.random.default_rng(number)
    names = list(models())
    name = names[rng.integers(len(names))]
    data, X, y = models()[name]
    model = pickle.loads(data)
    in_file = rng.random() < 0.5
    told = f"mutant {number}, a {name}, "
    state = model.__getstate__() if in_file else dict(vars(model))
    state, done = mutated(state, model._plan_class, rng)
    told += f"{'file' if in_file else 'attributes'}: {done}"
    ends = []
    try:
        if in_file:
            model = type(model)()
            model.__setstate__(state)
        else:
            model.__dict__ = state
            if rng.random() < 0.5:
                state.pop("_plan", None)
    except REFUSED:
        return "refused"
    except Exception as error:
        raise AssertionError(f"{told}, loading: {error!r}") from error
    tasks = uses(model)
    for use in rng.choice(list(tasks), 3, replace=False):
        try:
            tasks[use](model, X, y, rng)
        except REFUSED:
            ends.append("refused in use")
        except Exception as error:
            raise AssertionError(f"{told}, {use}: {error!r}") from error
        else:
            ends.append("used")
    return max(ends)


def main(n, first=0, keep_going=True):
    faulthandler.enable()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, stop)
    counts, wrong, start = {}, 0, time.monotonic()
    models()
    for number in range(first, first + n):
        print(number, file=sys.stderr, flush=True)  # the last one is the one that crashed
        signal.alarm(SECONDS)
        try:
            end = try_mutant(number)
        except (AssertionError, Endless) as error:
            end, wrong = "wrong", wrong + 1
            print(f"WRONG {number}: {error!r}", flush=True)
        finally:
            signal.alarm(0)
        counts[end] = counts.get(end, 0) + 1
        if (number + 1) % 1000 == 0:
            seconds = time.monotonic() - start
            print(f"{number + 1 - first} mutants, {seconds:.0f} s: {counts}", flush=True)
    print(f"{n} mutants from {first}: {counts}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
