"""All that is taken from scikit-learn and is not public there, so that one file follows it.

It imports nothing of the package, and all of the package may import it.
"""

from functools import cache

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config, _safe_set_output
from sklearn.utils.metadata_routing import _raise_for_params, _routing_enabled
from sklearn.utils.validation import _check_y, _num_samples

try:  # callbacks exist from version 1.9 on
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks yet."""


@cache
def _site():
    """Return the address of this package's site, if its metadata say it; else an empty string."""
    from importlib import metadata  # takes milliseconds, which an import of skrnn should not

    try:
        urls = metadata.metadata("skrnn").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    return dict(url.split(", ", 1) for url in urls).get("Documentation", "").rstrip("/")


class DocumentationLinkMixin:
    """Links the HTML representation of an estimator to its page on our site, not scikit-learn's."""

    _doc_link_module = "skrnn"

    @property
    def _doc_link_template(self):
        return _site() and _site() + "/api/{estimator_module}.{estimator_name}.html"


__all__ = [
    "CallbackSupportMixin",
    "DocumentationLinkMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_check_y",
    "_fit_context",
    "_get_output_config",
    "_num_samples",
    "_raise_for_params",
    "_routing_enabled",
    "_safe_indexing",
    "_safe_set_output",
    "check_matplotlib_support",
    "validate_params",
]
