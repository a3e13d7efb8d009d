"""Names of types that files of skops may hold."""

TYPES = (
    "skrnn.LSTMForecaster",
    "skrnn.LSTMLanguageModel",
    "skrnn.LSTMTagger",
    "skrnn.RNNClassifier",
    "skrnn.RNNRegressor",
    "skrnn.Seq2SeqTranslator",
    "skrnn.preprocessing.CalendarFeatures",
    "skrnn.preprocessing.Frames",
    "skrnn.preprocessing.PerSequence",
    "skrnn.preprocessing.PerStep",
    "skrnn.preprocessing.SlidingWindow",
    "skrnn.preprocessing.TokenEncoder",
    "types.SimpleNamespace",  # the optimizer of an estimator with warm_start=True
)


def trusted_types():
    """Return the names of types that a skops file of skrnn's estimators may hold.

    None of them runs code of the file while it is loaded, and what estimators get is checked.
    Parameters of your own, such as a `scoring` or a transformer that skops does not know, are not
    among them.

    Returns
    -------
    list of str
        For the parameter `trusted` of `skops.io.load` and `skops.io.loads`.

    Examples
    --------
    >>> import skrnn
    >>> "skrnn.RNNClassifier" in skrnn.trusted_types()
    True
    """
    return list(TYPES)
