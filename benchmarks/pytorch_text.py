"""The other side of the text benchmarks: a language model and an encoder-decoder in PyTorch.

Written as someone would who wants it fast: the document is laid out once, one row per step; Adam is
the fused one; the encoder packs its sources; the decoder runs over whole padded targets in one
call, because attention comes after the recurrence; prediction takes similar lengths together and
stops when all have ended. The networks are those of our estimators, weight for weight: `load` takes
their `weights_`.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

IGNORED = -100  # a label that does not count


def _optimizer(network, rate):
    return torch.optim.Adam(network.parameters(), lr=rate, fused=True)


def _step(network, optimizer, loss):
    """Clip and take one step; `loss` has been computed."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss.item()


class LanguageNetwork(nn.Module):
    """Embedding, LSTM, a linear head on every step."""

    def __init__(self, n_symbols, params):
        super().__init__()
        (width,) = params["hidden_layer_sizes"]
        self.embedding = nn.Embedding(n_symbols, params["embedding_dim"])
        self.lstm = nn.LSTM(params["embedding_dim"], width)
        self.head = nn.Linear(width, n_symbols)

    def forward(self, ids, state):
        """Score what comes next at each step of (T, B) ids; and the state after them."""
        outputs, state = self.lstm(self.embedding(ids), state)
        return self.head(outputs), state

    def load(self, weights):
        """Take the weights of an `LSTMLanguageModel`."""
        names = {"": "lstm.", "embedding_": "embedding.", "head_": "head."}
        self.load_state_dict(_renamed(weights, names))
        return self


class LanguageModel:
    """From one document of ids to the network; `params` are those of LSTMLanguageModel."""

    def __init__(self, params):
        self.params = params

    def fit(self, document):
        """Train from scratch; this whole call is what is timed."""
        torch.manual_seed(0)
        n_parts, steps = self.params["batch_size"], self.params["bptt_steps"]
        ids = torch.from_numpy(document)
        # One symbol more for those that are not known, as ours has.
        self.network = LanguageNetwork(int(ids.max()) + 2, self.params)
        optimizer = _optimizer(self.network, self.params["learning_rate_init"])
        inputs, labels = self.lay_out(ids[:-1], n_parts), self.lay_out(ids[1:], n_parts)
        for _ in range(self.params["max_iter"]):
            state, total = None, 0.0
            for x, y in zip(inputs.split(steps), labels.split(steps), strict=True):
                scores, state = self.network(x, state)
                state = tuple(part.detach() for part in state)
                loss = nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten())
                total += _step(self.network, optimizer, loss)
        return self

    @staticmethod
    def lay_out(ids, n_parts):
        """Cut a document into parallel parts, one row per step; what is left over is dropped."""
        return ids[: len(ids) // n_parts * n_parts].view(n_parts, -1).T.contiguous()

    def loss(self, weights, document):
        """Return the mean loss of a whole document under weights of ours."""
        network = LanguageNetwork(len(weights["head_bias"]), self.params).load(weights)
        ids = torch.from_numpy(document)
        with torch.inference_mode():
            scores, _ = network(ids[:-1, None], None)
        return nn.functional.cross_entropy(scores[:, 0], ids[1:]).item()


class TranslatorNetwork(nn.Module):
    """Bidirectional encoder, decoder as wide as both directions, attention after the decoder."""

    def __init__(self, n_source, n_target, params):
        super().__init__()
        (width,) = params["hidden_layer_sizes"]
        dim, H = params["embedding_dim"], 2 * width
        self.additive = params["attention"] == "additive"
        self.source = nn.Embedding(n_source + 1, dim)  # and unknown tokens
        self.target = nn.Embedding(n_target + 2, dim)  # and the start, and unknown tokens
        self.encoder = nn.LSTM(dim, width, bidirectional=True, batch_first=True)
        self.decoder = nn.LSTM(dim, H, batch_first=True)
        self.combine = nn.Linear(2 * H, H, bias=False)
        self.head = nn.Linear(H, n_target + 1)  # and the end
        if self.additive:
            self.query, self.key = nn.Linear(H, H, bias=False), nn.Linear(H, H, bias=False)
            self.vector = nn.Parameter(nn.init.uniform_(torch.empty(H), -(H**-0.5), H**-0.5))

    def encode(self, ids, lengths):
        """Return what attention needs of the sources, and the decoder's first state."""
        packed = pack_padded_sequence(
            self.source(ids), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, state = self.encoder(packed)
        values, _ = pad_packed_sequence(outputs, batch_first=True)
        keys = self.key(values) if self.additive else values
        past_end = torch.arange(values.shape[1]) >= lengths[:, None]
        state = tuple(torch.cat([part[0], part[1]], dim=1)[None] for part in state)
        return (keys, values, past_end), state

    def decode(self, ids, state, source):
        """Score what comes next at each step of (B, T) ids; and the state after them."""
        keys, values, past_end = source
        states, state = self.decoder(self.target(ids), state)
        if self.additive:
            sums = self.query(states)[:, :, None] + keys[:, None]
            scores = torch.tanh(sums) @ self.vector
        else:
            scores = torch.bmm(states, keys.transpose(1, 2))
        shares = torch.softmax(scores.masked_fill(past_end[:, None], -torch.inf), dim=2)
        both = torch.cat([torch.bmm(shares, values), states], dim=2)
        return self.head(torch.tanh(self.combine(both))), state

    def load(self, weights):
        """Take the weights of a `Seq2SeqTranslator`."""
        names = {
            "encoder_embedding_": "source.", "decoder_embedding_": "target.", "head_": "head.",
            "encoder_": "encoder.", "decoder_": "decoder.", "attention_combine": "combine.weight",
            "attention_query": "query.weight", "attention_key": "key.weight",
            "attention_vector": "vector",
        }  # fmt: skip
        self.load_state_dict(_renamed(weights, names))
        return self


def _renamed(weights, names):
    """Make tensors of weights of ours; the longest of `names` that a name begins with changes."""
    renamed = {}
    for name, weight in weights.items():
        old = max((start for start in names if name.startswith(start)), key=len)
        renamed[names[old] + name[len(old) :]] = torch.from_numpy(weight)
    return renamed


class Translator:
    """From token lists to token lists; `params` are those of Seq2SeqTranslator."""

    def __init__(self, params):
        self.params = params

    def fit(self, X, y):
        """Train from scratch; this whole call is what is timed."""
        torch.manual_seed(0)
        self._know(X, y)
        optimizer = _optimizer(self.network, self.params["learning_rate_init"])
        start, end = len(self.target_tokens), len(self.target_tokens)
        sources = self._ids(X)
        targets = [torch.tensor([self.target_ids[token] for token in row] + [end]) for row in y]
        inputs = [torch.cat([ids.new_tensor([start]), ids[:-1]]) for ids in targets]
        lengths = torch.tensor([len(x) for x in X])
        for _ in range(self.params["max_iter"]):
            total = 0.0
            for rows in torch.randperm(len(X)).split(self.params["batch_size"]):
                source = _padded([sources[i] for i in rows])
                labels = _padded([targets[i] for i in rows], IGNORED)
                encoded, state = self.network.encode(source, lengths[rows])
                scores, _ = self.network.decode(_padded([inputs[i] for i in rows]), state, encoded)
                loss = nn.functional.cross_entropy(
                    scores.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
                )
                total += _step(self.network, optimizer, loss)
        return self

    def _know(self, X, y):
        """Take stock of the tokens, and make a network for them."""
        self.source_ids = {token: k for k, token in enumerate(sorted({t for x in X for t in x}))}
        self.target_tokens = sorted({token for row in y for token in row})
        self.target_ids = {token: k for k, token in enumerate(self.target_tokens)}
        self.longest = max(map(len, y))
        sizes = len(self.source_ids), len(self.target_tokens)
        self.network = TranslatorNetwork(*sizes, self.params)

    def _ids(self, X):
        unknown = len(self.source_ids)
        return [torch.tensor([self.source_ids.get(token, unknown) for token in x]) for x in X]

    def take(self, weights, X, y):
        """Have the tokens of X and y, and weights of ours."""
        self._know(X, y)
        self.network.load(weights)
        return self

    def predict(self, X, batch_size):
        """Say the most probable token each time; this whole call is what is timed."""
        self.network.eval()
        sources, lengths = self._ids(X), torch.tensor([len(x) for x in X])
        found = [None] * len(X)
        with torch.inference_mode():
            for rows in torch.argsort(lengths, descending=True).split(batch_size):
                source = _padded([sources[i] for i in rows])
                said = self._decode(source, lengths[rows])
                for i, row in zip(rows.tolist(), said.tolist(), strict=True):
                    found[i] = row
        end = len(self.target_tokens)
        return [
            [self.target_tokens[k] for k in row[: row.index(end) if end in row else None]]
            for row in found
        ]

    def _decode(self, source, lengths):
        """Return ids (B, T) up to the end symbol, and anything behind it."""
        end = len(self.target_tokens)  # the start symbol's row of the embedding as well
        encoded, state = self.network.encode(source, lengths)
        ids = torch.full((len(source), 1), end)
        ended, said = torch.zeros(len(source), dtype=torch.bool), []
        for _ in range(2 * self.longest):
            scores, state = self.network.decode(ids, state, encoded)
            ids = scores.argmax(dim=2)
            said.append(ids)
            ended |= ids[:, 0] == end
            if ended.all():
                break
        return torch.cat(said, dim=1)


def _padded(rows, value=0):
    return pad_sequence(rows, batch_first=True, padding_value=value)
