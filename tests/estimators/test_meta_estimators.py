"""The guide's table of scikit-learn's tools: what it says of each of them is tried.

A row says of the tools in its first column whether they take a list of sequences, and if not, in
the words "column of sequences", "column of lists" or "padded table", or by code, what works.
"""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from problems import object_array
from sklearn import (
    calibration,
    compose,
    ensemble,
    feature_selection,
    inspection,
    multiclass,
    multioutput,
    semi_supervised,
)
from sklearn import model_selection as search
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RANSACRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.discovery import all_estimators

from skrnn import LSTMTagger, RNNClassifier, RNNRegressor
from skrnn.inspection import permutation_importance
from skrnn.preprocessing import PerStep

pd = pytest.importorskip("pandas")
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The groups parameter is ignored"),
]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "pipelines.md"
RNG = np.random.default_rng(0)
N, LONGEST = 36, 5
X = [RNG.normal(size=(length, 2)) for length in RNG.permutation(np.arange(N) % 3 + 3)]
LABELS = np.array([int(x[:, 0].sum() > 0) for x in X])
VALUES = np.array([x[:, 0].mean() for x in X])
STEP_LABELS = [(x[:, 0] > 0).astype(int).tolist() for x in X]
LENGTHS = np.array([len(x) for x in X])
QUICK = {"hidden_layer_sizes": (2,), "max_iter": 2, "random_state": 0}


def rows():
    """Return the table: the tools, whether they take a list, and what works."""
    section = GUIDE.read_text(encoding="utf-8").split("\n## Meta-estimators\n")[1]
    table = re.findall(r"^\| (`.+?) \| (yes|no) \|(.*)\|$", section.split("\n## ")[0], re.MULTILINE)
    return [(name, takes, way) for names, takes, way in table for name in code(names)]


def code(text):
    return re.findall(r"`([^`]+)`", text)


def as_it_is(network):
    return network


def unpad(table):
    return table.reshape(len(table), LONGEST, 2)


def unpadded(network):
    return make_pipeline(FunctionTransformer(unpad), network)


def column(X):
    return pd.DataFrame({"sequence": X})


def column_of_lists(X):
    return column([x.tolist() for x in X])


def padded(X):
    table = np.full((len(X), LONGEST, 2), np.nan)
    for row, x in zip(table, X, strict=True):
        row[: len(x)] = x
    return table.reshape(len(X), -1)


def classifier():
    return RNNClassifier(**QUICK)


def regressor():
    return RNNRegressor(**QUICK)


def tagger():
    return LSTMTagger(**QUICK)


def fitted(tool, X, y):
    """Fit a tool and use all that it has."""
    tool.fit(X, y)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(tool, method):
            made = getattr(tool, method)(X)
            assert len(made[0] if isinstance(made, list) else made) == N
    tool.score(X, y)


def several(name, make, y):
    """Return a call of an ensemble of several networks."""
    kind = getattr(ensemble, name)
    extra = {"cv": 2} if "Stacking" in name else {}
    return lambda X, wrap: fitted(kind([("a", wrap(make())), ("b", wrap(make()))], **extra), X, y)


def around(kind, make, y, **params):
    """Return a call of a tool around one network."""
    return lambda X, wrap: fitted(kind(wrap(make()), **params), X, y)


def searching(kind, **params):
    """Return a call of a search, over a classifier and over a tagger."""

    def call(X, wrap):
        for make, y in ((classifier, LABELS), (tagger, STEP_LABELS)):
            grid = {"max_iter": [1, 2]}
            kind(make(), grid, cv=2, error_score="raise", **params).fit(X, y).predict(X)

    return call


def judging(function, **params):
    """Return a call of a function that judges, of a classifier and of a tagger."""

    def call(X, wrap):
        for make, y in ((classifier, LABELS), (tagger, STEP_LABELS)):
            function(make(), X, y, cv=2, **params)

    return call


def permutations(X, wrap):
    search.permutation_test_score(classifier(), X, LABELS, cv=2, n_permutations=2)
    with pytest.raises(ValueError, match="step"):
        search.permutation_test_score(tagger(), X, STEP_LABELS, cv=2, n_permutations=2)
    search.permutation_test_score(tagger(), X, STEP_LABELS, cv=2, n_permutations=2, groups=LENGTHS)


def in_two_parts(X, wrap):
    train, test, y_train, y_test = search.train_test_split(X, LABELS, stratify=LABELS)
    assert len(train) == len(y_train) and len(test) == len(y_test)
    classifier().fit(train, y_train).predict(test)


def columns_chosen(X, wrap):
    chosen = compose.ColumnTransformer([("x", PerStep(StandardScaler()), ["sequence"])])
    fitted(make_pipeline(chosen, classifier()), X, LABELS)


def both(X, wrap):
    union = FeatureUnion([("a", FunctionTransformer()), ("b", FunctionTransformer())])
    fitted(make_pipeline(union, classifier()), X, LABELS)


def importances(X, wrap):
    network = classifier().fit(X, LABELS)
    inspection.permutation_importance(network, X, LABELS, n_repeats=2)


def dependence(X, wrap):
    network = wrap(classifier()).fit(X, LABELS)
    inspection.partial_dependence(network, X, [0], grid_resolution=3)


UNKNOWN = np.where(np.arange(N) % 3, LABELS, -1)
BOTH = np.column_stack([LABELS, 1 - LABELS])
THREE = np.arange(N) % 3
CALLS = {
    "Pipeline": lambda X, wrap: fitted(Pipeline([("network", classifier())]), X, LABELS),
    "GridSearchCV": searching(search.GridSearchCV),
    "RandomizedSearchCV": searching(search.RandomizedSearchCV, n_iter=2),
    "HalvingGridSearchCV": searching(search.HalvingGridSearchCV, min_resources=18, random_state=0),
    "HalvingRandomSearchCV": searching(
        search.HalvingRandomSearchCV, n_candidates=2, min_resources=18, random_state=0
    ),
    "cross_validate": judging(search.cross_validate, error_score="raise"),
    "cross_val_score": judging(search.cross_val_score, error_score="raise"),
    "cross_val_predict": judging(search.cross_val_predict),
    "learning_curve": judging(search.learning_curve, train_sizes=[0.5, 1.0], error_score="raise"),
    "validation_curve": judging(
        search.validation_curve, param_name="max_iter", param_range=[1], error_score="raise"
    ),
    "permutation_test_score": permutations,
    "train_test_split": in_two_parts,
    "VotingClassifier": several("VotingClassifier", classifier, LABELS),
    "VotingRegressor": several("VotingRegressor", regressor, VALUES),
    "StackingClassifier": several("StackingClassifier", classifier, LABELS),
    "StackingRegressor": several("StackingRegressor", regressor, VALUES),
    "OneVsRestClassifier": around(multiclass.OneVsRestClassifier, classifier, THREE),
    "MultiOutputClassifier": around(multioutput.MultiOutputClassifier, classifier, BOTH),
    "MultiOutputRegressor": around(multioutput.MultiOutputRegressor, regressor, BOTH),
    "CalibratedClassifierCV": around(calibration.CalibratedClassifierCV, classifier, LABELS, cv=2),
    "TransformedTargetRegressor": around(
        compose.TransformedTargetRegressor, regressor, VALUES, transformer=StandardScaler()
    ),
    "TunedThresholdClassifierCV": around(
        search.TunedThresholdClassifierCV, classifier, LABELS, cv=2
    ),
    "FixedThresholdClassifier": around(search.FixedThresholdClassifier, classifier, LABELS),
    "FrozenEstimator": around(FrozenEstimator, lambda: classifier().fit(X, LABELS), LABELS),
    "BaggingClassifier": around(
        ensemble.BaggingClassifier, classifier, LABELS, n_estimators=2, random_state=0
    ),
    "BaggingRegressor": around(
        ensemble.BaggingRegressor, regressor, VALUES, n_estimators=2, random_state=0
    ),
    "OutputCodeClassifier": around(
        multiclass.OutputCodeClassifier, classifier, THREE, code_size=3, random_state=0
    ),
    "AdaBoostClassifier": around(
        ensemble.AdaBoostClassifier,
        lambda: classifier().set_params(learning_rate_init=0.1, max_iter=40),
        LABELS,
        n_estimators=2,
        random_state=0,
    ),
    "AdaBoostRegressor": around(
        ensemble.AdaBoostRegressor, regressor, VALUES, n_estimators=2, random_state=0
    ),
    "OneVsOneClassifier": around(multiclass.OneVsOneClassifier, classifier, THREE),
    "SelfTrainingClassifier": around(semi_supervised.SelfTrainingClassifier, classifier, UNKNOWN),
    "RANSACRegressor": around(
        RANSACRegressor, regressor, VALUES, min_samples=0.5, max_trials=2, random_state=0
    ),
    "partial_dependence": dependence,
    "ColumnTransformer": columns_chosen,
    "FeatureUnion": both,
    "ClassifierChain": around(multioutput.ClassifierChain, classifier, BOTH),
    "RegressorChain": around(multioutput.RegressorChain, regressor, BOTH),
    "SequentialFeatureSelector": around(
        feature_selection.SequentialFeatureSelector, classifier, LABELS
    ),
    "RFE": around(feature_selection.RFE, classifier, LABELS),
    "RFECV": around(feature_selection.RFECV, classifier, LABELS),
    "permutation_importance": importances,
}


def per_step(transformer):
    fitted(make_pipeline(PerStep(transformer), classifier()), X, LABELS)


def best_features():
    model = make_pipeline(PerStep(SelectKBest()), classifier())
    grid = {"perstep__transformer__k": [1, 2]}
    search.GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, LABELS)


def feature_importances():
    network = classifier().fit(X, LABELS)
    result = permutation_importance(network, X, LABELS, n_repeats=2, random_state=0)
    assert result.importances_mean.shape == (2,)


INSTEAD = {
    "PerStep(ColumnTransformer(...))": lambda: per_step(
        compose.ColumnTransformer([("scaled", StandardScaler(), [1])], remainder="passthrough")
    ),
    "PerStep(FeatureUnion(...))": lambda: per_step(
        FeatureUnion([("as it is", "passthrough"), ("scaled", StandardScaler())])
    ),
    "RNNRegressor": lambda: fitted(regressor(), X, BOTH),
    "RNNClassifier": lambda: [fitted(classifier(), X, y) for y in (THREE, BOTH)],
    "PerStep(SelectKBest())": best_features,
    "skrnn.inspection.permutation_importance": feature_importances,
}
FORMS = {
    "column of sequences": (column, as_it_is),
    "column of lists": (column_of_lists, as_it_is),
    "padded table": (padded, unpadded),
}


@pytest.mark.skipif(not GUIDE.exists(), reason="needs docs/guide/pipelines.md")
def test_every_tool_is_in_the_guide():
    names = [name for name, _, _ in rows()]
    assert sorted(names) == sorted(CALLS)


@pytest.mark.skipif(not GUIDE.exists(), reason="needs docs/guide/pipelines.md")
@pytest.mark.parametrize(
    ("name", "takes", "way"),
    [pytest.param(*row, id=row[0]) for row in (rows() if GUIDE.exists() else [])],
)
def test_what_the_guide_says(name, takes, way):
    call = CALLS[name]
    if takes == "yes":
        call(X, as_it_is)
        call(object_array(X), as_it_is)
        return
    with pytest.raises((ValueError, TypeError)):
        call(X, as_it_is)
    ways = [lambda f=f, w=w: call(f(X), w) for text, (f, w) in FORMS.items() if text in way]
    ways += [INSTEAD[text] for text in code(way) if text in INSTEAD]
    assert ways
    for way in ways:
        way()


def test_a_constant_column_of_labels():
    """Where a network has nothing to learn, scikit-learn makes an array of X itself."""
    constant = np.column_stack([LABELS, np.ones(N, dtype=int)])
    model = multiclass.OneVsRestClassifier(classifier())
    with pytest.warns(UserWarning, match="present in all"), pytest.raises(ValueError):
        model.fit(X, constant).predict(X)
    with pytest.warns(UserWarning, match="present in all"):
        model.fit(object_array(X), constant).predict(object_array(X))


@pytest.mark.skipif(not GUIDE.exists(), reason="needs docs/guide/pipelines.md")
def test_stacking_beside_x_needs_a_table():
    networks = [("a", classifier())]
    assert "passthrough=True" in next(way for name, _, way in rows() if "Stacking" in name)
    with pytest.raises(ValueError, match="inhomogeneous"):
        ensemble.StackingClassifier(networks, passthrough=True, cv=2).fit(X, LABELS)


def test_no_estimator_around_others_is_forgotten():
    wrappers = {
        name
        for name, kind in all_estimators()
        if list(inspect.signature(kind).parameters)[:1] in (["estimator"], ["estimators"])
    }
    # The last two choose columns of X by coef_, or fill the gaps of a table of numbers.
    assert wrappers - {"SelectFromModel", "IterativeImputer"} <= set(CALLS)
