"""Files of models: the same predictions, small, another version's warns, a damaged one is refused.

Copies, and what a pickle keeps for a warm start: test_estimators.py, test_tagger_contract.py.
"""

import copy
import os
import pickle
import warnings
from dataclasses import replace

import joblib
import numpy as np
import pytest
from problems import first_step, quick, token_lists
from problems_trust import cases, predicted, run_python
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skrnn
from skrnn import LSTMForecaster, RNNClassifier
from skrnn._base.persistence import OPTIMIZER_KEY
from skrnn._kernels import cpu, get_engine
from skrnn.preprocessing import PerStep, TokenEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
each_case = pytest.mark.parametrize("case", cases())


def fitted(case, **params):
    model, X, y = cases()[case]
    return clone(model).set_params(**params).fit(X, y), X


def through_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model, folder):
    joblib.dump(model, folder / "model", compress=3)
    return joblib.load(folder / "model")


def through_skops(model, folder):
    skops = pytest.importorskip("skops.io", reason="skops is not installed: its files untested")
    data, trusted = skops.dumps(model), skrnn.trusted_types()
    assert set(skops.get_untrusted_types(data=data)) <= set(trusted)
    return skops.loads(data, trusted=trusted)


@each_case
@pytest.mark.parametrize("through", [through_pickle, through_joblib, through_skops])
def test_round_trip(case, through, tmp_path):
    model, X = fitted(case)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        other = through(model, tmp_path)
    assert predicted(other, X) == predicted(model, X)
    assert other._params.tobytes() == model._params.tobytes()


def test_skops_trusts_every_estimator_and_transformer():
    classes = [getattr(module, name) for module in (skrnn, skrnn.preprocessing)
               for name in module.__all__]  # fmt: skip
    names = {f"{c.__module__}.{c.__name__}" for c in classes if hasattr(c, "get_params")}
    assert names == set(skrnn.trusted_types()) - {"types.SimpleNamespace"}


@pytest.mark.parametrize("case", ["classifier", "tagger", "forecaster"])
def test_skops_and_a_warm_start(case, tmp_path):
    model, X = fitted(case, warm_start=True)
    other = through_skops(model, tmp_path)
    assert other._optimizer.step == model._optimizer.step
    y = cases()[case][2]
    assert predicted(other.fit(X, y), X) == predicted(model.fit(X, y), X)


def test_skops_and_a_pipeline(tmp_path):
    X, y = first_step(30)
    model = make_pipeline(PerStep(StandardScaler()), quick(RNNClassifier)).fit(X, y)
    assert predicted(through_skops(model, tmp_path), X) == predicted(model, X)
    words, labels = token_lists(30)
    model = make_pipeline(TokenEncoder(), quick(RNNClassifier, embedding_dim=4))
    model.fit(words, labels)
    assert predicted(through_skops(model, tmp_path), words) == predicted(model, words)


@pytest.mark.parametrize("through", [through_pickle, through_joblib, through_skops])
@pytest.mark.parametrize("freq", ["D", "MS", "2h"])
def test_dates_go_on_after_a_round_trip(through, freq, tmp_path):
    pd = pytest.importorskip("pandas", reason="pandas is not installed: dates are untested")
    days = pd.date_range("2024-01-01", periods=30, freq=freq, tz="Europe/Berlin", name="day")
    index = pd.MultiIndex.from_product([["north", 2], days], names=["place", "day"])
    panel = pd.DataFrame({"load": np.arange(60.0) % 7, ("heat", 1): np.arange(60.0)}, index=index)
    for X in (panel, panel.loc["north"], panel.loc["north", "load"].tz_localize(None)):
        model = quick(LSTMForecaster, horizon=3).fit(X)
        other = through(model, tmp_path)
        check = pd.testing.assert_series_equal if X.ndim == 1 else pd.testing.assert_frame_equal
        check(other.predict(), model.predict())


def through_savez(weights, file):
    np.savez(file, **weights)
    return np.load(f"{file}.npz")


def through_safetensors(weights, file):
    numpy = pytest.importorskip(
        "safetensors.numpy", reason="safetensors is not installed: its files are untested"
    )
    numpy.save_file(weights, file)
    return numpy.load_file(file)


@pytest.mark.parametrize("through", [through_savez, through_safetensors])
@each_case
def test_weights_alone(case, through, tmp_path):
    model, X = fitted(case)
    other, _ = fitted(case, random_state=1)
    assert predicted(other, X) != predicted(model, X)
    other.set_weights(through(model.weights_, tmp_path / "weights"))
    np.testing.assert_allclose(other._params, model._params, rtol=1e-6)


@pytest.mark.parametrize("case", ["classifier", "regressor", "forecaster"])
def test_size(case):
    # Vocabularies, and the series that a forecaster goes on from, are not weights.
    for width in (8, 64):
        model, _ = fitted(case, hidden_layer_sizes=(width,))
        kept = getattr(model, "_histories", None)
        data = kept.values.nbytes if kept else 0
        assert len(pickle.dumps(model)) - data < 1.1 * model._params.nbytes + 4096


@pytest.mark.parametrize("version", ["0.0.9", None])
def test_another_version_warns(version):
    model, X = fitted("classifier")
    state = {**model.__getstate__(), "_skrnn_version": version}
    if version is None:
        del state["_skrnn_version"]
    other = clone(model)
    with pytest.warns(UserWarning, match=f"saved by skrnn {version or 'an unknown version'}"):
        other.__setstate__(state)
    assert predicted(other, X) == predicted(model, X)
    assert "_skrnn_version" not in vars(other)


# Damage


def changed(**changes):
    return lambda state: state.update(changes)


def changed_network(**changes):
    return lambda state: state.update(_architecture={**state["_architecture"], **changes})


def without(key):
    return lambda state: state.pop(key)


def changed_weights(change):
    def damage(state):
        state["_params"] = change(state["_params"].copy())

    return damage


def put(value):
    def change(params):
        params[len(params) // 2] = value
        return params

    return change


DAMAGES = {
    "NaN": (changed_weights(put(np.nan)), "NaN or infinity"),
    "infinity": (changed_weights(put(-np.inf)), "NaN or infinity"),
    "shorter": (changed_weights(lambda p: p[:-1]), "weights where"),
    "empty": (changed_weights(lambda p: p[:0]), "larger than its weights"),
    "longer": (changed_weights(lambda p: np.append(p, p[:1])), "weights where"),
    "two axes": (changed_weights(lambda p: p[np.newaxis]), "not one vector"),
    "a list": (changed_weights(lambda p: p.tolist()), "not one vector"),
    "integers": (changed_weights(lambda p: p.astype(int)), "int64 where"),
    "halves": (changed_weights(lambda p: p.astype(np.float16)), "float16 where"),
    "objects": (changed_weights(lambda p: p.astype(object)), "object where"),
    "byte order": (changed_weights(lambda p: p.astype(p.dtype.newbyteorder())), "where"),
    "strided": (changed_weights(lambda p: np.repeat(p, 2)[::2]), "where"),
    "no weights": (without("_params"), "not one vector"),
    "no architecture": (without("_architecture"), "not a dict"),
    "another cell": (changed_network(cell="transformer"), "architecture"),
    "no cell": (changed_network(cell=None), "architecture"),
    "wider": (changed_network(hidden=(9,)), "weights where"),
    "huge": (changed_network(hidden=(2**40,)), "larger than its weights"),
    "overflowing": (changed_network(n_features=2**70), "architecture"),
    "negative": (changed_network(n_outputs=-1), "positive integers"),
    "half a unit": (changed_network(hidden=(7.5,)), "positive integers"),
    "one layer more": (changed_network(hidden=(8, 8)), "weights where"),
    "other kernels": (changed_network(level="avx512"), "architecture"),
    "unknown field": (changed_network(color="red"), "architecture"),
    "other numbers": (changed_network(dtype="int8"), "architecture"),
    "other outputs": (changed_network(n_outputs=40), "weights where"),
    "an optimizer's place": (changed(**{OPTIMIZER_KEY: "adam"}), "is not a saved optimizer"),
    "an embedding": (changed(_token_counts=np.array([3, 4])), "embedding"),
}


def refuses_to_load(model, damage, message):
    state = model.__getstate__()
    damage(state)
    with pytest.raises(ValueError, match=message) as caught:
        clone(model).__setstate__(state)
    assert str(caught.value).startswith(f"This {type(model).__name__} cannot be loaded")


@each_case
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused(case, name):
    refuses_to_load(fitted_once(case), *DAMAGES[name])


ONCE: dict = {}


def fitted_once(case):
    if case not in ONCE:
        ONCE[case] = fitted(case)[0]
    return ONCE[case]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_damage_to_the_optimizer_is_refused(solver):
    model, _ = fitted("classifier", warm_start=True, solver=solver)
    assert pickle.loads(pickle.dumps(model))._optimizer.step == model._optimizer.step
    for change in (put(np.nan), lambda p: p[1:], lambda p: p.astype(np.float16), list):
        broken = copy.copy(model.__getstate__()[OPTIMIZER_KEY])
        broken.m = change(broken.m)
        refuses_to_load(model, changed(**{OPTIMIZER_KEY: broken}), "optimizer")
    del broken.m
    refuses_to_load(model, changed(**{OPTIMIZER_KEY: broken}), "optimizer")


def test_damage_to_labels_and_histories_is_refused():
    few = changed(classes_=np.array(["a"]))
    for case in ("classifier", "tagger", "crf tagger"):
        refuses_to_load(fitted_once(case), few, "classes_ does not have one label")
    ends = [np.array([[np.inf]])] * 30
    refuses_to_load(fitted_once("forecaster"), changed(_histories=ends), "_histories")
    refuses_to_load(fitted_once("classifier"), changed(_transform=np.array([np.nan])), "_transform")
    with pytest.raises(ValueError, match="its state is of type list"):
        LSTMForecaster().__setstate__([1])


def counters(**changes):
    """Change an optimizer that is saved for a warm start."""

    def damage(state):
        state[OPTIMIZER_KEY] = copy.deepcopy(state[OPTIMIZER_KEY])
        vars(state[OPTIMIZER_KEY]).update(changes)

    return damage


@pytest.mark.parametrize(
    "changes",
    [
        {"halvings": np.nan},
        {"halvings": 11},
        {"step": -1},
        {"step": 2.5},
        {"learning_rate": np.inf},
        {"learning_rate": "fast"},
        {"params": {}},
        {"v": np.zeros(0, np.float32)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_counters_of_the_optimizer_are_looked_at(changes):
    model, X = fitted("classifier", warm_start=True)
    refuses_to_load(model, counters(**changes), "optimizer")
    vars(model._optimizer).update(changes)
    with pytest.raises(ValueError, match="optimizer"):
        model.partial_fit(X, first_step(30)[1])


def changed_transform(**changes):
    def damage(state):
        frame = state["_transform"]  # a dict in a file
        new = frame | changes if isinstance(frame, dict) else replace(frame, **changes)
        state["_transform"] = new

    return damage


# What does not fit its network: in a file, or set after fit.
MISFITS = {
    "another loss": ("classifier", changed_network(loss="squared_error"), "loss"),
    "a CRF": ("classifier", changed_network(loss="crf", pooling="all"), "weights|loss"),
    "a head per step": ("regressor", changed_network(pooling="all"), "pooling"),
    "no loss": ("tagger", changed_network(loss=None), "loss|architecture"),
    "directions": ("language model", changed_network(bidirectional=True), "weights|bidirectional"),
    "more classes": ("classifier", changed(classes_=np.arange(3)), "classes_"),
    "no classes": ("tagger", without("classes_"), "classes_"),
    "a list of classes": ("crf tagger", changed(classes_=["a"] * 4), "classes_"),
    "a scheme": ("tagger", changed(tag_scheme_="IOB"), "tag_scheme_"),
    "axes of y": ("regressor", changed(_y_ndim=1), "_y_ndim"),
    "width": ("regressor", changed(_step_width=3), "features"),
    "tokens": ("tagger", changed(_token_counts=np.arange(11)), "embedding"),
    "words": ("tagger", changed(vocabulary_={"a": 0}), "vocabulary_"),
    "no words": ("tagger", without("_vocabularies"), "vocabulary"),
    "ends": ("language model", changed(_own_symbols=0), "embedding"),
    "counts": ("language model", changed(_counts=np.zeros(3)), "_counts"),
    "center": ("regressor", changed(_target_center=np.array([0.0, np.nan])), "_target_center"),
    "scale of y": ("regressor", changed(_target_scale=np.zeros(2)), "_target_scale"),
    "weights of classes": ("tagger", changed(_class_weights=np.ones(3)), "_class_weights"),
    "loss of labels": ("classifier", changed(_loss="binary_log_loss"), "_loss"),
    "parameters": ("tagger", changed(_read_by=None), "_read_by"),
    "targets": ("translator", changed(target_vocabulary_={"a": 0}), "target_vocabulary_"),
    "longest": (
        "translator",
        changed(_longest_targets=np.array([[1, 2**40]])),
        "_longest_targets",
    ),
    "longest falls": (
        "translator",
        changed(_longest_targets=np.array([[2, 3], [1, 4]])),
        "_longest_targets",
    ),
    "horizon": ("forecaster", changed_transform(horizon=4), "_transform"),
    "lags": ("forecaster", changed_transform(lags=2), "_transform"),
    "scale": ("forecaster", changed_transform(scale=np.ones(2)), "_transform"),
    "difference": ("gaussian forecaster", changed_transform(difference="all"), "_transform"),
    "histories": ("forecaster", changed(_histories=None), "_histories"),
    "dates": ("forecaster", changed(_form=[]), "_form"),
    "errors": ("forecaster", changed(_conformal=np.zeros((3, 3))), "_conformal"),
    "epochs": ("classifier", changed(n_iter_=np.nan), "n_iter_"),
    "curve": ("classifier", changed(loss_curve_=None), "loss_curve_"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_refused(name):
    case, damage, message = MISFITS[name]
    refuses_to_load(fitted_once(case), damage, message)
    model, X = fitted(case)
    damage(vars(model))
    use = model.score_samples if case == "language model" else model.predict
    with pytest.raises(ValueError, match=f"not what was fitted.*{message}"):
        use(X)


def test_a_vocabulary_that_leaves_numbers_out_is_refused():
    for case, key in (("tagger", "vocabulary_"), ("translator", "target_vocabulary_")):
        words = dict.fromkeys(vars(fitted_once(case))[key], 10**6)
        refuses_to_load(fitted_once(case), changed(**{key: words}), "number its tokens")


# A crash of the interpreter is what this looks for; what it finds, exceptions included, is fine.
FLIPS = """
import pickle, resource, sys, warnings
import numpy as np
from problems_trust import cases, predicted
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # a flipped length must not fill memory
flips, rng = int(sys.argv[1]), np.random.default_rng(0)
for case in sys.argv[2:]:
    model, X, y = cases()[case]
    data = bytearray(pickle.dumps(model.fit(X, y)))
    before = predicted(model, X[:3])
    ends = {"same": 0, "other": 0, "refused": 0}
    for bit in rng.integers(0, 8 * len(data), flips).tolist():
        data[bit // 8] ^= 1 << bit % 8
        print(bit, end=" ", file=sys.stderr, flush=True)  # the last one is the one that crashed
        try:
            ends["same" if predicted(pickle.loads(data), X[:3]) == before else "other"] += 1
        except Exception:
            ends["refused"] += 1
        data[bit // 8] ^= 1 << bit % 8
    assert predicted(pickle.loads(data), X[:3]) == before
    print(*ends.values())
"""
needs_limits = pytest.mark.skipif(os.name != "posix", reason="needs limits of address space")


@needs_limits
@pytest.mark.parametrize(
    ("flips", "names"),
    [(200, ["classifier", "tagger"]), pytest.param(10_000, list(cases()), marks=pytest.mark.long)],
)
def test_flipped_bits_never_crash(flips, names):
    ends = run_python(FLIPS, flips, *names, timeout=3000).splitlines()
    for line in ends:
        same, other, refused = map(int, line.split())
        assert same + other + refused == flips
        assert other and refused
    assert len(ends) == len(names)


# Instruction sets


@pytest.mark.skipif(len(cpu.levels()) < 2, reason="this processor has one instruction set")
@pytest.mark.parametrize("case", ["classifier", "tagger", "crf tagger"])
def test_a_model_goes_to_another_instruction_set(case, monkeypatch):
    model, X = fitted(case, dtype="float32", max_iter=20)
    data, names = pickle.dumps(model), set()
    expected = np.concatenate([np.ravel(row) for row in model.predict_proba(X)])
    for level in cpu.levels():
        monkeypatch.setattr(
            "skrnn._network.plan.get_engine", lambda dtype, _, level=level: get_engine(dtype, level)
        )
        other = pickle.loads(data)
        names.add(other._get_plan().engine.__name__)
        got = np.concatenate([np.ravel(row) for row in other.predict_proba(X)])
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    assert len(names) == len(cpu.levels())
