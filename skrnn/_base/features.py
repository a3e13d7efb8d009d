"""Hidden states as features: pooled, of a whole sequence, or of each of its steps."""

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from skrnn._network.predict import top_states


class FeaturesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """`transform` of an estimator whose output layer reads one row of features per sequence."""

    def transform(self, X):
        """Return the features of each sequence that the output layer reads.

        These are the hidden states of the top layer, pooled over time as `pooling` says, before the
        output layer: features for another estimator. For hidden states of every step see
        :func:`skrnn.inspection.hidden_states`.

        Parameters
        ----------
        X : sequences
            As in `fit`.

        Returns
        -------
        ndarray or DataFrame of shape (n_sequences, n_directions * hidden_layer_sizes[-1])
            Features, in the dtype of the network, those of the forward direction first; if
            `pooling` joins several poolings, all features of one come before those of the next.
            `set_output` chooses the container, and `get_feature_names_out` returns the names.
        """
        sequences = self._sequences(X)
        features = top_states(self._get_plan(), self._params, sequences)
        self._check_finite(np.isfinite(features).all(axis=1))
        return features

    @property
    def _n_features_out(self):
        return self._get_plan().n_features_out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # the network has a dtype of its own
        return tags
