"""Learning means what it says: weights, early stopping, warm starts, going on, scale of targets."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import make_scorer, recall_score

import skrnn
from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._base.early_stopping import hold_out
from skrnn.preprocessing import SlidingWindow

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

ESTIMATORS = [thing for thing in map(vars(skrnn).get, skrnn.__all__) if inspect.isclass(thing)]
KINDS = pytest.mark.parametrize("make", ESTIMATORS, ids=lambda make: make.__name__)


def walks(n, seed=0, length=12):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, 1)).cumsum(axis=0) for _ in range(n)]


def sentences(n, seed=0):
    rng = np.random.default_rng(seed)
    return [[f"w{i}" for i in rng.integers(0, 12, rng.integers(2, 7))] for _ in range(n)]


def data(make, n=60, seed=0):
    """Return X and y that any estimator of the kind can learn from."""
    X, words = walks(n, seed), sentences(n, seed)
    return {
        RNNClassifier: (X, np.array([int(x.mean() > 0) for x in X])),
        RNNRegressor: (X, np.array([float(x.mean()) for x in X])),
        LSTMTagger: (words, [[word[-1] for word in row] for row in words]),
        LSTMForecaster: (X, None),
        LSTMLanguageModel: (words, None),
        Seq2SeqTranslator: (words, [row[::-1] for row in words]),
    }[make]


def small(make, **params):
    return make(**{"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0, **params})


# A weight is a repetition


@pytest.mark.parametrize("batch_size", [1, 8, 32, 300])
@pytest.mark.parametrize(
    ("make", "params"),
    [
        (RNNClassifier, {}), (LSTMTagger, {}), (LSTMTagger, {"crf": True}), (RNNRegressor, {}),
        (RNNRegressor, {"loss": "poisson"}),
    ],
)  # fmt: skip
def test_a_weight_is_a_repetition_at_any_batch_size(make, params, batch_size):
    # X says nothing, so that what is learnt is a weighted share: one half
    n = 300
    y = (np.arange(n) < 0.1 * n).astype(int)
    weights = np.where(y == 1, 9.0, 1.0)
    model = make(
        (2,), batch_size=batch_size, max_iter=24, learning_rate="linear", max_grad_norm=None,
        learning_rate_init=0.005 if batch_size < n else 0.1, n_iter_no_change=np.inf, alpha=0,
        random_state=0, **params,
    )  # fmt: skip
    X = np.zeros((n, 2, 1))
    model.fit(X, [[label] * 2 for label in y] if make is LSTMTagger else y, sample_weight=weights)
    if make is RNNRegressor:
        share = model.predict(X[:1])[0]
    else:
        share = np.ravel(model.predict_proba(X[:1])[0])[1]
    assert abs(share - 0.5) < 0.04


@pytest.mark.parametrize("batch_size", [1, 4, 24])
@KINDS
def test_weights_have_no_unit(make, batch_size):
    # only how they compare counts, as repeating everything five times changes nothing
    X, y = data(make, 24)
    weights = np.random.default_rng(0).uniform(0.5, 2, 24)
    how = {"batch_size": batch_size, "alpha": 0, "dtype": "float64"}
    one = small(make, **how).fit(X, y, sample_weight=weights)
    five = small(make, **how).fit(X, y, sample_weight=5 * weights)
    assert_allclose(five._params, one._params, rtol=1e-6, atol=1e-9)
    assert_allclose(five.loss_curve_, one.loss_curve_)


@KINDS
def test_a_sequence_weighs_the_same_in_any_batch(make):
    # at batch size 1 weights used to cancel
    X, y = data(make, 24)
    how = {"batch_size": 1, "alpha": 0, "solver": "sgd", "max_iter": 1}
    weights = np.where(np.arange(24) < 12, 3.0, 0.1)
    plain = small(make, **how).fit(X, y)
    weighted = small(make, **how).fit(X, y, sample_weight=weights)
    assert np.abs(plain._params - weighted._params).max() > 1e-4


def test_in_partial_fit_a_weight_is_what_it_is():
    X, y = data(RNNRegressor, 20)
    how = {"solver": "sgd", "momentum": 0, "max_grad_norm": None, "alpha": 0, "dtype": "float64"}

    def moved(weight):
        model = small(RNNRegressor, batch_size=20, **how).partial_fit(X, y)
        before = model._params.copy()
        model.partial_fit(X, y, sample_weight=np.full(20, weight))
        return model._params - before

    assert_allclose(moved(3.0), 3 * moved(1.0), rtol=1e-9)


@pytest.mark.parametrize("make", [RNNClassifier, RNNRegressor, LSTMTagger])
def test_the_penalty_is_that_of_the_data(make):
    # the same per sequence whatever the batch: many small batches do not shrink weights more
    X, y = data(make, 40)
    how = {"learning_rate_init": 1e-9, "max_iter": 1}
    if make is LSTMTagger:
        how["word_dropout"] = 0.0

    def loss(*data, **params):
        return small(make, **how, **params).fit(*data).loss_

    one, whole = (loss(X, y, alpha=50.0, batch_size=size) for size in (1, 40))
    assert one == pytest.approx(whole, rel=1e-5)
    twice, plain = loss([*X, *X], [*y, *y], alpha=50.0), loss(X, y, alpha=0)
    assert one - plain == pytest.approx(2 * (twice - plain), rel=1e-3)


def test_balanced_classes_are_those_of_repetitions():
    X, y = data(RNNClassifier, 40)
    repeats = np.random.default_rng(1).integers(0, 4, 40)
    many = np.repeat(np.arange(40), repeats)
    how = {"class_weight": "balanced", "batch_size": len(many), "dtype": "float64"}
    with pytest.warns(UserWarning, match="clipped"):
        weighted = small(RNNClassifier, **how).fit(X, y, sample_weight=repeats)
    repeated = small(RNNClassifier, **how).fit([X[i] for i in many], y[many])
    assert weighted.loss_ == pytest.approx(repeated.loss_)
    assert_allclose(weighted._params, repeated._params, atol=1e-9)


def test_weights_beside_which_the_penalty_is_all_there_is():
    X, y = data(RNNClassifier)
    with pytest.raises(ValueError, match=r"weights .* add up to 6e-299"):
        small(RNNClassifier).fit(X, y, sample_weight=np.full(60, 1e-300))
    small(RNNClassifier, alpha=0).fit(X, y, sample_weight=np.full(60, 1e-300))


# Early stopping


@KINDS
def test_early_stopping_watches_the_loss(make):
    X, y = data(make)
    model = small(make, early_stopping=True, max_iter=6, validation_fraction=0.2).fit(X, y)
    scores = model.validation_scores_
    assert model.scoring == "loss"
    assert model.best_validation_score_ == max(scores)
    assert len(set(scores)) == len(scores) == model.n_iter_
    assert model.best_epoch_ == scores.index(max(scores)) + 1
    # what is kept has the loss it was kept for
    data_ = model._read_data(X, y, None, reset=False, split_seed=split_seed(model))
    held = data_.take(data_.held)
    runner = model._runner_class(
        model._get_plan(), held.sequences, held.targets, 8, model._params, None,
        held.documents, True,
    )  # fmt: skip
    assert -runner.loss() == pytest.approx(max(scores), rel=1e-5)


def split_seed(model):
    return np.random.RandomState(model.random_state).randint(2**31 - 1)


@KINDS
@pytest.mark.parametrize("scoring", [None, lambda model, X, y=None: float(len(X))])
def test_a_score_of_ones_own(make, scoring):
    X, y = data(make)
    how = {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 3}
    model = small(make, scoring=scoring, **how).fit(X, y)
    if scoring is not None:
        assert len(set(model.validation_scores_)) == 1
        assert model.validation_scores_[0] >= 2
    else:
        assert np.isfinite(model.validation_scores_).all()


def test_the_name_of_a_scorer():
    X, y = data(RNNClassifier)
    how = {"early_stopping": True, "max_iter": 5}
    named = small(RNNClassifier, scoring="recall", **how).fit(X, y)
    made = small(RNNClassifier, scoring=make_scorer(recall_score), **how).fit(X, y)
    assert named.validation_scores_ == made.validation_scores_
    with pytest.raises(ValueError, match="scoring"):
        small(RNNClassifier, scoring="no such score", **how).fit(X, y)


@pytest.mark.filterwarnings("ignore:R.* score is not well-defined")
def test_a_score_that_says_nothing():
    # it would leave the weights that nothing has been learnt by
    X, y = data(RNNRegressor)
    model = small(RNNRegressor, early_stopping=True, scoring=None)
    with pytest.raises(ValueError, match=r"NaN after epoch 1.*scoring=None"):
        model.fit(X, y, X_val=X[:1], y_val=y[:1])
    assert not hasattr(model, "n_iter_")


def test_of_equal_scores_the_lowest_loss_is_kept():
    X, y = data(RNNClassifier)
    how = {"early_stopping": True, "learning_rate_init": 0.01, "max_iter": 12}
    tied = small(RNNClassifier, scoring=lambda *_: 0.5, **how).fit(X, y)
    watching = small(RNNClassifier, **how).fit(X, y)
    assert tied.n_iter_ == 12  # the loss still falls: no stall
    assert tied._params.tobytes() == watching._params.tobytes()


@KINDS
def test_validation_data_of_ones_own(make):
    (X, y), (X_val, y_val) = data(make, 30), data(make, 10, seed=1)
    if make is Seq2SeqTranslator:
        y_val = [*y_val[:-1], ["never seen"]]
    model = small(make, early_stopping=True, max_iter=3)
    weights = np.arange(1.0, 11)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    assert len(model.validation_scores_) == 3
    plain = small(make, max_iter=3).fit(X, y)
    best = int(np.argmax(model.validation_scores_)) + 1
    if best == 3:  # nothing was held out of X
        assert model._params.tobytes() == plain._params.tobytes()
    assert model.t_ == plain.t_


def test_validation_data_that_would_not_be_used():
    X, y = data(RNNClassifier)
    with pytest.raises(ValueError, match="early_stopping is False"):
        small(RNNClassifier).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match=r"X_val is not\b"):
        small(RNNClassifier, early_stopping=True).fit(X, y, y_val=y)
    with pytest.raises(ValueError, match=r"^X_val.*does not know"):
        small(RNNClassifier, early_stopping=True).fit(X, y, X_val=X, y_val=y + 1)


@pytest.mark.parametrize("make", [RNNClassifier, LSTMTagger, LSTMLanguageModel, Seq2SeqTranslator])
def test_no_word_is_learnt_from_what_is_held_out(make):
    X = [["the", f"u{i}"] for i in range(40)]
    y = {
        RNNClassifier: np.arange(40) % 2,
        LSTMTagger: [["O", "N"]] * 40,
        LSTMLanguageModel: None,
        Seq2SeqTranslator: [[f"v{i}"] for i in range(40)],
    }[make]
    model = small(make, early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert len(model.vocabulary_) == 1 + 30
    if make is Seq2SeqTranslator:
        assert len(model.target_vocabulary_) == 30
        own = [word.replace("u", "v") for word in model.vocabulary_ if word != "the"]
        assert set(own) == set(model.target_vocabulary_)


def test_no_id_is_learnt_from_what_is_held_out():
    X = [np.array([1, i]) for i in range(40)]
    model = small(RNNClassifier, embedding_dim=2, early_stopping=True).fit(X, np.arange(40) % 2)
    held = model._held_mask(np.arange(40) % 2, None, split_seed(model))
    assert model._token_counts.tolist() == [np.flatnonzero(~held).max() + 1]


def test_no_scale_is_learnt_from_what_is_held_out():
    X = walks(40)
    y = np.arange(40.0)
    model = small(RNNRegressor, early_stopping=True).fit(X, y)
    held = model._held_mask(y, None, split_seed(model))
    assert_allclose(model._target_center, y[~held].mean())
    assert_allclose(model._target_scale, y[~held].std())
    # a series whose end, which is held out, is of another size
    series = np.sin(np.arange(100) / 3)
    shorter = LSTMForecaster(4, lookback=8, max_iter=1, random_state=0).fit(series[:90])
    longer = np.append(series[:90], 1e6 * series[90:])
    frame = small(LSTMForecaster, horizon=4, lookback=8, early_stopping=True).fit(longer)._transform
    for name in ("center", "scale", "input_scale", "target_scale"):
        assert_allclose(getattr(frame, name), getattr(shorter._transform, name), rtol=0.02)


@pytest.mark.parametrize("scaling", ["global", "series"])
@pytest.mark.parametrize("bptt_steps", [None, 7])
def test_a_forecaster_holds_out_the_ends_of_its_series(scaling, bptt_steps):
    series = [np.arange(50.0) + 1000 * i for i in range(4)]
    model = LSTMForecaster(
        3, lookback=6, early_stopping=True, validation_fraction=0.2, difference=None,
        scaling=scaling, bptt_steps=bptt_steps, max_iter=1, random_state=0, dtype="float64",
    ).fit(series)  # fmt: skip
    data_ = model._read_data(series, None, None, reset=False, split_seed=0)
    k = 10  # of 49 steps that can be forecast
    for part, held in ((data_.take(~data_.held), False), (data_.take(data_.held), True)):
        numbers = part.targets.values
        # a target (series, step, step ahead) stands once in a part, and in no other
        assert np.count_nonzero(~np.isnan(numbers)) == (4 * 3 * k if held else 4 * (39 * 3 - 3))
    assert data_.documents is None or len(set(data_.documents)) == 8


def test_windows_that_share_targets_are_left_out():
    window = SlidingWindow(width=8, horizon=4)
    X, y = window.transform([np.arange(40.0), np.arange(100.0, 140)])
    model = LSTMForecaster(4, lookback=8, early_stopping=True, max_iter=1, random_state=0)
    split = {}

    class Spy(LSTMForecaster):
        def _hold_out(self, n, seed, parts):
            split["train"], split["held"] = super()._hold_out(n, seed, parts)
            return split["train"], split["held"]

    Spy(**model.get_params()).fit(X, y)
    train, held = split["train"], split["held"]
    assert {int(y[i][0] >= 100) for i in held} == {0, 1}  # of both series
    known = {value for i in train for value in y[i]}
    assert not known & {value for i in held for value in y[i]}
    assert len(train) + len(held) == len(X) - 2 * window.gap


def test_classes_that_are_too_rare_to_hold_out():
    X, y = walks(30), np.arange(30) % 2
    y[0] = 7
    with pytest.raises(ValueError, match=r"Class 7 has only 1 sequence.*X_val"):
        small(RNNClassifier, early_stopping=True).fit(X, y)
    with pytest.raises(ValueError, match=r"greater or equal to the number of classes, 6"):
        small(RNNClassifier, early_stopping=True).fit(X, np.arange(30) % 6)
    # one that weighs nothing is not in the way
    small(RNNClassifier, early_stopping=True).fit(X, y, sample_weight=(np.arange(30) > 0) * 1.0)


def test_the_held_out_share_is_what_is_asked_for():
    weights = np.random.default_rng(0).integers(0, 2, 200)
    labels = np.arange(200) % 3
    for fraction in (0.05, 0.1, 0.33):
        held = hold_out(200, fraction, 0, labels=labels, weights=weights)
        assert abs(held.sum() - 200 * fraction) <= 1
        assert abs(held[weights > 0].sum() - weights.sum() * fraction) <= 1
        assert (held == hold_out(200, fraction, 0, labels=labels, weights=weights)).all()


# Warm starts, and going on


@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_warm_start_is_judged_by_its_own_data(early_stopping):
    X, y = data(RNNRegressor, 80)
    how = {"warm_start": True, "learning_rate_init": 0.02, "n_iter_no_change": 3, "max_iter": 25}
    model = small(RNNRegressor, early_stopping=early_stopping, **how).fit(X, y)
    model.fit(X, -y)  # the old data's loss is no bar for these
    assert model.n_iter_ > 10
    assert model.score(X, -y) > 0.5


def test_a_warm_start_never_ends_worse_than_it_began():
    X, y = data(RNNRegressor, 80)
    model = small(RNNRegressor, early_stopping=True, warm_start=True, max_iter=30).fit(X, y)
    kept, epoch = model._params.copy(), model.best_epoch_
    model.set_params(learning_rate_init=10.0, max_iter=2).fit(X, y)  # which only spoils
    assert (model._params == kept).all()
    assert 1 <= epoch == model.best_epoch_ <= len(model.loss_curve_) - 2
    assert model.best_validation_score_ > max(model.validation_scores_[-2:])


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (LSTMTagger, {"min_freq": 2, "subwords": False, "tag_scheme": None, "crf": True}),
        (LSTMLanguageModel, {"min_freq": 2, "tie_embeddings": True}),
        (Seq2SeqTranslator, {"min_freq": 2, "attention": None}),
        (RNNRegressor, {"loss": "absolute_error", "cell": "gru"}),
        (
            LSTMForecaster,
            {"scaling": "none", "difference": None, "lookback": 5, "autoregression": 3,
             "loss": "gaussian", "horizon": 2, "n_targets": 1},
        ),
    ],
)  # fmt: skip
def test_what_a_network_was_started_with_cannot_change(make, changes):
    X, y = data(make)
    for name, value in changes.items():
        model = small(make, warm_start=True).fit(X, y)
        before = model._params.tobytes()
        model.set_params(**{name: value})
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=f"{name} has changed"):
                call(X, y)
        assert model._params.tobytes() == before


def test_a_first_chunk_says_nothing_of_what_it_lacks():
    X, _ = data(RNNClassifier)
    model = small(RNNClassifier, learning_rate_init=1e-9)
    model.partial_fit(X, np.zeros(60, int), classes=[0, 1, 2])
    assert_allclose(model.weights_["head_bias"], 0, atol=1e-6)
    words, tags = data(LSTMTagger)
    model = small(LSTMTagger, learning_rate_init=1e-9)
    model.partial_fit(words, [["0"] * len(row) for row in words], classes=list("0123"))
    assert_allclose(model.weights_["head_bias"], 0, atol=1e-6)
    model = small(LSTMLanguageModel, learning_rate_init=1e-9).partial_fit(words, vocabulary=["new"])
    assert_allclose(model.weights_["head_bias"], 0, atol=1e-6)
    model = small(Seq2SeqTranslator, learning_rate_init=1e-9)
    model.partial_fit(words, tags, target_tokens=list("0123456789x"))
    assert_allclose(model.weights_["head_bias"], 0, atol=1e-6)


@pytest.mark.parametrize(
    "make", [RNNClassifier, RNNRegressor, LSTMTagger, LSTMLanguageModel, Seq2SeqTranslator]
)
def test_words_that_come_later_are_learnt(make):
    X, y = data(make)
    known = {RNNClassifier: {"classes": [0, 1]}, LSTMTagger: {"classes": list("0123456789")}}
    known = known.get(make, {})
    model = small(make, learning_rate_init=0.05)
    model.partial_fit(X, y, vocabulary=["later", "w1"], **known) if make not in (
        RNNClassifier, RNNRegressor
    ) else model.partial_fit(sentences(60), y, vocabulary=["later", "w1"], **known)  # fmt: skip
    assert "later" in model.vocabulary_
    with pytest.raises(ValueError, match="'not named', which the network was not started with"):
        model.partial_fit(sentences(60), y, vocabulary=["not named"])
    row = model.vocabulary_["later"]
    name = next(name for name in model.weights_ if "embedding_weight" in name)
    before = model.weights_[name][row].copy()
    later = [["later", *sentence[1:]] for sentence in sentences(60)]
    model.partial_fit(later, y)
    assert (model.weights_[name][row] != before).any()


# Scale of targets


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile"])
@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_the_scale_of_targets_does_not_matter(loss, scale):
    X, y = data(RNNRegressor)
    how = {"loss": loss, "dtype": "float64", "max_iter": 10, "learning_rate_init": 0.01}
    one = small(RNNRegressor, **how).fit(X, y).predict(X)
    other = small(RNNRegressor, **how).fit(X, scale * y + 7).predict(X)
    assert_allclose(other, scale * one + 7, rtol=1e-6)


def test_weights_are_those_of_the_plain_network():
    X, y = data(RNNRegressor)
    X = np.array(X)
    for loss, link in (("squared_error", lambda z: z), ("poisson", np.exp)):
        model = small(RNNRegressor, cell="rnn", loss=loss, dtype="float64").fit(X, 50 + abs(y))
        w, h = model.weights_, np.zeros((60, 4))
        for t in range(X.shape[1]):
            a = X[:, t] @ w["weight_ih_l0"].T + w["bias_ih_l0"]
            h = np.tanh(a + h @ w["weight_hh_l0"].T + w["bias_hh_l0"])
        z = h @ w["head_weight"].T + w["head_bias"]
        assert_allclose(model.predict(X), link(z)[:, 0])
        assert_allclose(model.set_weights(w).predict(X), link(z)[:, 0])
        state = model.initial_state(60)
        for t in range(X.shape[1]):
            output, state = model.step(X[:, t], state)
        assert_allclose(output, link(z)[:, 0])


@pytest.mark.parametrize(("loss", "right"), [("absolute_error", 2.0), ("quantile", 8.0)])
def test_losses_of_the_median_and_of_quantiles(loss, right):
    # X says nothing: what is learnt is the median, or the 0.9-quantile, of y
    X, y = np.zeros((500, 2, 1)), np.arange(500) % 10 * 1.0
    y[y < 5] = 2.0
    model = RNNRegressor(
        (2,), loss=loss, quantile=0.85, max_iter=60, learning_rate="linear", random_state=0,
        learning_rate_init=0.02, n_iter_no_change=np.inf,
    ).fit(X, y)  # fmt: skip
    assert abs(model.predict(X[:1])[0] - right) < 0.35


def test_counts():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(5, 1)) for _ in range(400)]
    rate = np.exp([x.mean() * 2 for x in X])
    model = RNNRegressor(
        (8,), loss="poisson", max_iter=40, learning_rate_init=0.01, random_state=0
    ).fit(X, rng.poisson(rate))  # fmt: skip
    predicted = model.predict(X)
    assert (predicted > 0).all()
    assert np.corrcoef(predicted, rate)[0, 1] > 0.9
    with pytest.raises(ValueError, match="sequence 3 is -1"):
        small(RNNRegressor, loss="poisson").fit(X, np.where(np.arange(400) == 3, -1, 1))
    with pytest.raises(ValueError, match="all are 0"):
        small(RNNRegressor, loss="poisson").fit(X, np.zeros(400))


# Several labels per sequence


def test_several_labels_per_sequence():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6, 2)) for _ in range(300)]
    Y = np.array([(x.mean(axis=0) > 0).tolist() + [x[-1, 0] > 0] for x in X]).astype(int)
    model = RNNClassifier(
        (16,), pooling="mean", learning_rate_init=0.01, max_iter=60, random_state=0
    ).fit(X, Y)  # fmt: skip
    assert model.predict(X).shape == Y.shape
    assert (model.predict(X) == Y).mean() > 0.85
    p = model.predict_proba(X)
    assert_allclose(model.predict_log_proba(X), np.log(p), rtol=1e-4, atol=1e-6)
    assert ((p >= 0.5) == model.predict(X)).all()
    assert model.classes_.tolist() == [0, 1, 2]
    assert 0 < model.score(X, Y) < 1
    model = small(RNNClassifier).fit(X, Y)
    state = model.initial_state(300)
    for t in range(6):
        output, state = model.step(np.array([x[t] for x in X], np.float32), state)
    assert_allclose(output, model.predict_proba(X), atol=1e-6)


def test_one_label_and_several_do_not_mix():
    X, y = data(RNNClassifier)
    Y = np.c_[y, 1 - y]
    one, several = small(RNNClassifier, warm_start=True), small(RNNClassifier, warm_start=True)
    with pytest.raises(ValueError, match="started with one label per sequence"):
        one.fit(X, y).fit(X, Y)
    with pytest.raises(ValueError, match="started with a matrix of 2 labels"):
        several.partial_fit(X, Y).fit(X, y)
    with pytest.raises(ValueError, match="matrix of 3 labels"):
        several.fit(X, np.c_[Y, y])
    with pytest.raises(ValueError, match="class_weight is for one label"):
        small(RNNClassifier, class_weight="balanced").fit(X, Y)
