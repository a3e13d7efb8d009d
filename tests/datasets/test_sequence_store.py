"""Sequences on disk: what is written comes back, estimators read it, damage is found."""

import json
import pickle
import shutil
import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from problems import quick
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_predict, train_test_split

from skrnn import (
    LSTMForecaster,
    LSTMLanguageModel,
    LSTMTagger,
    RNNClassifier,
    RNNRegressor,
    Seq2SeqTranslator,
)
from skrnn._data.stored_sequences import StoredSequences
from skrnn._network.windows import Windows
from skrnn.datasets import SequenceStore
from skrnn.preprocessing import PerStep

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
N = 60
LENGTHS = RNG.integers(1, 12, size=N)
NUMBERS = [RNG.normal(size=(n, 3)).astype(np.float32) for n in LENGTHS]
WORDS = [[f"w{k}é" for k in RNG.integers(0, 9, size=n)] for n in LENGTHS]
IDS = [RNG.integers(0, 9, size=(n, 2)) for n in LENGTHS]
CLASSES = np.array(["yes" if x[:, 0].sum() > 0 else "no" for x in NUMBERS])
TAGS = [np.where(x[:, 0] > 0, "up", "down") for x in NUMBERS]
AMOUNTS = np.array([[x[:, 0].sum(), len(x)] for x in NUMBERS])
WEIGHTS = RNG.uniform(0.5, 2, size=N)
SMALL = 400  # bytes: a few sequences at a time


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


def same_weights(a, b):
    return all(np.array_equal(w, b.weights_[name]) for name, w in a.weights_.items())


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    path = tmp_path_factory.mktemp("numbers") / "store"
    return SequenceStore.write(path, NUMBERS, CLASSES, WEIGHTS, buffer_bytes=SMALL)


@pytest.mark.parametrize("X", [NUMBERS, WORDS, IDS], ids=["numbers", "words", "ids"])
@pytest.mark.parametrize(
    "y", [None, CLASSES, TAGS, AMOUNTS, [len(x) for x in NUMBERS]],
    ids=["none", "classes", "tags", "amounts", "integers"],
)  # fmt: skip
@pytest.mark.parametrize("in_chunks", [False, True])
def test_what_is_written_comes_back(tmp_path, X, y, in_chunks):
    cuts = [(0, 20), (20, 21), (21, N)]
    if in_chunks:
        chunks = ((X[a:b], y[a:b]) if y is not None else X[a:b] for a, b in cuts)
        store = SequenceStore.write(tmp_path / "s", chunks)
    else:
        store = SequenceStore.write(tmp_path / "s", X, y)
    assert same(store, X) and store.shape == (N,)
    assert store.y is None if y is None else same(store.y, y)
    assert np.asarray(store.y).dtype == np.asarray(y).dtype if y is CLASSES else True
    chosen = store[RNG.permutation(N)[:9]][2:]
    places = [next(i for i in range(N) if X[i] is not None and np.array_equal(X[i], x))
              for x in chosen]  # fmt: skip
    again = pickle.loads(pickle.dumps(chosen))
    assert same(again, [X[i] for i in places]) and len(again) == 7
    assert y is None or same(again.y, chosen.y)
    assert len(pickle.dumps(store)) < 1000


def test_missing_labels_and_weights_per_step(tmp_path):
    tags = [[None, "a"], ["b"]]
    weights = [[0.0, 1.0], [2.0]]
    store = SequenceStore.write(tmp_path / "s", [[1.0, 2.0], [3.0]], tags, weights)
    assert same(store.y, tags) and same(store.sample_weight, weights)


@pytest.mark.parametrize(
    ("dtype", "given", "found"),
    [(None, np.float64, np.float32), (None, np.int64, np.int64), (None, np.uint8, np.int32),
     (None, bool, np.int8), ("float64", np.float32, np.float64), ("int16", np.int64, np.int16)],
)  # fmt: skip
def test_types_of_numbers(tmp_path, dtype, given, found):
    X = [np.array([[0, 1]], given)]
    assert SequenceStore.write(tmp_path / "s", X, dtype=dtype).dtype == found


FITS = [
    (RNNClassifier, {}, NUMBERS, CLASSES),
    (RNNClassifier, {"bptt_steps": 2}, NUMBERS, CLASSES),
    (RNNClassifier, {"dtype": "float64"}, NUMBERS, CLASSES),
    (RNNClassifier, {"embedding_dim": 3}, IDS, CLASSES),
    (RNNClassifier, {"min_freq": 30}, WORDS, CLASSES),
    (RNNClassifier, {"subwords": True}, WORDS, CLASSES),
    (RNNRegressor, {}, NUMBERS, AMOUNTS),
    (LSTMTagger, {"crf": True}, NUMBERS, TAGS),
    (LSTMTagger, {"class_weight": "balanced", "word_dropout": 0.0}, WORDS, TAGS),
]


@pytest.mark.parametrize(("kind", "params", "X", "y"), FITS)
def test_same_bits_as_in_memory(tmp_path, monkeypatch, kind, params, X, y):
    monkeypatch.setattr("skrnn._network.batches.CHUNK_STEPS", 2)
    store = SequenceStore.write(tmp_path / "s", X, y, buffer_bytes=SMALL)
    model = quick(kind, max_iter=2, batch_size=7, shuffle=False, **params)
    on_disk, in_memory = clone(model).fit(store, store.y), model.fit(X, y)
    assert same_weights(on_disk, in_memory)
    assert same(on_disk.predict(store), in_memory.predict(X))
    chosen = RNG.permutation(N)[:20]
    assert same(on_disk.predict(store[chosen]), in_memory.predict([X[i] for i in chosen]))
    # What fits the buffer is shuffled, held out and dropped out as in memory.
    large = SequenceStore(store.path)
    model.set_params(shuffle=True, early_stopping=True, dropout=0.2, max_iter=2)
    assert same_weights(clone(model).fit(large, large.y), model.fit(X, y))


WHOLE = [
    (LSTMLanguageModel, WORDS, None),
    (Seq2SeqTranslator, WORDS, WORDS),
    (Seq2SeqTranslator, NUMBERS, WORDS),
    (LSTMForecaster, NUMBERS, None),
]


@pytest.mark.parametrize(("kind", "X", "y"), WHOLE)
def test_who_reads_all_of_it_says_so_and_reads_once(tmp_path, monkeypatch, kind, X, y):
    X = [x for x in X if len(x) > 3]
    y = None if y is None else X if y is X else [["a", "b"]] * len(X)
    store = SequenceStore.write(tmp_path / "s", X, buffer_bytes=SMALL)
    reads, load = [], StoredSequences.load
    monkeypatch.setattr(StoredSequences, "load", lambda self: reads.append(len(self)) or load(self))
    given = () if y is None else (y,)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        on_disk = quick(kind, max_iter=1).fit(store, *given)
    message = f"{kind.__name__} cannot read a store part by part"
    assert sum(str(warning.message).startswith(message) for warning in caught) == 1
    assert reads == [len(X)]
    assert same_weights(on_disk, quick(kind, max_iter=1).fit(X, *given))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        quick(kind, max_iter=1).fit(SequenceStore(store.path, buffer_bytes=10**6), *given)


def test_order_is_drawn_by_blocks(numbers, monkeypatch):
    """Each epoch reads each sequence once, in an order of its own, window by window."""
    orders = []

    def train_windows(runner, order, batch_offsets, report, settings):
        orders.append((order, runner.windows.ends))
        report[:] = 1

    monkeypatch.setattr("skrnn._network.batches.EpochRunner._train_windows", train_windows)
    quick(RNNClassifier, max_iter=2).fit(SequenceStore(numbers.path, buffer_bytes=1600), CLASSES)
    (first, ends), (second, _) = orders
    assert (np.sort(first) == np.arange(N)).all() and (np.sort(second) == np.arange(N)).all()
    assert (first != second).any()
    filled = 12 * np.add.reduceat(LENGTHS[first], np.append(0, ends[:-1]))
    assert len(ends) > 2 and filled.max() <= 1600 + 12 * LENGTHS.max() and ends[-1] == N


def test_same_seed_same_bits_and_it_learns(numbers):
    def fitted(seed):
        model = RNNClassifier((8,), max_iter=40, learning_rate_init=0.03, random_state=seed)
        return model.fit(numbers, numbers.y, numbers.sample_weight)

    assert same_weights(fitted(1), fitted(1)) and not same_weights(fitted(1), fitted(2))
    assert fitted(1).score(numbers, CLASSES) > 0.9


class Numbers(NamedTuple):
    """Targets that are the numbers of their sequences."""

    values: np.ndarray

    def take(self, indices):
        return Numbers(self.values[indices])

    def load(self):
        return self


def windows_of(store):
    quick(RNNClassifier).partial_fit(store, CLASSES, ["no", "yes"])  # looks at its input
    stored = replace(store._stored_sequences(), encode=lambda steps: steps)
    return stored, Windows(stored, Numbers(np.arange(N)), 4)


def test_windows_give_what_was_asked_for(numbers):
    """In batches, with the targets of the same sequences, and each batch once."""
    _, windows = windows_of(numbers)
    order = windows.shuffled(np.random.RandomState(0))
    batch_offsets = np.append(np.arange(0, N, 7), N)
    read, batches = [], []
    for first, last, window in windows.read(order, batch_offsets):
        batches += range(first, last)
        arrays = window.sequences.arrays()
        read += [(window.targets.values[i], arrays[i]) for i in window.order]
    assert batches == list(range(len(batch_offsets) - 1))
    assert [i for i, _ in read] == order.tolist()
    assert all(np.array_equal(x, NUMBERS[i]) for i, x in read)


def test_windows_are_shuffled_inside(numbers):
    _, windows = windows_of(numbers)
    windows.size = 3 * int(windows._filled(np.arange(N))[-1]) // 4  # two, each of many blocks
    windows.fits = False
    order = windows.shuffled(np.random.RandomState(0))
    neighbors = np.mean(np.diff(order[: windows.ends[0]]) == 1)
    assert len(windows.ends) == 2 and neighbors < 0.2


def test_far_sequences_are_read_one_by_one(numbers, monkeypatch):
    monkeypatch.setattr("skrnn._data.stored_sequences.GAP_BYTES", 24)
    chosen = np.array([3, 4, 20, 22, 59])
    stored, _ = windows_of(numbers)
    assert same(stored.read(chosen).arrays(), [NUMBERS[i] for i in chosen])


def test_splitters_and_cross_validation(numbers):
    model = quick(RNNClassifier, max_iter=2, shuffle=False)
    expected = cross_val_predict(model, NUMBERS, CLASSES, cv=3)
    assert same(cross_val_predict(model, numbers, numbers.y, cv=3, n_jobs=2), expected)
    train, test = train_test_split(numbers, random_state=0)
    assert isinstance(train, SequenceStore) and len(train) + len(test) == N


def test_transformers_read_all_of_it(numbers):
    from sklearn.preprocessing import StandardScaler

    expected = PerStep(StandardScaler()).fit_transform(NUMBERS)
    assert same(PerStep(StandardScaler()).fit_transform(numbers), expected)


def test_partial_fit_and_validation_data(numbers):
    model = quick(RNNClassifier, shuffle=False)
    a = clone(model).partial_fit(numbers[:30], CLASSES[:30], ["no", "yes"])
    assert same_weights(a, model.partial_fit(NUMBERS[:30], CLASSES[:30], ["no", "yes"]))
    model = quick(RNNClassifier, shuffle=False, early_stopping=True, max_iter=2)
    a = clone(model).fit(numbers[:30], CLASSES[:30], X_val=numbers[30:], y_val=CLASSES[30:])
    model.fit(NUMBERS[:30], CLASSES[:30], X_val=NUMBERS[30:], y_val=CLASSES[30:])
    assert same_weights(a, model)
    assert a.validation_scores_ == pytest.approx(model.validation_scores_)


# -- refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "error", "message"),
    [
        ([NUMBERS[:2], WORDS[:2]], TypeError, "begins with sequence 2 holds strings"),
        ([WORDS[:2], NUMBERS[:2]], TypeError, "begins with sequence 2 holds numbers"),
        ([NUMBERS[:2], [np.ones((2, 4))]], ValueError, "4 features per step"),
        ([IDS[:2], [np.ones((2, 2))]], TypeError, "floating point"),
        ([[np.ones(2, np.int32)], [np.array([2**40])]], ValueError, "beyond int32"),
        ([[np.array([1e60])]], ValueError, "too large for float32"),
        ([(NUMBERS[:2], CLASSES[:2]), NUMBERS[:2]], ValueError, "has no y"),
        ([NUMBERS[:2], (NUMBERS[:2], CLASSES[:2])], ValueError, "has y"),
        ([(NUMBERS[:2], CLASSES[:2]), (NUMBERS[:2], [1, 2])], ValueError, "another kind"),
        ([(NUMBERS[:2], [1, 2]), (NUMBERS[:2], [0.5, 2])], ValueError, "another kind"),
        ([(NUMBERS[:2], [["a"], ["b", "c", "d"]])], ValueError, "y cannot be stored"),
        ([([[1.0] * 3] * 2, [["a", "b"]] * 2)], TypeError, "lengths are not those of X"),
        ([(NUMBERS[:2], CLASSES[:3])], ValueError, "2 sequences and y has 3"),
        ([], ValueError, "no sequence"),
    ],
)  # fmt: skip
def test_chunks_that_do_not_fit_together(tmp_path, chunks, error, message):
    with pytest.raises(error, match=message):
        SequenceStore.write(tmp_path / "s", iter(chunks))
    with pytest.raises(ValueError, match=r"store\.json is missing.*broken off"):
        SequenceStore(tmp_path / "s")


def test_nothing_is_written_over(tmp_path):
    SequenceStore.write(tmp_path / "s", NUMBERS)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        SequenceStore.write(tmp_path / "s", NUMBERS)
    assert len(SequenceStore.write(tmp_path / "s", NUMBERS[:5], overwrite=True)) == 5
    (tmp_path / "s" / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match="not a store"):
        SequenceStore.write(tmp_path / "s", NUMBERS, overwrite=True)
    with pytest.raises(FileNotFoundError, match="no store at"):
        SequenceStore(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="iterator of chunks"):
        SequenceStore.write(tmp_path / "t", iter([NUMBERS]), CLASSES)


def test_bad_numbers_are_named_by_sequence_and_step(tmp_path):
    X = [x.copy() for x in NUMBERS]
    X[41][0, 2] = np.nan
    store = SequenceStore.write(tmp_path / "s", X, buffer_bytes=SMALL)
    with pytest.raises(ValueError, match=r"sequence 41 has NaN at step 0 \(feature 2\)"):
        quick(RNNClassifier).fit(store, CLASSES)
    with pytest.raises(ValueError, match="sequence 1 has NaN"):
        quick(RNNClassifier).fit(store[40:], CLASSES[40:])
    quick(RNNClassifier, max_iter=1).fit(store[:41], CLASSES[:41])
    ids = SequenceStore.write(tmp_path / "t", [np.array([3, -2])])
    with pytest.raises(ValueError, match="sequence 0 has -2 at step 1"):
        quick(RNNClassifier, embedding_dim=2).fit(ids, [0])
    with pytest.raises(ValueError, match="token ids are integers"):
        quick(RNNClassifier, embedding_dim=2).fit(store[:41], CLASSES[:41])


def write(path, raw):
    path.write_bytes(raw)


DAMAGE = {
    "values cut short": ("values.npy", lambda raw: raw[:-4]),
    "values longer": ("values.npy", lambda raw: raw + b"1234"),
    "header of values": ("values.npy", lambda raw: b"?" + raw[1:]),
    "values empty": ("values.npy", lambda raw: b""),
    "values missing": ("values.npy", None),
    "offsets fall": ("offsets.npy", lambda raw: raw[:-24] + raw[-16:-8] + raw[-24:-16] + raw[-8:]),
    "offsets cut short": ("offsets.npy", lambda raw: raw[:-8]),
    "offsets of another store": ("offsets.npy", lambda raw: raw.replace(b"(61,)", b"(60,)")[:-8]),
    "description cut short": ("store.json", lambda raw: raw[:-20]),
    "description of something else": ("store.json", lambda raw: b'{"format": "other"}'),
    "description is no text": ("store.json", lambda raw: b"\xff\xfe"),
    "number of sequences": ("store.json", lambda raw: raw.replace(b": 60,", b": -6,")),
    "later version": ("store.json", lambda raw: raw.replace(b'"version": 1', b'"version": 2')),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_files_are_named(tmp_path, numbers, what):
    name, change = DAMAGE[what]
    folder = tmp_path / "s"
    shutil.copytree(numbers.path, folder)
    path = folder / name
    if change is None:
        path.unlink()
    else:
        changed = change(path.read_bytes())
        assert changed != path.read_bytes()
        write(path, changed)
    with pytest.raises(ValueError, match=rf"{name} (is|does not|has)"):
        SequenceStore(folder)


def test_damage_within_files_is_found_when_they_are_read(tmp_path, numbers):
    folder = tmp_path / "s"
    shutil.copytree(numbers.path, folder)
    values, y = (folder / name for name in ("values.npy", "y.npy"))
    store = SequenceStore(folder, buffer_bytes=SMALL)
    write(values, values.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    with pytest.raises(ValueError, match=r"values\.npy has NaN"):
        quick(RNNClassifier).fit(store, CLASSES)
    write(values, values.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"values\.npy ends before"):
        quick(RNNClassifier).fit(store, CLASSES)
    write(y, y.read_bytes()[:-4] + np.int32(7).tobytes())
    with pytest.raises(ValueError, match=r"y\.npy is damaged.*label"):
        _ = store.y
    values.unlink()
    with pytest.raises(ValueError, match=r"values\.npy cannot be read"):
        quick(RNNClassifier).fit(store, CLASSES)
    words = SequenceStore.write(tmp_path / "w", WORDS)
    path = tmp_path / "w" / "values.npy"
    for code in (99, -1):
        write(path, path.read_bytes()[:-4] + np.int32(code).tobytes())
        with pytest.raises(ValueError, match=r"values\.npy has the number of a token"):
            quick(RNNClassifier).fit(words, CLASSES)


def test_a_store_pickled_by_its_path_that_has_changed(tmp_path):
    chosen = pickle.dumps(SequenceStore.write(tmp_path / "s", NUMBERS)[[50, 3]])
    SequenceStore.write(tmp_path / "s", NUMBERS[:9], overwrite=True)
    with pytest.raises(ValueError, match="9 sequences, fewer"):
        pickle.loads(chosen)


@pytest.mark.parametrize("key", [[[0]], [0.5], ["a"], (0, 1), 60, -61])
def test_indices_that_are_none(numbers, key):
    with pytest.raises(IndexError):
        numbers[key]


# -- Arrow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [NUMBERS, WORDS, IDS], ids=["numbers", "words", "ids"])
@pytest.mark.parametrize("y", [CLASSES, TAGS, AMOUNTS], ids=["classes", "tags", "amounts"])
def test_arrow_and_back(tmp_path, X, y):
    pytest.importorskip("pyarrow")
    store = SequenceStore.write(tmp_path / "s", X, y, buffer_bytes=SMALL)
    store.to_arrow(tmp_path / "x.arrow")
    back = SequenceStore.from_arrow(tmp_path / "t", [tmp_path / "x.arrow"], X="X", y="y")
    assert same(back, X) and same(back.y, y)


@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow"])
def test_tables_and_parquet(tmp_path, library):
    pytest.importorskip("pyarrow")
    frames = pytest.importorskip(library)
    columns = {
        "a": [x[:, 0].tolist() for x in NUMBERS], "b": [x[:, 1].tolist() for x in NUMBERS],
        "kind": CLASSES.tolist(), "w": WEIGHTS, "words": WORDS,
    }  # fmt: skip
    table = (frames.table if library == "pyarrow" else frames.DataFrame)(columns)
    names = {"y": "kind", "sample_weight": "w"}
    store = SequenceStore.from_arrow(tmp_path / "s", table, X=["a", "b"], **names)
    assert same(store, [x[:, :2] for x in NUMBERS]) and same(store.y, CLASSES)
    assert same(store.sample_weight, WEIGHTS)
    assert same(SequenceStore.from_arrow(tmp_path / "w", table, X="words"), WORDS)
    for X, error, message in (
        ("c", ValueError, "no column 'c'"),
        ("kind", TypeError, "no lists of steps"),
        (["a", "words"], TypeError, "pass it alone"),
    ):
        with pytest.raises(error, match=message):
            SequenceStore.from_arrow(tmp_path / "e", table, X=X, overwrite=True)
    if library == "polars":
        table.write_parquet(tmp_path / "x.parquet")
        files = SequenceStore.from_arrow(tmp_path / "f", tmp_path / "x.parquet", X=["a", "b"])
        assert same(files, store)


def test_description_is_plain_json(numbers):
    with open(f"{numbers.path}/store.json", encoding="utf-8") as file:
        found = json.load(file)
    assert found["n_steps"] == LENGTHS.sum() and found["columns"]["y"]["per"] == "sequence"
    assert np.load(f"{numbers.path}/values.npy").shape == (LENGTHS.sum(), 3)
