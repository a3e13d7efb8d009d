"""The training loop: going on, stopping, weights of sequences, schedules, faults, interrupts."""

import warnings

import numpy as np
import pytest
from problems import BOTH, data_for, first_step, means, quick, state, token_lists
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight

from skrnn import RNNClassifier, RNNRegressor
from skrnn._network.batches import EpochRunner

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


# Going on


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fits_are_the_epochs_of_a_fit(solver):
    # of a regressor: a classifier's partial_fit assumes nothing of how frequent classes are
    X, y = data_for(RNNRegressor)
    whole = quick(RNNRegressor, solver=solver, shuffle=False).fit(X, y)
    parts = quick(RNNRegressor, solver=solver, shuffle=False)
    for _ in range(3):
        assert parts.partial_fit(X, y) is parts
    assert parts._params.tobytes() == whole._params.tobytes()
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.t_) == (whole.n_iter_, whole.t_) == (3, 120)


@BOTH
def test_warm_start_goes_on(make):
    X, y = data_for(make)
    how = {"shuffle": False, "learning_rate": "constant"}
    whole = quick(make, max_iter=6, **how).fit(X, y)
    parts = quick(make, warm_start=True, **how).fit(X, y).fit(X, y)
    assert parts._params.tobytes() == whole._params.tobytes()
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.t_) == (3, 240)
    cold = quick(make, **how).fit(X, y).fit(X, y)
    assert cold._params.tobytes() == quick(make, **how).fit(X, y)._params.tobytes()


def test_going_on_draws_new_orders(monkeypatch):
    orders = []
    epoch = EpochRunner.epoch

    def note(self, order, settings):
        orders.append(tuple(order))
        return epoch(self, order, settings)

    monkeypatch.setattr(EpochRunner, "epoch", note)
    X, y = first_step(40)
    model = quick(warm_start=True).fit(X, y).fit(X, y).partial_fit(X, y)
    assert len(set(orders)) == 7
    again = quick(warm_start=True).fit(X, y).fit(X, y).partial_fit(X, y)
    assert orders[:7] == orders[7:]
    assert model._params.tobytes() == again._params.tobytes()


def test_partial_fit_after_fit_and_fit_after_partial_fit():
    X, y = first_step(40)
    model = quick().fit(X, y)
    assert model.partial_fit(X, y).n_iter_ == 4
    assert model.partial_fit(X[:5], y[:5]).t_ == 165
    assert model.fit(X, y)._params.tobytes() == quick().fit(X, y)._params.tobytes()


def test_partial_fit_knows_its_classes():
    X, y = first_step(40)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        quick().partial_fit(X, y)
    model = quick().partial_fit(X[:4], ["up"] * 4, classes=["up", "left", "down"])
    assert model.classes_.tolist() == ["down", "left", "up"]
    assert model.predict_proba(X).shape == (40, 3)
    before = state(model)
    with pytest.raises(ValueError, match=r"does not know: \['right'\].*sequence 1"):
        model.partial_fit(X[:2], ["up", "right"])
    with pytest.raises(ValueError, match="not those the network was started with"):
        model.partial_fit(X, y, classes=["up", "down"])
    assert state(model) == before
    assert model.partial_fit(X, y, classes=["down", "left", "up"]).n_iter_ == 2
    with pytest.raises(ValueError, match="only one class"):
        quick().partial_fit(X, y, classes=["up"])


@BOTH
def test_partial_fit_refuses_what_it_cannot_do(make):
    X, y = data_for(make)
    known = {"classes": np.unique(y)} if make is RNNClassifier else {}
    with pytest.raises(ValueError, match="early_stopping"):
        quick(make, early_stopping=True).partial_fit(X, y, **known)
    if make is RNNClassifier:
        with pytest.raises(ValueError, match="compute_class_weight"):
            quick(class_weight="balanced").partial_fit(X, y, **known)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"hidden_layer_sizes": (9,)}, "hidden_layer_sizes"),
        ({"cell": "gru"}, "cell"),
        ({"bidirectional": True}, "bidirectional"),
        ({"pooling": "max"}, "pooling"),
        ({"dtype": "float64"}, "dtype"),
        ({"bptt_steps": 2}, "bptt_steps"),
    ],
)
def test_another_network_cannot_go_on(change, name):
    X, y = first_step(40)
    model = quick(warm_start=True).fit(X, y)
    model.set_params(**change)
    before = state(model)
    for goes_on in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"{name} has changed"):
            goes_on(X, y)
    assert state(model) == before
    model.set_params(warm_start=False).fit(X, y)


def test_another_embedding_cannot_go_on():
    X, y = token_lists(40)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match="embedding_dim has changed"):
        model.set_params(embedding_dim=9).partial_fit(X, y)


@pytest.mark.parametrize("solvers", [("sgd", "adam"), ("adam", "sgd")])
def test_going_on_with_another_solver_and_rate(solvers):
    X, y = first_step(40)
    how = {"warm_start": True, "momentum": 0.0, "learning_rate": "constant"}
    model = quick(solver=solvers[0], **how).fit(X, y)
    model.set_params(solver=solvers[1], learning_rate_init=0.05).fit(X, y)
    assert np.isfinite(model._params).all()
    assert model._optimizer.learning_rate == 0.05
    before = model._params.copy()
    model.set_params(learning_rate_init=1e-30).fit(X, y)
    np.testing.assert_array_equal(model._params, before)


def test_warm_start_can_turn_early_stopping_on_and_off():
    X, y = first_step(60)
    model = quick(warm_start=True).fit(X, y)
    model.set_params(early_stopping=True).fit(X, y).fit(X, y)
    assert len(model.validation_scores_) == 6
    assert model.best_loss_ is None
    model.set_params(early_stopping=False).fit(X, y)
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ is None


def test_warm_start_holds_out_the_same_sequences():
    held = []

    def watch(model, X, y):
        held.append([x.tobytes() for x in X])
        return 0.0

    X, y = first_step(60)
    model = quick(max_iter=1, warm_start=True, early_stopping=True, scoring=watch)
    model.fit(X, y).fit(X, y)
    assert len(held) == 3  # the second fit looks before its first epoch too
    assert held[0] == held[1] == held[2]


# Stopping


@BOTH
def test_early_stopping_keeps_the_best_weights(make):
    X, y = data_for(make, 80)
    model = quick(
        make, early_stopping=True, max_iter=60, learning_rate="constant", learning_rate_init=0.05,
        n_iter_no_change=4,
    ).fit(X, y)  # fmt: skip
    assert 5 <= model.n_iter_ < 60
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    best = int(np.argmax(model.validation_scores_)) + 1
    again = quick(
        make, early_stopping=True, max_iter=best, learning_rate="constant", learning_rate_init=0.05
    ).fit(X, y)
    assert again._params.tobytes() == model._params.tobytes()


def test_too_few_to_hold_out():
    X, y = first_step(8)
    with pytest.raises(ValueError, match=r"validation set is too small|should be greater"):
        quick(early_stopping=True).fit(X, y)
    assert quick(RNNRegressor, early_stopping=True, validation_fraction=0.5).fit(*means(8)).n_iter_


def test_a_stall_ends_training():
    X, y = first_step(40)
    model = quick(tol=10.0, n_iter_no_change=2, max_iter=50).fit(X, y)
    assert model.n_iter_ == 4  # the first improves on infinity, then three do not by 10
    assert quick(tol=10.0, n_iter_no_change=np.inf, max_iter=20).fit(X, y).n_iter_ == 20


@pytest.mark.parametrize(
    ("how", "epochs"),
    [
        ({"learning_rate": "linear"}, 20),
        ({"learning_rate": "linear", "early_stopping": True}, 12),
        ({"learning_rate": "constant"}, 12),
    ],
)
def test_a_schedule_that_ends_by_itself_knows_no_stall(how, epochs):
    # of the twelve the first improves on infinity, then eleven do not by 10
    model = quick(tol=10.0, n_iter_no_change="auto", max_iter=20, **how)
    assert model.fit(*first_step(40)).n_iter_ == epochs


def test_convergence_warning():
    X, y = first_step(20)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(3\) reached") as caught:
        quick(learning_rate="constant").fit(X, y)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(tol=10.0, n_iter_no_change=1, max_iter=9).fit(X, y)
        quick(n_iter_no_change=np.inf).fit(X, y)
        quick().partial_fit(X, y, classes=np.unique(y))


def test_clipped_batch_size_is_announced():
    with pytest.warns(UserWarning, match="Got `batch_size` larger than sample size"):
        quick(batch_size=100).fit(*first_step(20))


def test_verbose(capsys):
    X, y = first_step(60)
    quick(verbose=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Iteration {i}" for i in (1, 2, 3)]
    quick(verbose=1, early_stopping=True, tol=2.0, n_iter_no_change=1, max_iter=9).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert "validation score = " in lines[0]
    assert lines[-1].startswith("Validation score did not improve more than tol=2.0")
    quick().fit(X, y)
    assert capsys.readouterr().out == ""


# Schedules


def rates(**params):
    """Return the learning rate at the end of each epoch."""
    X, y = first_step(20)
    seen = []
    model = quick(solver="sgd", learning_rate_init=0.1, warm_start=True, **params)
    for _ in range(model.max_iter):
        model.set_params(max_iter=1).fit(X, y)
        seen.append(model._optimizer.learning_rate)
    return seen


def test_schedules():
    assert rates(learning_rate="constant") == [0.1, 0.1, 0.1]
    expected = [0.1 / (20 * epoch + 1) ** 0.5 for epoch in (1, 2, 3)]
    np.testing.assert_allclose(rates(learning_rate="invscaling"), expected)
    np.testing.assert_allclose(
        rates(learning_rate="invscaling", power_t=1), [0.1 / 21, 0.1 / 41, 0.1 / 61]
    )


def test_adaptive_schedule():
    X, y = first_step(20)
    model = quick(
        solver="sgd", learning_rate="adaptive", learning_rate_init=0.1, tol=10.0,
        n_iter_no_change=1, max_iter=100,
    ).fit(X, y)  # fmt: skip
    # 0.1 / 5^8 is the first not above 1e-6: each of nine stalls takes two epochs, one goes before.
    assert model.n_iter_ == 1 + 9 * 2
    assert model._optimizer.learning_rate == pytest.approx(0.1 / 5**8)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_linear_schedule(solver):
    X, y = first_step(20)
    model = quick(solver=solver, learning_rate="linear", learning_rate_init=0.1, max_iter=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that max_iter is reached is the plan
        model.fit(X, y)
    assert model._optimizer.learning_rate == pytest.approx(0.025)
    # the same as going down by hand
    by_hand = quick(solver=solver, warm_start=True, shuffle=False, max_iter=1)
    for epoch in range(4):
        by_hand.set_params(learning_rate_init=0.1 * (1 - epoch / 4)).fit(X, y)
    model.set_params(shuffle=False).fit(X, y)
    np.testing.assert_allclose(model._params, by_hand._params, rtol=1e-5, atol=1e-6)


def test_adam_has_no_other_schedule():
    X, y = first_step(20)
    plain = quick(learning_rate="constant").fit(X, y)._params.tobytes()
    for schedule in ("invscaling", "adaptive"):
        assert quick(learning_rate=schedule).fit(X, y)._params.tobytes() == plain


# Weights of sequences


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_weight_is_a_repetition(make, solver):
    X, y = data_for(make, 24)
    repeats = np.arange(24) % 3
    params = {"dtype": "float64", "batch_size": 1000, "solver": solver, "max_iter": 5}
    with pytest.warns(UserWarning, match="batch_size"):
        weighted = quick(make, **params).fit(X, y, sample_weight=repeats)
    many = np.repeat(np.arange(24), repeats)
    with pytest.warns(UserWarning, match="batch_size"):
        repeated = quick(make, **params).fit([X[i] for i in many], y[many])
    np.testing.assert_allclose(weighted._params, repeated._params, atol=1e-9)
    assert weighted.loss_ == pytest.approx(repeated.loss_)


def test_batches_of_weight_zero_take_no_step():
    X, y = first_step(40)
    weight = np.r_[np.zeros(16), np.ones(24)]
    model = quick(batch_size=4, shuffle=False).fit(X, y, sample_weight=weight)
    assert model._optimizer.step == 3 * 6
    whole = quick(batch_size=40, shuffle=False, dtype="float64")
    rest = quick(batch_size=24, shuffle=False, dtype="float64").fit(X[16:], y[16:])
    whole.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(whole._params, rest._params, atol=1e-9)
    assert whole.loss_ == pytest.approx(rest.loss_)


def test_class_weight():
    X, y = first_step(60)
    y[:40] = "down"
    balance = dict(zip(("down", "up"), compute_class_weight("balanced", classes=np.unique(y), y=y)))
    plain = quick().fit(X, y)
    balanced = quick(class_weight="balanced").fit(X, y)
    assert balanced._params.tobytes() == quick(class_weight=balance).fit(X, y)._params.tobytes()
    assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.1
    weights = np.where(y == "up", balance["up"], balance["down"])
    same = quick().fit(X, y, sample_weight=weights)
    assert balanced._params.tobytes() == same._params.tobytes()
    product = quick(class_weight=balance).fit(X, y, sample_weight=np.full(60, 2.0))
    assert np.isfinite(product._params).all()


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({"up": -1.0}, "class_weight must be finite and not negative"),
        ({"up": np.nan}, "class_weight must be finite"),
        ({"up": 0.0, "down": 0.0}, "class_weight adds up to 0"),
    ],
)
def test_bad_class_weight(class_weight, message):
    with pytest.raises(ValueError, match=message):
        quick(class_weight=class_weight).fit(*first_step(20))
