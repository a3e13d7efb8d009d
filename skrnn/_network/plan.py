"""Plan: what a network is, worked out once: cells, layers, directions, head, parameter layout.

A plan is three integer arrays for the kernels (``net``, ``scans``, ``tables``; fields as in
``_kernels/types.pxd``) and, for Python, the name, place and shape of every parameter in the one
flat vector. It holds no number of the network itself.
"""

import math
from itertools import combinations
from numbers import Integral
from typing import NamedTuple

import numpy as np

from skrnn._kernels import get_engine
from skrnn._network.cells import CELLS
from skrnn._network.initialize import initial_bias, initialize

# The optimizer takes the flat vector in pieces of this many numbers: small enough to share out,
# and a constant, because the order in which their sums of squares are added follows from it.
CHUNK = 4096

# What the names of the weights begin with that read the characters of words.
CHARACTERS = "characters_"


# Names of what pools over time, in the order in which they stand side by side; and what a network
# may have of them.
POOLED = ("last", "mean", "max", "attention")
POOLINGS = (*POOLED, *(names for n in (2, 3, 4) for names in combinations(POOLED, n)))


def choose_pooling(pooling):
    """Return one of `POOLINGS` for several names that the user has given: the names in their order.

    Parameters
    ----------
    pooling : tuple or list of str
    """
    if not pooling or len(set(pooling)) < len(pooling) or not set(pooling) <= set(POOLED):
        raise ValueError(
            "pooling must be 'last', 'mean', 'max' or 'attention', or a tuple of several of them, "
            f"each at most once, such as ('last', 'max'); got {pooling!r}."
        )
    poolings = tuple(name for name in POOLED if name in pooling)
    return poolings if len(poolings) > 1 else poolings[0]


def embedding_width(n_rows, most=128):
    """Choose the width of an embedding: 1.6 n^0.56, fast.ai's rule for categories, in bounds."""
    return int(np.clip(round(1.6 * n_rows**0.56), 4, most))


def embedding_sizes(token_counts, given, parts):
    """Choose rows (the last for unknown tokens) and width of the embedding of each token column.

    Parameters
    ----------
    token_counts : array-like of int, or None
        Known ids of each column; None for numbers, which have no embedding.
    given : int, sequence of int or None
        Width, or a width for each column. None chooses it from the number of rows: at most 128 for
        tokens, 32 for their parts.
    parts : bool
        Whether the columns behind the first are parts of its strings: their width follows from
        theirs, and `given` is at most the width. Columns of integers are alike.

    Returns
    -------
    list of (rows, width), or None
    """
    if token_counts is None:
        return None
    rows = [int(n) + 1 for n in token_counts]
    widths = [embedding_width(n, 32 if c else 128) for c, n in enumerate(rows)]
    if isinstance(given, Integral):
        widths = [min(w, given) if parts and c else given for c, w in enumerate(widths)]
    elif given is not None:
        widths = list(given)
        if len(widths) != len(rows) or not all(isinstance(w, Integral) and w > 0 for w in widths):
            raise ValueError(
                f"embedding_dim={given!r} must be a width, or a width for each of the {len(rows)} "
                "token columns."
            )
    return [(n, int(width)) for n, width in zip(rows, widths, strict=True)]


class Parameter(NamedTuple):
    """Place and shape of one named array in the flat parameter vector."""

    start: int
    shape: tuple

    @property
    def size(self):
        return math.prod(self.shape)


class Options(NamedTuple):
    """What may differ from call to call of one plan."""

    training: bool = False
    wants_dx: bool = False
    threads: int = 1
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    word_dropout: float = 0.0
    label_smoothing: float = 0.0
    paths: bool = False  # prediction scores whole label sequences
    distinct: int = 0  # prediction: token rows that differ, each of which is projected once
    logit_rows: int = 0  # training with softmax: rows whose outputs are in memory at once; 0: all


class Plan:
    """A network: sizes, parameter layout and the kernels' tables.

    Parameters
    ----------
    cell : {'lstm', 'gru', 'rnn'}
    hidden : sequence of int
        Hidden width of each level.
    n_features : int
        Width of an input row; the number of token columns where `embedding` is given.
    n_outputs : int
        Width of the head; 0 for a network without one.
    bidirectional : bool
    activation : {'tanh', 'relu', 'logistic'}
        Of the rnn cell.
    pooling : {'last', 'mean', 'max', 'attention', 'all'} or tuple of str
        What the head reads, one of `POOLINGS`: of a tuple what each gives, side by side. 'all' puts
        it on every step.
    loss : {'softmax', 'crf', 'squared_error', 'absolute_error', 'quantile', 'gaussian', \
            'student_t', 'poisson', 'negative_binomial', 'binary_log_loss'}
        'crf' needs `pooling='all'`; 'quantile' has an output for each target and quantile,
        'gaussian' two (mean, log standard deviation) for each target, 'student_t' three and
        'negative_binomial' two (``_kernels/heads/distributions.pxd``).
    quantiles : sequence of float
        Levels, for 'quantile'.
    bptt_steps : int or None
    embedding : sequence of (rows, dim), or None
        Size of the embedding of each token column; its last row is that of unknown tokens. A
        step's embeddings stand side by side.
    tied : bool
        The one embedding is `head_weight` itself: n_outputs rows of the last level's width, one
        direction.
    attention : {None, 'dot', 'additive'}
        That of a decoder over its source; its weights lie behind those of the head.
    n_frozen : int
        Number of rows of the first embedding, from the first on, that training leaves as they are.
    characters : (rows, dim, hidden) or None
        Of the bidirectional LSTM that reads the characters of each word: size of their embedding,
        whose last row is that of unknown characters, and units of each direction. What it makes of
        a word stands behind the word's embeddings. The tokens then have one column more, the number
        of the word, and its parameters lie behind all others.
    first_parameter : int
        Where the parameters start, in the vector of the network that this one is a part of.
    dtype : {'float32', 'float64'}
    level : str or None
        Instruction set, for tests; that of the process when None.
    """

    architecture: dict  # what it was made of, where an estimator made it

    def __init__(
        self,
        cell,
        hidden,
        n_features,
        n_outputs,
        *,
        bidirectional=False,
        activation="tanh",
        pooling="last",
        loss="softmax",
        quantiles=(),
        bptt_steps=None,
        embedding=None,
        tied=False,
        attention=None,
        n_frozen=0,
        characters=None,
        first_parameter=0,
        dtype="float32",
        level=None,
    ):
        _check_sizes(hidden, n_features, n_outputs, bptt_steps, embedding, characters)
        check_switch(bidirectional)
        self.engine = get_engine(dtype, level)
        self.dtype = self.engine.real_dtype
        self.cell = CELLS[cell]
        self.hidden = tuple(int(h) for h in hidden)
        self.n_directions = 2 if bidirectional else 1
        self.n_outputs = n_outputs
        self.pooling = pooling
        self._poolings = (pooling,) if isinstance(pooling, str) else tuple(pooling)
        if pooling not in (*POOLINGS, "all"):
            raise ValueError(f"there is no pooling {pooling!r}")
        self.loss = loss
        self.bptt_steps = bptt_steps
        self.quantiles = np.array(quantiles, dtype=np.float64)
        self.embedding = None if embedding is None else [tuple(size) for size in embedding]
        self.tied, self.attention = tied, attention
        if tied and (bidirectional or self.embedding != [(n_outputs, self.hidden[-1])]):
            raise ValueError("a tied embedding has the shape of head_weight")
        rows = self.embedding[0][0] if self.embedding and not tied else 0
        if not isinstance(n_frozen, Integral) or not 0 <= n_frozen <= rows:
            raise ValueError(f"{n_frozen!r} rows of the embedding cannot be frozen")
        self.n_frozen = n_frozen
        if loss == "crf" and pooling != "all":
            raise ValueError("a CRF needs a head on every step")
        per = outputs_per_target(loss, self.quantiles)
        if not per or n_outputs % per:
            raise ValueError(f"{n_outputs} outputs do not fit the loss {loss!r}")
        self.parameters = {}
        self.n_params = first_parameter  # length of the flat parameter vector
        self._tables = []
        self._n_table = 0
        width = n_features if embedding is None else sum(dim for _, dim in self.embedding)
        spelled = 2 * characters[2] if characters is not None else 0
        width += spelled
        self._name_parameters(width)
        self.characters = None
        if characters is not None:
            self._add_characters(*characters, dtype, level)
        codes = {"cell": self.engine.CELLS[cell], "activation": self.engine.ACTIVATIONS[activation]}
        self.scans = np.array(
            [
                self._scan(codes, level_, direction, width)
                for level_ in range(len(self.hidden))
                for direction in range(self.n_directions)
            ],
            dtype=np.intp,
        )
        self.net = self._net(width, spelled, loss, bptt_steps)
        self.tables = np.concatenate(self._tables)
        # The kernels take what stands here for sure.
        for array in (self.scans, self.net, self.tables, self.quantiles):
            array.setflags(write=False)

    def _name_parameters(self, width):
        """Lay the parameters end to end: embeddings, PyTorch's order, the head, attention."""
        if not self.tied:
            for name, size in zip(self.embedding_names, self.embedding or [], strict=True):
                self._add_parameter(name, size)
        gates = self.cell.gates
        for layer, H in enumerate(self.hidden):
            for direction in range(self.n_directions):
                name = f"l{layer}" + ("_reverse" if direction else "")
                self._add_parameter(f"weight_ih_{name}", (gates * H, width))
                self._add_parameter(f"weight_hh_{name}", (gates * H, H))
                self._add_parameter(f"bias_ih_{name}", (gates * H,))
                self._add_parameter(f"bias_hh_{name}", (gates * H,))
            width = self.n_directions * H
        if self.n_outputs:
            self._add_parameter("head_weight", (self.n_outputs, self.n_features_out))
            self._add_parameter("head_bias", (self.n_outputs,))
        if "attention" in self._poolings:
            self._add_parameter("pool_weight", (width,))
        if self.loss == "crf":
            self._add_parameter("crf_start", (self.n_outputs,))
            self._add_parameter("crf_transitions", (self.n_outputs, self.n_outputs))
            self._add_parameter("crf_end", (self.n_outputs,))
        H = self.hidden[-1]
        if self.attention is not None:
            self._add_parameter("attention_combine", (H, 2 * H))
        if self.attention == "additive":
            self._add_parameter("attention_query", (H, H))
            self._add_parameter("attention_key", (H, H))
            self._add_parameter("attention_vector", (H,))

    def _add_characters(self, rows, dim, hidden, dtype, level):
        """Plan the network that reads characters, as a part of this one."""
        self.characters = Plan(
            "lstm", (hidden,), 1, 0, bidirectional=True, embedding=[(rows, dim)],
            first_parameter=self.n_params, dtype=dtype, level=level,
        )  # fmt: skip
        self.n_params = self.characters.n_params
        for name, parameter in self.characters.parameters.items():
            self.parameters[CHARACTERS + name] = parameter

    @property
    def embedding_names(self):
        """Name of the weights of each token column."""
        n = len(self.embedding or [])
        if self.tied:
            return ["head_weight"]
        return ["embedding_weight"] if n == 1 else [f"embedding_weight_{c}" for c in range(n)]

    def _add_parameter(self, name, shape):
        parameter = Parameter(self.n_params, tuple(int(n) for n in shape))
        self.parameters[name] = parameter
        self.n_params += parameter.size

    def _table(self, values):
        """Append integers to the tables; returns where they start."""
        start = self._n_table
        values = np.ascontiguousarray(values, dtype=np.intp).ravel()
        self._tables.append(values)
        self._n_table += values.size
        return start

    def _padded(self, n):
        lanes = self.engine.lanes
        return -(-n // lanes) * lanes

    def _scan(self, codes, layer, direction, width):
        lanes = self.engine.lanes
        H = self.hidden[layer]
        Hp = self._padded(H)
        below = self.hidden[layer - 1]
        layout = self.cell.layout(Hp // lanes)
        unit = (layout.unit_block[:, None] * lanes + np.arange(lanes)).ravel()

        def rows(gate):
            gate = np.repeat(gate, lanes)
            return np.where((gate >= 0) & (unit < H), gate * H + unit, -1)

        def span(gate):
            used = np.flatnonzero(gate >= 0)
            return used[0] * lanes, (used[-1] + 1) * lanes

        def columns(vectors):
            return np.where(vectors >= 0, vectors * lanes, -1)

        name = f"l{layer}" + ("_reverse" if direction else "")
        ih_start, ih_stop = span(layout.gate_ih)
        hh_start, hh_stop = span(layout.gate_hh)
        record = {
            **codes,
            "layer": layer,
            "direction": 1 - 2 * direction,
            "H": H,
            "Hp": Hp,
            "saved": self.cell.saved,
            "has_c": self.cell.has_c,
            "in_segments": self.n_directions if layer else 1,
            "in_width": below if layer else width,
            "in_stride": self._padded(below) if layer else width,
            "ih_start": ih_start,
            "ih_stop": ih_stop,
            "hh_start": hh_start,
            "hh_stop": hh_stop,
            "n_column_blocks": len(layout.block_x),
            "block_x": self._table(columns(layout.block_x)),
            "block_h": self._table(columns(layout.block_h)),
            "row_ih": self._table(rows(layout.gate_ih)),
            "row_hh": self._table(rows(layout.gate_hh)),
            "w_ih": self.parameters[f"weight_ih_{name}"].start,
            "w_hh": self.parameters[f"weight_hh_{name}"].start,
            "b_ih": self.parameters[f"bias_ih_{name}"].start,
            "b_hh": self.parameters[f"bias_hh_{name}"].start,
        }
        return [record[field] for field in self.engine.SCAN_FIELDS]

    def _net(self, width, spelled, loss, bptt_steps):
        outputs = np.full(self._padded(self.n_outputs), -1)
        outputs[: self.n_outputs] = np.arange(self.n_outputs)
        chunks = self._penalty_chunks()
        place = np.cumsum([0] + [dim for _, dim in self.embedding or []])
        columns = [
            (self.parameters[name].start, *size, place[c], 0 if c else self.n_frozen)
            for c, (name, size) in enumerate(
                zip(self.embedding_names, self.embedding or [], strict=True)
            )
        ]
        record = {
            "n_layers": len(self.hidden),
            "n_directions": self.n_directions,
            "n_scans": len(self.scans),
            "n_columns": len(columns),
            "spelled": spelled,
            "columns": self._table(columns),
            "D": width,
            "H": self.hidden[-1],
            "Hp": self._padded(self.hidden[-1]),
            "pooling": sum(self.engine.POOLINGS[name] for name in self._poolings),
            "n_poolings": len(self._poolings),
            "pool_w": self.parameters["pool_weight"].start if "attention" in self._poolings else -1,
            "loss": self.engine.LOSSES[loss],
            "n_outputs": self.n_outputs,
            "n_targets": self.n_targets,
            "n_quantiles": len(self.quantiles),
            "head_w": self.parameters["head_weight"].start if self.n_outputs else -1,
            "head_b": self.parameters["head_bias"].start if self.n_outputs else 0,
            "crf": self.parameters["crf_start"].start if loss == "crf" else 0,
            "row_head": self._table(outputs),
            "bptt_steps": bptt_steps or 0,
            "n_params": self.n_params,
            "n_chunks": len(chunks),
            "chunks": self._table(chunks),
        }
        record["n_tables"] = self._n_table
        return np.array([record[field] for field in self.engine.NET_FIELDS], dtype=np.intp)

    def _penalty_chunks(self):
        """Return (start, stop, penalized) pieces of all parameters but embeddings."""
        pieces = []
        for name, p in self.parameters.items():
            if name.startswith(CHARACTERS):
                continue
            if self.tied or name not in self.embedding_names:
                starts = np.arange(p.start, p.start + p.size, CHUNK, dtype=np.intp)
                stops = np.minimum(starts + CHUNK, p.start + p.size)
                penalized = np.full_like(starts, name.startswith(PENALIZED))
                pieces.append(np.column_stack([starts, stops, penalized]))
        if self.characters is not None:
            pieces.append(self.characters._penalty_chunks())
        return np.concatenate(pieces)

    @property
    def n_features_out(self):
        """Numbers that the head reads at once: hidden states of the top layer, pooled."""
        return len(self._poolings) * self.n_directions * self.hidden[-1]

    @property
    def n_targets(self):
        """Numbers that a row of outputs is compared with; 0 for labels."""
        if self.loss in ("softmax", "crf"):
            return 0
        return self.n_outputs // self._outputs_per_target * numbers_per_target(self.loss)

    @property
    def _outputs_per_target(self):
        return outputs_per_target(self.loss, self.quantiles)

    @property
    def projection_width(self):
        """Numbers that W_ih x + b of one input row takes, in all directions of the first level."""
        first = self.scans[: self.n_directions]
        blocks = first[:, self.engine.SCAN_FIELDS.index("n_column_blocks")].sum()
        return int(blocks) * self.engine.block_cols * self.engine.lanes

    def views(self, vector):
        """Name the parts of a flat vector.

        Parameters
        ----------
        vector : ndarray of shape (n_params,)

        Returns
        -------
        dict
            Views of `vector` under PyTorch's names and in its layout.
        """
        return {
            name: vector[p.start : p.start + p.size].reshape(p.shape)
            for name, p in self.parameters.items()
        }

    def initialize(self, rng, targets):
        """Draw the parameters of the network.

        Parameters
        ----------
        rng : RandomState
        targets : Targets or None
            What is learned from: the head's bias is such that the first outputs are already right
            on average. None lets it be 0.

        Returns
        -------
        ndarray of shape (n_params,), dtype of the plan
        """
        params = np.zeros(self.n_params, self.dtype)
        weights, embeddings = self.views(params), self.embedding_names
        inner = self.characters
        bias = 0.0
        if targets is not None:
            bias = initial_bias(targets, self.loss, self.n_outputs, self.quantiles)
        if inner is not None:
            own = (name for name in weights if not name.startswith(CHARACTERS))
            weights = {name: weights[name] for name in own}
        initialize(weights, rng, bias, self.cell, embeddings)
        if inner is not None:
            initialize(inner.views(params), rng, 0.0, inner.cell, inner.embedding_names)
        return params

    def workspace(self, options, limits):
        """Allocate a workspace; raises MemoryError before any kernel starts.

        Parameters
        ----------
        options : Options
        limits : BatchLimits
        """
        return np.empty(self.engine.workspace_bytes(self, options, limits), dtype=np.uint8)

    def passes_workspace(self, options, limits):
        """Allocate a workspace for truncated BPTT in chunks; `limits` are those of a pass."""
        return np.empty(self.engine.passes_bytes(self, options, limits), dtype=np.uint8)


def outputs_per_target(loss, quantiles):
    """Return the number of outputs of one target, or label."""
    if loss == "quantile":
        return len(quantiles)
    return {"gaussian": 2, "student_t": 3, "negative_binomial": 2}.get(loss, 1)


def numbers_per_target(loss):
    """Return how many numbers say what a target is: a count stands beside the log of its scale."""
    return 2 if loss == "negative_binomial" else 1


def count_outputs(targets, architecture):
    """Return the width of the head that `Targets` and a loss need."""
    if targets.n_labels is not None:
        return targets.n_labels
    levels = architecture.get("quantiles", ())
    n_targets = targets.values.shape[1] // numbers_per_target(architecture["loss"])
    return n_targets * outputs_per_target(architecture["loss"], levels)


def make_plan(plan_class, architecture, params=None):
    """Return the plan of an architecture, that of `params` if there are any.

    Raises
    ------
    ValueError
        Where it is none, or larger than the parameters.
    """
    try:
        # A plan has tables as long as layers are wide: no layer is wider than there are weights.
        if params is not None and sum(_sizes(architecture)) > np.size(params):
            raise ValueError("it is larger than its weights")
        plan = plan_class(**architecture)
    except (TypeError, LookupError, OverflowError) as error:
        raise ValueError(f"the architecture does not describe a network: {error!r}") from error
    plan.architecture = dict(architecture)
    return plan


def _sizes(architecture):
    """Return the sizes that the network has at least as many weights as."""
    rows = [n for size in architecture.get("embedding") or [] for n in size]
    rows += architecture.get("target_embedding", ())
    rows += architecture.get("characters") or ()
    sizes = [*architecture["hidden"], architecture["n_outputs"], *rows]
    if not all(isinstance(n, Integral) and n > 0 for n in (*sizes, architecture["n_features"])):
        raise ValueError("sizes must be positive integers")
    return sizes


def check_switch(bidirectional):
    """Raise where `bidirectional` is neither True nor False."""
    if bidirectional not in (True, False):
        raise ValueError(f"bidirectional is {bidirectional!r}")


def _check_sizes(hidden, n_features, n_outputs, bptt_steps, embedding, characters=None):
    """Raise where a size is none: offsets that follow from it would leave the parameters."""
    sizes = [*hidden, n_features, 1 if bptt_steps is None else bptt_steps]
    sizes += [n for size in embedding or [] for n in size]
    sizes += characters or ()
    whole = all(isinstance(n, Integral) for n in (*sizes, n_outputs))
    if not whole or not len(hidden) or min(sizes) < 1 or n_outputs < 0:
        raise ValueError("sizes must be positive integers")
    if characters is not None and (embedding is None or len(characters) != 3):
        raise ValueError("characters need words, and three sizes")
    n_columns = n_features - (characters is not None)
    if embedding is not None and (
        len(embedding) != n_columns or any(len(size) != 2 for size in embedding)
    ):
        raise ValueError("each token column needs an embedding")


# L2 applies to the weights of matrices (and the vector that scores additive attention), as in
# scikit-learn's MLPClassifier; not to biases, and not to an embedding, most of whose rows a batch
# never touches.
PENALIZED = ("attention", "weight_ih", "weight_hh", "head_weight")
