"""Plain state: files hold objects of this package as dicts of plain values, not as classes.

So no file names a private path, and classes may move and be renamed between versions.
"""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

from dataclasses import fields

KIND = "__class__"  # the key of what an object was; a word of a vocabulary has a number there


class PlainStateMixin:
    """Saving and loading of a transformer that has attributes of private data classes."""

    # Data classes whose objects attributes hold, alone or in lists, dicts and one another.
    _state_classes: tuple = ()

    def __getstate__(self):
        """Return the attributes, as plain values."""
        return to_plain(super().__getstate__(), self._state_classes)

    def __setstate__(self, state):
        """Take what `__getstate__` has returned."""
        super().__setstate__(from_plain(state, self._state_classes))


def to_plain(value, classes):
    """Return a copy of what may be nested, with a dict in place of each object of `classes`.

    Parameters
    ----------
    value : object
    classes : tuple of type
        Data classes.

    Returns
    -------
    object
    """
    if type(value) in classes:
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        return {KIND: type(value).__name__, **to_plain(parts, classes)}
    if type(value) is dict:
        return {key: to_plain(part, classes) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(to_plain(part, classes) for part in value)
    return value


def from_plain(value, classes):
    """Return a copy with the objects again that `to_plain` has made dicts of.

    Parameters
    ----------
    value, classes
        As in `to_plain`.

    Returns
    -------
    object

    Raises
    ------
    TypeError
        Where a dict lacks what an object needs, or holds what it does not have. What it has by
        default may be missing: an older version did not know it.
    """
    if type(value) is dict:
        parts = {key: from_plain(part, classes) for key, part in value.items()}
        for made in classes:
            if isinstance(kind := parts.get(KIND), str) and kind == made.__name__:
                del parts[KIND]
                return made(**parts)
        return parts
    if type(value) in (list, tuple):
        return type(value)(from_plain(part, classes) for part in value)
    return value
