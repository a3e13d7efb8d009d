"""Generated input of every form: results, or ValueError or TypeError, never anything else.

`SKRNN_HOSTILE_EXAMPLES` says how many; `make sanitize` runs them in a build with sanitizers.
"""

import os
import tempfile
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from problems import object_array
from sklearn.exceptions import NotFittedError

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)

EXAMPLES = int(os.environ.get("SKRNN_HOSTILE_EXAMPLES", "20000"))
ESTIMATORS = (
    RNNClassifier,
    RNNRegressor,
    LSTMTagger,
    LSTMForecaster,
    LSTMLanguageModel,
    Seq2SeqTranslator,
)
METHODS = ("predict", "predict_proba", "score", "score_samples", "predict_n_best")
PAIRED = {("score_samples", Seq2SeqTranslator)}  # and `score`: take targets
NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -2.5,
    1e-40,
    -1e-310,
    1e30,
    1e38,
    -3.4e38,
    1e300,
    np.nan,
    np.inf,
    -np.inf,
]
KINDS = [
    "f8",
    "f4",
    "f2",
    ">f8",
    ">f4",
    "i8",
    "u1",
    "i2",
    ">i4",
    "?",
    "O",
    "c16",
    "M8[D]",
    "U",
    "S",
]


def mapped(x):
    """Return a read-only memory map of an array; one of nothing cannot be mapped."""
    if x.size == 0 or x.dtype.hasobject:
        return x
    with tempfile.NamedTemporaryFile() as file:
        x.tofile(file.name)
        return np.memmap(file.name, dtype=x.dtype, mode="r", shape=x.shape)


def frozen(x):
    x = x.copy()
    x.setflags(write=False)
    return x


def padded(arrays):
    cube = np.full((len(arrays), max(map(len, arrays), default=0), 2), np.nan)
    for row, x in zip(cube, arrays, strict=True):
        row[: len(x), : x.shape[1]] = x[:, :2]
    return cube


# What a sequence may look like, and what a collection of them.
SEQUENCES = {
    "array": lambda x: x,
    "Fortran order": np.asfortranarray,
    "backwards": lambda x: x[::-1],
    "every other": lambda x: np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2],
    "read-only": frozen,
    "memory map": mapped,
    "masked": lambda x: np.ma.masked_array(x, np.zeros(x.shape, bool)),
    "vector": lambda x: x[:, 0] if x.shape[1] else x,
    "lists": lambda x: x.tolist(),
    "three axes": lambda x: x[np.newaxis],
    "a number": lambda x: x.sum() if x.dtype.kind == "f" else 0,
    "DataFrame": pd.DataFrame,
    "nullable": lambda x: pd.DataFrame(x).convert_dtypes(),
    "Arrow": lambda x: pd.DataFrame(x).convert_dtypes(dtype_backend="pyarrow"),
    "Series": lambda x: pd.Series(x[:, 0] if x.shape[1] else x.ravel()),
    "categories": lambda x: pd.Series(x[:, 0] if x.shape[1] else x.ravel(), dtype="category"),
    "words": lambda x: [str(v) for v in x.ravel()],
    "a word": lambda x: "".join(map(str, x.ravel())),
    "None": lambda x: None,
}
COLLECTIONS = {
    "list": list,
    "tuple": tuple,
    "object array": object_array,
    "Series": lambda items: pd.Series(object_array(items), dtype=object),
    "dict": lambda items: dict(enumerate(items)),
    "generator": iter,
    "array": lambda items: np.array(items),
    "cube": lambda items: padded([np.asarray(x, float).reshape(len(x), -1) for x in items]),
    "rows": lambda items: COLLECTIONS["cube"](items)[:, :, 0],
    "frame": lambda items: pd.DataFrame(COLLECTIONS["rows"](items)),
}  # fmt: skip


# Those of them that every estimator of vectors takes.
SOUND_SEQUENCES = ["array", "Fortran order", "backwards", "every other", "read-only", "lists"]
SOUND_COLLECTIONS = ["list", "tuple", "object array", "Series"]


@st.composite
def collections(draw):
    """Draw X of any kind at all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pool = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    kind = draw(st.sampled_from(KINDS))
    width = draw(st.sampled_from([0, 1, 2, 3]))
    lengths = draw(st.lists(st.integers(0, 9), max_size=9))
    looks = draw(st.lists(st.sampled_from(list(SEQUENCES)), min_size=1, max_size=3))
    collection = draw(st.sampled_from(list(COLLECTIONS)))
    items = []
    for i, length in enumerate(lengths):
        x = rng.normal(size=(length, width))
        x = np.where(rng.random(x.shape) < 0.1, rng.choice(pool, x.shape), x)
        with np.errstate(all="ignore"):
            items.append(shaped(SEQUENCES[looks[i % len(looks)]], x.astype(kind)))
    return shaped(COLLECTIONS[collection], items)


@st.composite
def sound(draw, make):
    """Draw X and y that the estimator can learn from."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = draw(st.lists(st.integers(3, 9), min_size=2, max_size=9))
    look = SEQUENCES[draw(st.sampled_from(SOUND_SEQUENCES))]
    collection = COLLECTIONS[draw(st.sampled_from(SOUND_COLLECTIONS))]
    kind, width = draw(st.sampled_from(KINDS[:5])), draw(st.integers(1, 2))
    with np.errstate(over="ignore"):
        items = [look(rng.normal(size=(n, width)).astype(kind)) for n in lengths]
    if make is LSTMForecaster:
        return collection(items), None
    reads_tokens = make in (LSTMLanguageModel, Seq2SeqTranslator) or draw(st.booleans())
    X = collection(words(rng, lengths) if reads_tokens else items)
    if make is LSTMTagger:
        return X, words(rng, lengths)
    if make is Seq2SeqTranslator:
        return X, words(rng, rng.integers(0, 6, len(lengths)))
    y = np.arange(len(lengths)) % 2
    return X, y if make is not RNNRegressor or draw(st.booleans()) else rng.normal(size=(len(y), 2))


def words(rng, lengths):
    return [[str(k) for k in rng.integers(0, 4, n)] for n in lengths]


def shaped(make, data):
    """Return `make(data)`; not everything has every form, and then it stays what it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(data)
    except (ValueError, TypeError, NotImplementedError):
        return data


@st.composite
def targets(draw, X):
    """Draw y: what fits most of the time, a number or a label each, or a row of labels each."""
    n = len(X) if hasattr(X, "__len__") else 3
    n = draw(st.sampled_from([n, n, n, n, n + 1, 0]))
    choice = draw(st.sampled_from(["labels", "numbers", "rows", "steps", "hostile", "none"]))
    rng = np.random.default_rng(n)
    if choice == "labels":
        return np.array(["a", "b"])[np.arange(n) % 2]
    if choice == "numbers":
        return rng.normal(size=n) * draw(st.sampled_from([1.0, 1e-40, 1e30, 1e38, 1e300]))
    if choice == "rows":
        return rng.normal(size=(n, draw(st.integers(0, 3))))
    if choice == "steps":
        lengths = (
            [np.size(x) // max(1, np.ndim(x)) for x in X] if n and hasattr(X, "__len__") else []
        )
        return [list(rng.integers(-1, 3, length)) for length in lengths]
    return None if choice == "none" else draw(st.lists(st.sampled_from([*NUMBERS, "a", None, []])))


def small(draw, make):
    """Return a small estimator of any kind."""
    params = {"hidden_layer_sizes": draw(st.sampled_from([(1,), (3,), (2, 3)]))}
    params |= {"cell": draw(st.sampled_from(["lstm", "gru", "rnn"])), "max_iter": 1}
    params |= {"dtype": draw(st.sampled_from(["float32", "float64"])), "random_state": 0}
    params |= {"bptt_steps": draw(st.sampled_from([None, 1, 4])), "batch_size": 3}
    if make in (RNNClassifier, RNNRegressor):
        params |= {"pooling": draw(st.sampled_from(["last", "mean", "max", "attention"]))}
    if make is LSTMForecaster:
        params |= {
            "horizon": draw(st.integers(1, 3)),
            "lookback": draw(st.sampled_from([None, 1, 3])),
        }
        params |= {"scaling": draw(st.sampled_from(["global", "series", "none"]))}
    else:
        params |= {"embedding_dim": draw(st.sampled_from([None, None, 2]))}
    if make is LSTMTagger:
        params |= {"crf": draw(st.booleans())}
    if make is LSTMLanguageModel:
        params |= {"tie_embeddings": draw(st.booleans())}
    if make is Seq2SeqTranslator:
        params |= {"attention": draw(st.sampled_from([None, "dot", "additive"]))}
        params |= {"beam_width": draw(st.sampled_from([1, 3]))}
    return make(**params)


def parts(outcome):
    """Return all numbers of a prediction as arrays."""
    if isinstance(outcome, list):  # tokens
        return []
    ragged = isinstance(outcome, np.ndarray) and outcome.dtype.hasobject
    arrays = map(np.asarray, outcome if ragged else [outcome])
    return [a for a in arrays if a.dtype.kind == "f"]


def check(make, data):
    model = small(data.draw, make)
    if data.draw(st.booleans()):
        X, y = data.draw(sound(make))
    else:
        X = data.draw(collections())
        y = data.draw(targets(X))
    refused = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", category=RuntimeWarning, module=r"skrnn\b")
        try:
            model.fit(X, y)
        except (ValueError, TypeError) as error:
            refused = error
            assert not [name for name in vars(model) if name.endswith("_")]
        else:
            assert np.isfinite(model._params).all()
        for method in METHODS:
            try:
                for Z in (X, data.draw(collections())):
                    paired = method == "score" or (method, make) in PAIRED
                    outcome = getattr(model, method)(Z, *([y] if paired else []))
                    assert refused is None
                    assert paired or all(np.isfinite(a).all() for a in parts(outcome))
            except NotFittedError:
                assert refused is not None
            except AttributeError:
                assert not hasattr(model, method)
            except (ValueError, TypeError):
                pass


SETTINGS = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": True,
    "phases": [Phase.explicit, Phase.generate],  # shrinking takes minutes; SKRNN_SHRINK...
}


@pytest.mark.parametrize("make", ESTIMATORS)
@settings(max_examples=150, derandomize=True, **SETTINGS)
@given(data=st.data())
def test_generated_input(make, data):
    check(make, data)


@pytest.mark.long
@pytest.mark.parametrize("make", ESTIMATORS)
@settings(max_examples=EXAMPLES // len(ESTIMATORS), **SETTINGS)
@given(data=st.data())
def test_much_generated_input(make, data):
    check(make, data)


# What a generator of small input does not reach


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_one_step_and_a_hundred_thousand(make, cell):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 1)) for length in (1, 100_000, 1, 2)]
    model = make((2,), cell=cell, max_iter=1, bptt_steps=50, random_state=0).fit(X, [0, 1, 0, 1])
    assert np.isfinite(model._params).all()
    alone = np.concatenate([model._outputs([x]) for x in X])
    np.testing.assert_allclose(alone, model._outputs(X), rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make", ESTIMATORS)
@pytest.mark.parametrize("n", [2, 10_000])
def test_few_and_many_sequences(make, n):
    lengths = np.arange(n) % 3 + 2
    X = [np.arange(length, dtype=float)[:, np.newaxis] for length in lengths]
    y = np.arange(n) % 2
    if make in (LSTMTagger, Seq2SeqTranslator):
        y = [["a", "b", "a", "b"][:length] for length in lengths]
    if make in (LSTMLanguageModel, Seq2SeqTranslator):
        X = [["a", "b", "a", "b"][:length] for length in lengths]
    model = make((2,) if make is not LSTMForecaster else 1, max_iter=1, random_state=0).fit(X, y)
    outcome = model.score_samples(X) if make is LSTMLanguageModel else model.predict(X)
    assert len(outcome) == n
