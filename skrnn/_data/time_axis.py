"""The time axis of series: their dates are checked, and go on where the series end."""

# Authors: the skrnn developers
# SPDX-License-Identifier: BSD-3-Clause

import re
import warnings
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

FEW_SERIES = 20  # the longest of a panel, of which one must tell its frequency


@dataclass(frozen=True)
class TimeAxis:
    """Where the dates of series end, and by what steps they go on.

    Attributes
    ----------
    kind : {'datetime', 'period', 'integer'}
    freq : str or None
        Frequency as pandas writes it, or 'months=k' for the same day of every k-th month; of
        integers their step. None where one date says nothing of it.
    last : ndarray of shape (n_series,), dtype=int64
        Last date of each series: nanoseconds since 1970 (UTC), ordinals of periods, or integers.
    tz : str or None
    unit : str
        Resolution of dates.
    name : object
        Of the index.
    """

    kind: str
    freq: str | None
    last: np.ndarray
    tz: str | None = None
    unit: str = "ns"
    name: object = None

    def date(self, i):
        """Return the last date of series i."""
        import pandas as pd

        if self.kind == "integer":
            return int(self.last[i])
        if self.kind == "period":
            return pd.Period(ordinal=int(self.last[i]), freq=self.freq)
        date = pd.Timestamp(int(self.last[i]), unit="ns", tz="UTC").as_unit(self.unit)
        return date.tz_convert(self.tz) if self.tz else date.tz_localize(None)

    def following(self, i, n):
        """Return the n dates after the last one of series i, as an index of pandas."""
        import pandas as pd

        self._check_freq()
        last = self.date(i)
        if self.kind == "integer":
            step = int(self.freq)
            return pd.RangeIndex(last + step, last + (n + 1) * step, step, name=self.name)
        if self.kind == "period":
            return pd.period_range(last + 1, periods=n, freq=self.freq, name=self.name)
        return pd.date_range(last, periods=n + 1, freq=_offset(self.freq), name=self.name)[1:]

    def moved(self, counts):
        """Return the axis whose series end so many steps later, or earlier where negative."""
        import pandas as pd

        if not np.any(counts):
            return self
        self._check_freq()
        counts = np.asarray(counts)
        if self.kind == "integer":
            return replace(self, last=self.last + counts * int(self.freq))
        if self.kind == "period":
            step = pd.tseries.frequencies.to_offset(self.freq).n
            return replace(self, last=self.last + counts * step)
        last, found = self.last.copy(), {}
        for i, count in enumerate(counts.tolist()):
            key = int(last[i]), count
            if key not in found:
                given = {"periods": abs(count) + 1, "freq": _offset(self.freq)}
                date = self.date(i)
                found[key] = (
                    pd.date_range(date, **given)[-1] if count > 0
                    else pd.date_range(end=date, **given)[0]
                ).as_unit("ns").value  # fmt: skip
            last[i] = found[key]
        return replace(self, last=last)

    def _check_freq(self):
        if self.freq is None:
            raise ValueError(
                "One date does not tell the frequency of a series, so those of the forecast are "
                "not known. Set freq, for example to 'D' or 'MS'."
            )


def is_time(index):
    """Tell whether an index of pandas holds dates, periods or integers."""
    return hasattr(index, "freq") or (index.nlevels == 1 and index.dtype.kind in "iu")


def plain_dates(index):
    """Return an index whose dates, of Arrow or objects of Python, are in a DatetimeIndex."""
    if index.nlevels > 1 or hasattr(index, "freq") or len(index) == 0:
        return index
    if index.dtype.kind != "M" and not all(
        isinstance(label, date) for label in (index[0], index[-1])
    ):
        return index
    import pandas as pd

    return pd.DatetimeIndex(index, name=index.name)


def read_time_axis(index, offsets, names, freq=None):
    """Check the dates of series, and find their frequency.

    Parameters
    ----------
    index : DatetimeIndex, PeriodIndex or Index of integers
        Dates of all series, one after another.
    offsets : ndarray of shape (n_series + 1,)
    names : sequence
        What messages call the series.
    freq : str, default=None
        Frequency that the dates must have; None finds it.

    Returns
    -------
    TimeAxis

    Raises
    ------
    ValueError
        For dates that are missing, not in order, there twice, or not evenly spaced; the message
        names the series and the date.
    """
    import pandas as pd

    kind = "period" if isinstance(index, pd.PeriodIndex) else "datetime"
    kind = kind if hasattr(index, "freq") and index.dtype.kind not in "iu" else "integer"
    where = _Places(index, offsets, names)
    if kind != "integer" and index.hasnans:
        row = int(index.isna().argmax())
        raise ValueError(f"{where.series(row)} has no date (NaT) at step {where.step(row)}.")
    points = index.to_numpy(np.int64) if kind == "integer" else index.asi8
    if kind == "datetime":
        points = index.as_unit("ns").asi8
    jumps = np.diff(points)
    jumps[offsets[1:-1] - 1] = np.iinfo(np.int64).max  # from one series to the next
    where.refuse(jumps == 0, "has the date {1} twice. Keep one of them")
    where.refuse(
        jumps < 0, "is not in order: {0} is followed by {1}. Sort it first: X.sort_index()"
    )
    inner = np.ones(len(jumps), bool)
    inner[offsets[1:-1] - 1] = False
    axis = TimeAxis(kind, freq, points[offsets[1:] - 1], name=index.name)
    if kind == "integer":
        if freq is None and inner.any():
            values, counts = np.unique(jumps[inner], return_counts=True)
            axis = replace(axis, freq=str(values[counts.argmax()]))
        wrong = inner & (jumps != int(axis.freq)) if axis.freq else ~inner & inner
    elif kind == "period":
        if freq is not None and index.freqstr != freq:
            raise ValueError(
                f"The periods of X have the frequency {index.freqstr!r}, but {freq!r} is expected."
            )
        axis = replace(axis, freq=index.freqstr)
        wrong = inner & (jumps != index.freq.n)
    else:
        tz = None if index.tz is None else str(index.tz)
        freq = freq or _find_freq(index, offsets, where)
        axis = replace(axis, freq=freq, tz=tz, unit=index.unit)
        wrong = inner & _is_jump(index, points, _offset(freq), where) if freq else ~inner & inner
    _refuse_gaps(where, wrong, axis.freq)
    return axis


class _Places:
    """What messages call rows."""

    def __init__(self, index, offsets, names):
        self.index, self.offsets, self.names = index, offsets, names

    def _number(self, row):
        return int(np.searchsorted(self.offsets, row, side="right")) - 1

    def series(self, row):
        return f"series {self.names[self._number(row)]!r}"

    def step(self, row):
        return row - int(self.offsets[self._number(row)])

    def refuse(self, wrong, message):
        """Raise where a step from one row to the next is wrong."""
        if wrong.any():
            row = int(np.argmax(wrong))
            dates = message.format(self.index[row], self.index[row + 1])
            raise ValueError(f"{self.series(row)} {dates}.")


def _refuse_gaps(where, wrong, freq):
    at = "" if freq is None else f" at the frequency {freq!r}"
    where.refuse(
        wrong,
        f"is not evenly spaced: {{0}} is followed by {{1}}, which is not the next date{at}. "
        "Bring it to one frequency first, for example with asfreq (or with "
        "to_panel(..., freq=...) for many series), and fill what is missing; or pass the values "
        "alone",
    )


def _offset(freq):
    """Return the offset of pandas that a frequency stands for."""
    import pandas as pd

    if match := re.fullmatch(r"months=(\d+)", freq):
        return pd.DateOffset(months=int(match[1]))
    try:
        offset = pd.tseries.frequencies.to_offset(freq)
    except ValueError as error:
        raise ValueError(
            f"freq={freq!r} is not a frequency of pandas, such as 'D' or 'MS'."
        ) from error
    if isinstance(offset, pd.offsets.Week):  # the day of the week is that of each series
        return pd.offsets.Day(7 * offset.n)
    return offset


def _find_freq(index, offsets, where):
    """Return the frequency of one of the longest series; None where all have one date."""
    lengths = np.diff(offsets)
    longest = np.argsort(-lengths, kind="stable")[:FEW_SERIES]
    if index.freq is not None:
        return index.freqstr
    for i in longest:
        if found := _freq_of(index[offsets[i] : offsets[i + 1]]):
            return found
    if lengths.max() < 2:
        return None
    i = longest[0]
    part = index[offsets[i] : offsets[i + 1]]
    # Of a series with gaps a part between them tells what lacks.
    for size in (len(part) // 2, len(part) // 4, 8, 4):
        for start in range(0, len(part) - size + 1, max(1, size)):
            if size > 2 and (found := _freq_of(part[start : start + size])):
                return found
    jumps = np.diff(part.asi8)
    values, counts = np.unique(jumps, return_counts=True)
    usual = np.ones(len(index) - 1, bool)
    usual[offsets[i] : offsets[i + 1] - 1] = jumps == values[counts.argmax()]
    _refuse_gaps(where, ~usual, None)
    return None


def _freq_of(index):
    """Return the frequency of dates in order, or None."""
    import pandas as pd

    if len(index) > 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas, on what it will return in its next version
            found = pd.infer_freq(index)
        if found is not None:
            return found if isinstance(found, str) else found.freqstr
    if len(index) < 2:
        return None
    wall = index.tz_localize(None)
    months = np.diff(wall.year * 12 + wall.month)
    same_time = len(set(wall.day)) == 1 == len(set(wall - wall.normalize()))
    if same_time and months[0] > 0 and (months == months[0]).all():
        return f"months={months[0]}"
    for dates in (index, wall):
        jumps = np.diff(dates.as_unit("ns").asi8)
        if (jumps == jumps[0]).all():
            return pd.tseries.frequencies.to_offset(pd.Timedelta(jumps[0], "ns")).freqstr
    return None


def _is_jump(index, points, offset, where):
    """Tell which steps from one date to the next are not one step of a frequency."""
    import pandas as pd

    wall = index.tz_localize(None).as_unit("ns")
    if isinstance(offset, pd.offsets.Day):
        return np.diff(wall.asi8) != offset.n * 86_400_000_000_000
    if isinstance(offset, pd.offsets.Tick):
        return np.diff(points) != pd.Timedelta(offset).as_unit("ns").value
    calendar = pd.date_range(wall.min(), wall.max(), freq=offset).as_unit("ns")
    places = calendar.get_indexer(wall)
    if (places < 0).any():
        row = int(np.argmax(places < 0))
        name = getattr(offset, "freqstr", str(offset))
        raise ValueError(
            f"{where.series(row)} has the date {index[row]}, which does not fall on the "
            f"frequency {name!r}. Set freq to that of the dates, or resample the series first."
        )
    return np.diff(places) != 1
