"""Words as ids of characters."""

import numpy as np

from skrnn._data.sequences import LONGEST_WORD
from skrnn._data.spelling import learn_characters, spell


def test_characters_are_counted_by_the_words_that_have_them():
    tokens = ["aab", "aab", "bc", "é"]
    assert learn_characters(tokens, (), 1) == {"a": 0, "b": 1, "c": 2, "é": 3}
    assert learn_characters(tokens, (), 2) == {"a": 0, "b": 1}
    assert learn_characters(tokens, ["zé"], 2) == {"a": 0, "b": 1, "z": 2, "é": 3}
    assert learn_characters([], (), 1) == {}


def test_each_word_is_spelled_once():
    numbers, offsets, characters = spell(["ba", "a", "ba", "xb"], {"a": 0, "b": 1})
    np.testing.assert_array_equal(numbers, [0, 1, 0, 2])
    np.testing.assert_array_equal(offsets, [0, 2, 3, 5])
    np.testing.assert_array_equal(characters[:, 0], [1, 0, 0, 2, 1])


def test_an_empty_word_is_one_unknown_character():
    _, offsets, characters = spell(["", "a"], {"a": 0})
    np.testing.assert_array_equal(offsets, [0, 1, 2])
    np.testing.assert_array_equal(characters[:, 0], [1, 0])


def test_of_a_long_word_the_ends_are_read():
    known = {"a": 0, "b": 1, "c": 2}
    half = LONGEST_WORD // 2
    _, offsets, characters = spell(["a" * half + "c" * 900 + "b" * half, "a" * LONGEST_WORD], known)
    np.testing.assert_array_equal(offsets, [0, LONGEST_WORD, 2 * LONGEST_WORD])
    np.testing.assert_array_equal(characters[:LONGEST_WORD, 0], [0] * half + [1] * half)
    # what is not read is not known either
    assert learn_characters(["a" * half + "c" + "b" * half], (), 1) == {"a": 0, "b": 1}


def test_no_words():
    numbers, offsets, characters = spell([], {"a": 0})
    assert numbers.shape == (0,) and offsets.tolist() == [0] and characters.shape == (0, 1)
