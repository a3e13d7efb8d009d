"""Shared parts of transformers: `set_output`, and failures that change nothing."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from sklearn.base import TransformerMixin

from skrnn._base.sklearn_api import DocumentationLinkMixin, _get_output_config


class SequenceTransformerMixin(DocumentationLinkMixin, TransformerMixin):
    """A transformer whose samples are sequences: `set_output` decides what each of them is."""

    def __init_subclass__(cls, **kwargs):
        # scikit-learn's own set_output would make one table of a list of sequences.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform=None):
        """Choose the container of each transformed sequence.

        Parameters
        ----------
        transform : {'default', 'pandas', 'polars'}, default=None
            'pandas' and 'polars' give a DataFrame for each sequence, 'default' what the transformer
            makes; None changes nothing.

        Returns
        -------
        self : estimator instance
            The transformer.
        """
        if transform is not None:
            # scikit-learn's name for it, which clone copies
            self._sklearn_output_config = {"transform": transform}
        return self

    def _container(self):
        """Return what set_output, or else scikit-learn's configuration, asks for."""
        return _get_output_config("transform", self)["dense"]


def to_frame(table, container, names):
    """Return a table as a DataFrame.

    Parameters
    ----------
    table : ndarray or DataFrame of shape (n_rows, n_columns)
        What is a DataFrame already is given another container only where it is pandas'.

    container : {'pandas', 'polars'}

    names : callable
        Returns the names of so many columns.

    Returns
    -------
    DataFrame
    """
    framed = hasattr(table, "columns")
    if container == "polars" and not is_polars(table):
        import polars as pl

        if framed:
            return pl.DataFrame({str(name): table[name].to_numpy() for name in table.columns})
        return pl.DataFrame(table, schema=names(table.shape[1]), orient="row")
    if framed:
        return table
    import pandas as pd

    return pd.DataFrame(table, columns=names(table.shape[1]))


def is_polars(table):
    """Tell whether a table is a DataFrame of polars."""
    return type(table).__module__.partition(".")[0] == "polars"
