"""An encoder, a decoder and the attention between them: parameters, workspace, training runs.

The pair is to the estimator what a `Plan` is: names, places and shapes of all parameters in one
flat vector, the encoder's part first. The kernels: ``_kernels/entries/encoder_decoder.pxi``.
"""

import numpy as np

from skrnn._network.batches import EpochRunner, equal_bounds, kernel_data, pair_limits
from skrnn._network.border import TargetSequences
from skrnn._network.plan import Parameter, Plan, check_switch
from skrnn._translator.targets import decoder_inputs

ATTENTION = (None, "dot", "additive")


class EncoderDecoder:
    """An encoder, a decoder and the attention between them.

    Parameters
    ----------
    cell, hidden, n_features, bidirectional, activation, bptt_steps, embedding, n_frozen, dtype,
    level
        As in `Plan`, of the encoder. Levels of the decoder are as wide as all directions of the
        encoder's.
    n_outputs : int
        Target tokens and the end symbol.
    target_embedding : (rows, dim)
        Of target tokens, the start symbol and unknown tokens.
    attention : {None, 'dot', 'additive'}
    loss : {'softmax'}
    """

    architecture: dict  # what it was made of, where an estimator made it

    def __init__(
        self,
        cell,
        hidden,
        n_features,
        n_outputs,
        *,
        target_embedding,
        attention=None,
        bidirectional=False,
        activation="tanh",
        loss="softmax",
        bptt_steps=None,
        embedding=None,
        n_frozen=0,
        dtype="float32",
        level=None,
    ):
        if attention not in ATTENTION:
            raise ValueError(f"there is no attention {attention!r}")
        check_switch(bidirectional)
        alike = {
            "activation": activation, "pooling": "all", "loss": loss, "bptt_steps": bptt_steps,
            "dtype": dtype, "level": level,
        }  # fmt: skip
        self.encoder = Plan(
            cell, hidden, n_features, 0, bidirectional=bidirectional, embedding=embedding,
            n_frozen=n_frozen, **alike,
        )  # fmt: skip
        self.decoder = Plan(
            cell, [(1 + bidirectional) * h for h in hidden], 1, n_outputs,
            embedding=[target_embedding], attention=attention, **alike,
        )  # fmt: skip
        self.engine, self.dtype = self.encoder.engine, self.encoder.dtype
        self.embedding, self.n_outputs = self.encoder.embedding, n_outputs
        self.n_params = self.encoder.n_params + self.decoder.n_params  # of the flat vector
        self.attention, self.width = attention, self.decoder.hidden[-1]
        self.parameters = {f"encoder_{name}": p for name, p in self.encoder.parameters.items()}
        for name, p in self.decoder.parameters.items():
            own = name if name.startswith(("head", "attention")) else f"decoder_{name}"
            self.parameters[own] = Parameter(self.encoder.n_params + p.start, p.shape)
        places = [
            self.decoder.parameters[name].start if name in self.decoder.parameters else 0
            for name in ("combine", "query", "key", "vector")
            for name in (f"attention_{name}",)
        ]
        self.attention_record = np.array([self.engine.SCORES[attention], *places], dtype=np.intp)
        rows = np.full(-(-self.width // self.engine.lanes) * self.engine.lanes, -1, dtype=np.intp)
        rows[: self.width] = np.arange(self.width)
        self.attention_rows = rows

    @property
    def embedding_names(self):
        """Name of the weights of each column of source tokens."""
        return [f"encoder_{name}" for name in self.encoder.embedding_names]

    views = Plan.views

    def initialize(self, rng, targets):
        """Draw the parameters of both networks, as `Plan.initialize` does."""
        parts = self.encoder.initialize(rng, None), self.decoder.initialize(rng, targets)
        return np.concatenate(parts)

    def workspace(self, options, limits, n_sequences):
        """Allocate a workspace for batches of at most `limits`.

        Parameters
        ----------
        options : Options
        limits : PairLimits
        n_sequences : int
            Sequences of the data that batches are taken from.
        """
        sizes = self.engine.encoder_decoder_bytes(self, options, limits, n_sequences)
        return np.empty(sum(sizes), dtype=np.uint8)


class EncoderDecoderRunner(EpochRunner):
    """Workspace and vectors of one training run of an encoder and a decoder.

    Parameters
    ----------
    pair, sequences, targets, batch_size, params, optimizer, normalize
        As in `EpochRunner`; `targets.labels` are those of `decoder_inputs`.
    documents : None
        A target is no piece of a document.
    **dropout_rates : dict of str to float
    """

    def __init__(
        self, pair, sequences, targets, batch_size, params, optimizer=None, documents=None,
        normalize=False, **dropout_rates,
    ):  # fmt: skip
        targets = self._keep(pair, targets, params, optimizer, normalize)
        lengths = np.diff(sequences.offsets)
        n = len(lengths)
        self.data = kernel_data(pair, sequences)
        offsets = targets.offsets.astype(np.intp, copy=False)
        self.batch_offsets = equal_bounds(n, batch_size)
        self.batch_size, self.documents, self.n_units = batch_size, None, n
        self.limits = pair_limits(lengths, np.diff(offsets), batch_size)
        ids = decoder_inputs(targets.labels, offsets, pair.n_outputs - 1)
        self.targets = TargetSequences(offsets, ids, targets.labels, targets.weights)
        self._set_options(pair.decoder, self.limits.target.n_steps, dropout_rates)
        self.workspace = pair.workspace(self.options, self.limits, n)

    def _train(self, options, moments, order, batch_offsets, report, carried_states, settings):
        return self.plan.engine.translate_train(
            self.plan, options, self.limits, self.workspace, self.params, self.grads,
            *moments, self.data, self.targets, order, batch_offsets, settings, report,
        )  # fmt: skip
