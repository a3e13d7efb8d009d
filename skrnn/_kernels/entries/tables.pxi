"""The numbers that stand for names in a plan, and the fields of its records."""
from libc.string cimport memset

from .optimizer cimport ADAM, SGD
from .types cimport (
    ABSOLUTE_ERROR, ALL, ATTENTION, BINARY_LOG_LOSS, BLOCK_COLS, CRF, GAUSSIAN, GRU, LANES, LAST,
    LOGISTIC, LSTM, MAX, MEAN, NEGATIVE_BINOMIAL, NetPlan, POISSON, QUANTILE, RELU, RNN, SOFTMAX,
    SQUARED_ERROR, STUDENT_T, ScanPlan, TANH, real,
)

# The numbers that stand for names in a plan, and the fields of its two kinds of record, in order.
CELLS = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
ACTIVATIONS = {"tanh": TANH, "relu": RELU, "logistic": LOGISTIC}
POOLINGS = {"last": LAST, "mean": MEAN, "max": MAX, "attention": ATTENTION, "all": ALL}
LOSSES = {"softmax": SOFTMAX, "squared_error": SQUARED_ERROR, "crf": CRF,
          "absolute_error": ABSOLUTE_ERROR, "quantile": QUANTILE, "gaussian": GAUSSIAN,
          "poisson": POISSON, "binary_log_loss": BINARY_LOG_LOSS, "student_t": STUDENT_T,
          "negative_binomial": NEGATIVE_BINOMIAL}
SOLVERS = {"adam": ADAM, "sgd": SGD}
lanes = LANES
block_cols = BLOCK_COLS
real_dtype = np.dtype(f"f{sizeof(real)}")


def _fields():
    cdef ScanPlan scan
    cdef NetPlan net
    memset(&scan, 0, sizeof(scan))
    memset(&net, 0, sizeof(net))
    return tuple((<object> scan).keys()), tuple((<object> net).keys())


SCAN_FIELDS, NET_FIELDS = _fields()
