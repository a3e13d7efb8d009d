"""Long tables to sequences and back."""

import numpy as np
import pytest

from skrnn import LSTMTagger, RNNClassifier
from skrnn.preprocessing import from_long, to_long

pd = pytest.importorskip("pandas")


def visits():
    return pd.DataFrame(
        {
            "patient": ["b", "a", "b", "c", "a"],
            "day": [2, 1, 1, 1, 2],
            "pulse": [80.0, 70.0, 75.0, 60.0, 71.0],
            "weight": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )


def test_samples_as_they_first_occur_and_steps_by_time():
    X = from_long(visits(), by="patient", time="day")
    assert X.index.tolist() == ["b", "a", "c"] and X.index.name == "patient"
    assert X["b"]["pulse"].tolist() == [75.0, 80.0]
    assert list(X["c"].columns) == ["pulse", "weight"]


def test_order_of_rows_without_time():
    X = from_long(visits(), by="patient", columns=["pulse"])
    assert X["b"]["pulse"].tolist() == [80.0, 75.0]


def test_estimators_take_it_with_aligned_labels():
    table = pd.concat([visits().assign(patient=visits()["patient"] + str(k)) for k in range(8)])
    X = from_long(table, by="patient", time="day", columns=["pulse", "weight"])
    labels = pd.Series({name: name[0] for name in X.index[::-1]})
    model = RNNClassifier((4,), max_iter=2, random_state=0).fit(X, labels.loc[X.index])
    assert model.feature_names_in_.tolist() == ["pulse", "weight"]
    direct = RNNClassifier((4,), max_iter=2, random_state=0)
    direct.fit(list(X), [name[0] for name in X.index])
    assert np.array_equal(model.predict_proba(X), direct.predict_proba(list(X)))


def test_tokens_and_back():
    words = pd.DataFrame(
        {"sentence": [1, 1, 0, 0], "word": ["a", "cat", "the", "dog"], "tag": ["D", "N", "D", "N"]}
    )
    X = from_long(words, by="sentence", columns="word")
    y = from_long(words, by="sentence", columns="tag")
    model = LSTMTagger((8,), max_iter=60, learning_rate_init=0.05, random_state=0).fit(X, y)
    predicted = to_long(pd.Series(list(model.predict(X)), X.index), by="sentence", columns=["tag"])
    assert predicted["tag"].tolist() == words["tag"].tolist()
    assert predicted["sentence"].tolist() == [1, 1, 0, 0]
    assert predicted["step"].tolist() == [0, 1, 0, 1]


def test_other_tables():
    for module in ("polars", "pyarrow"):
        library = pytest.importorskip(module)
        table = visits()
        if module == "polars":
            table = library.DataFrame(table.to_dict("list"))
        else:
            table = library.Table.from_pandas(table)
        X = from_long(table, by="patient", time="day", columns="pulse")
        assert X["a"].tolist() == [70.0, 71.0]


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        ({}, {"columns": "age"}, "no column 'age'"),
        ({"patient": ["b", None, "b", "c", "a"]}, {}, "lacks a value of 'patient' in row 1"),
        ({"day": [1, 1, 1, 1, 2]}, {}, r"sample b has day=1 twice"),
    ],
)
def test_what_a_table_lacks_is_said(change, given, message):
    with pytest.raises(ValueError, match=message):
        from_long(visits().assign(**change), by="patient", time="day", **given)


def test_no_table():
    with pytest.raises(TypeError, match="pandas, polars or Arrow"):
        from_long([[1, 2]], by="a")


@pytest.mark.parametrize(
    ("X", "columns", "message"),
    [
        ([np.zeros((2, 3)), np.zeros((2, 2))], None, "sequence 1 has the columns"),
        ([np.zeros((2, 3))], ["a"], "sequence 0 has 3 columns, but columns names 1"),
        ([], None, "no sequence"),
        ([np.zeros(2)], ["step"], "has a column 'step' already"),
    ],
)
def test_what_cannot_be_a_long_table(X, columns, message):
    with pytest.raises(ValueError, match=message):
        to_long(X, columns=columns)


def test_several_columns_are_numbered():
    assert to_long([np.zeros((2, 2))]).columns.tolist() == ["sample", "step", "value_0", "value_1"]
