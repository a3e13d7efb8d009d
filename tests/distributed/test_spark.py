"""Training on Spark, with two worker processes of Python: the bits of one process."""

import os
import sys

import numpy as np
import pytest

from skrnn import RNNClassifier
from skrnn.distributed import fit

sql = pytest.importorskip("pyspark.sql")
pytestmark = pytest.mark.long  # starts a Java machine


def make(seed, n=60):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(k, 2)) for k in rng.integers(5, 15, size=n)]
    return X, [int(x[:, 0].sum() > 0) for x in X]


@pytest.fixture(scope="module")
def session():
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else workers start the first one on the path
    builder = sql.SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false")
    session = builder.getOrCreate()
    yield session
    session.stop()


def classifier():
    return RNNClassifier((8,), max_iter=3, learning_rate_init=0.01, batch_size=8, random_state=0)


def test_the_bits_are_those_of_one_process(session):
    shards = [make(0), make(1)]
    reference = fit(classifier(), shards, steps=4)
    model = fit(classifier(), shards, steps=4, client=session)
    for name, w in reference.weights_.items():
        np.testing.assert_array_equal(w, model.weights_[name])


def test_errors_of_the_data_are_raised_as_they_are(session):
    with pytest.raises(ValueError, match="NaN"):
        fit(classifier(), [make(0), ([np.full((3, 2), np.nan)] * 4, [0, 1, 0, 1])], client=session)
