"""Tokens and their parts: vocabularies, shapes, and TokenEncoder."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from problems import object_array, state
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from skrnn._data.vocabulary import UNKNOWN, Vocabularies, token_columns
from skrnn.preprocessing import TokenEncoder

X = [["The", "cat", "sat"], ["a", "dog", "barked"], ["The", "dog", "sat"]]


# Columns


def test_columns():
    columns = token_columns(2, True, (1, 3), (2,), True)
    assert [column.name for column in columns] == ["word", "prefix1", "prefix3", "suffix2", "shape"]
    assert [column.view(["McAdam"]) for column in columns] == [
        ["mcadam"],
        ["m"],
        ["mca"],
        ["am"],
        ["XxXxx"],
    ]
    assert [column.min_freq for column in columns] == [2] * 5
    cased = token_columns(1, False, (1, 3), (2,), True)
    assert [column.view(["McAdam"]) for column in cased] == [
        ["McAdam"],
        ["M"],
        ["McA"],
        ["am"],
        ["XxXxx"],
    ]
    assert [column.name for column in token_columns()] == ["word"]
    assert token_columns()[0].view(["McAdam"]) == ["McAdam"]


def test_affixes_of_short_tokens():
    _, prefix, suffix = token_columns(1, False, (2,), (2,))
    assert prefix.view(["", "a", "ab", "abc"]) == ["", "", "ab", "ab"]
    assert suffix.view(["", "a", "ab", "abc"]) == ["", "", "ab", "bc"]


@pytest.mark.parametrize(
    ("token", "shape"),
    [
        ("London", "Xxx"),
        ("NATO", "XX"),
        ("2004-05", "dd-dd"),
        ("a", "x"),
        ("iPhone5s", "xXxxdx"),
        ("...", ".."),
        ("3.14", "d.dd"),
        ("Über", "Xxx"),
        ("Ωμέγα", "Xxx"),
        ("東京", "xx"),
        ("٣", "d"),
        ("🙂🙂🙂", "🙂🙂"),
        ("", ""),
    ],
)
def test_word_shape(token, shape):
    assert token_columns(shape=True)[-1].view([token]) == [shape]


# Vocabularies


def test_vocabularies_are_sorted():
    vocabularies = Vocabularies(token_columns(1, True, (1,)))
    vocabularies.fit(["b", "A", "c", "a", "ab"])
    assert vocabularies.known == [{"a": 0, "ab": 1, "b": 2, "c": 3}, {"a": 0, "b": 1, "c": 2}]
    ids = vocabularies.ids(["AB", "zoo", "b", "AB"])
    assert_array_equal(ids, [[1, 0], [UNKNOWN, UNKNOWN], [2, 1], [1, 0]])
    assert ids.dtype == np.int64
    assert vocabularies.ids([]).shape == (0, 2)


def test_minimum_frequency_counts_what_the_column_sees():
    # "ab" and "AC" occur once, but "a" begins both
    vocabularies = Vocabularies(token_columns(2, True, (1,)))
    vocabularies.fit(["ab", "AC", "b", "b"])
    assert vocabularies.known == [{"b": 0}, {"a": 0, "b": 1}]
    assert_array_equal(vocabularies.ids(["ab", "b"]), [[UNKNOWN, 0], [0, 1]])


# TokenEncoder


def test_encodes_as_documented():
    encoder = TokenEncoder(prefixes=(), suffixes=(2,))
    encoded = encoder.fit([["She", "walked"], ["Ed", "talked"]]).transform([["balked", "Ed"]])
    # words: ed, she, talked, walked; last two characters: ed, he; shapes: Xx, Xxx, xx
    assert encoder.vocabulary_ == {"ed": 0, "she": 1, "talked": 2, "walked": 3}
    assert_array_equal(encoded[0], [[-1, 0, 2], [0, 0, 0]])
    assert encoded[0].dtype == np.int64
    assert encoder.n_features_in_ == 1


def test_names_and_order_of_columns():
    names = TokenEncoder().fit(X).get_feature_names_out()
    expected = ["word", *(f"prefix{n}" for n in (1, 2, 3, 4)), *(f"suffix{n}" for n in range(1, 6))]
    assert names.tolist() == [*expected, "shape"]
    assert names.dtype == object
    encoder = TokenEncoder(prefixes=[3, 1], suffixes=np.array([2]), shape=False).fit(X)
    assert encoder.get_feature_names_out().tolist() == ["word", "prefix3", "prefix1", "suffix2"]
    first = encoder.transform([["dog"]])[0]
    prefixes = ["", "bar", "cat", "dog", "sat", "the"], ["a", "b", "c", "d", "s", "t"]
    suffixes = ["", "at", "ed", "he", "og"]
    words = ["a", "barked", "cat", "dog", "sat", "the"]
    places = [words.index("dog"), *(column.index(p) for column, p in zip(prefixes, ("dog", "d")))]
    assert_array_equal(first, [[*places, suffixes.index("og")]])


def test_parameters():
    def column(token="THE", **params):
        encoder = TokenEncoder(prefixes=(), suffixes=(), **params).fit(X)
        return encoder.transform([[token]])[0].tolist()

    assert column() == [[5, UNKNOWN]]  # no word of capitals only
    assert column(shape=False) == [[5]]
    assert column(shape=False, lowercase=False) == [[UNKNOWN]]
    assert column("cat", shape=False, min_freq=2) == [[UNKNOWN]]
    assert column("dog", shape=False, min_freq=2) == [[0]]


@pytest.mark.parametrize("container", [list, tuple, object_array, pd.Series])
def test_collections(container):
    encoder = TokenEncoder().fit(X)
    expected = encoder.transform(X)
    encoded = encoder.transform(container(X))
    assert type(encoded) is (list if container is tuple else type(container(X)))
    assert [x.shape for x in encoded] == [(3, 11)] * 3
    for x, other in zip(encoded, expected, strict=True):
        assert_array_equal(x, other)
    if container is not list:
        assert clone(encoder).fit(container(X)).vocabulary_ == encoder.vocabulary_


def test_forms_of_sequences_and_tokens():
    expected = TokenEncoder().fit(X)
    others = (
        np.array(X),
        [np.array(sentence) for sentence in X],
        [np.array(sentence, dtype=object) for sentence in X],
        [[np.str_(token) for token in sentence] for sentence in X],
        [tuple(sentence) for sentence in X],
        [np.array(sentence)[:, np.newaxis] for sentence in X],
    )
    for other in others:
        encoder = TokenEncoder().fit(other)
        assert encoder.vocabulary_ == expected.vocabulary_
        assert_array_equal(
            np.stack(list(encoder.transform(other))), np.stack(expected.transform(X))
        )


def test_series_keeps_its_index():
    series = pd.Series(X, index=list("xyz"))
    assert TokenEncoder().fit_transform(series).index.tolist() == list("xyz")


def test_empty_sequences():
    for some in ([[], *X], [*X, []], [X[0], [], X[1]]):
        encoded = TokenEncoder().fit_transform(some)
        assert [x.shape for x in encoded] == [(len(x), 11) for x in some]
    assert [x.shape for x in TokenEncoder().fit(X).transform([[], []])] == [(0, 11), (0, 11)]
    with pytest.raises(ValueError, match="Every sequence of X is empty"):
        TokenEncoder().fit([[], []])


def test_unicode():
    words = [["Äpfel", "naïve", "東京", "🙂"], ["äpfel"]]
    encoder = TokenEncoder(prefixes=(1,), suffixes=(2,)).fit(words)
    assert set(encoder.vocabulary_) == {"äpfel", "naïve", "東京", "🙂"}
    first, second = encoder.transform(words)
    assert_array_equal(first[0, :3], second[0, :3])
    assert first[0, 3] != second[0, 3]  # Xxx and xx
    assert (first >= 0).all()


def test_clone_pickle_and_not_fitted():
    encoder = TokenEncoder(min_freq=2, prefixes=(2,)).fit(X)
    again = clone(encoder)
    assert again.get_params() == encoder.get_params()
    assert not hasattr(again, "vocabulary_")
    for method in ("transform", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(again, method)(X)
    copy = pickle.loads(pickle.dumps(encoder))
    assert_array_equal(np.stack(copy.transform(X)), np.stack(encoder.transform(X)))
    assert copy.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()


def test_a_new_fit_forgets_the_old():
    encoder = TokenEncoder().fit(X).fit([["new"]])
    assert encoder.vocabulary_ == {"new": 0}


NUMBERS = [np.ones((2, 3)), np.zeros((1, 3))]
BAD = {
    "numbers": (NUMBERS, TypeError, "encodes strings, but X holds numbers"),
    "a table of numbers": (np.ones((3, 4)), TypeError, "encodes strings, but X holds numbers"),
    "a number among strings": (
        [["a"], ["b", 3]],
        TypeError,
        "mixes strings and other values: sequence 1 has 3 at step 1",
    ),
    "None among strings": ([["a", None]], TypeError, "sequence 0 has None at step 1"),
    "a string among numbers": ([[1, 2], [1, "a"]], TypeError, "sequence 1 has 'a' at step 1"),
    "plain strings": (["ab", "c"], TypeError, r"\[list\(s\) for s in X\]"),
    "a table a sequence": ([np.array([["a", "b"]])], ValueError, r"sequence 0 has shape \(1, 2\)"),
    "nothing": ([], ValueError, r"0 sample\(s\)"),
    "None": (None, TypeError, "NoneType"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_failed_fit_leaves_it_as_it_was(name):
    bad, error, message = BAD[name]
    encoder = TokenEncoder()
    for _ in range(2):
        before = state(encoder)
        with pytest.raises(error, match=message):
            encoder.fit(bad)
        assert state(encoder) == before
        encoder.fit(X)


def test_numbers_in_transform():
    with pytest.raises(TypeError, match="TokenEncoder was fitted on sequences of strings"):
        TokenEncoder().fit(X).transform(NUMBERS)


@pytest.mark.parametrize("name", ["prefixes", "suffixes"])
@pytest.mark.parametrize("lengths", [(0,), (1, -2), (1.5,), ("a",), [[1]], 3, "12", None])
def test_bad_lengths_of_parts(name, lengths):
    encoder = TokenEncoder().fit(X).set_params(**{name: lengths})
    before = state(encoder)
    with pytest.raises((ValueError, InvalidParameterError), match=name):
        encoder.fit(X)
    assert state(encoder) == before


@pytest.mark.parametrize("bad", [{"min_freq": 0}, {"lowercase": "yes"}, {"shape": None}])
def test_bad_parameters(bad):
    with pytest.raises(InvalidParameterError, match=next(iter(bad))):
        TokenEncoder(**bad).fit(X)
