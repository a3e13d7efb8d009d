"""The HTML representation of estimators links to our pages, where the address is known."""

from email.message import Message

import pytest
from sklearn.preprocessing import StandardScaler

import skrnn
from skrnn import preprocessing
from skrnn._base import sklearn_api
from skrnn.preprocessing import PerStep

ESTIMATORS = [getattr(skrnn, name) for name in skrnn.__all__ if name[0].isupper()]
TRANSFORMERS = [
    thing
    for thing in map(vars(preprocessing).get, preprocessing.__all__)
    if isinstance(thing, type)
]


@pytest.fixture
def with_site(monkeypatch):
    monkeypatch.setattr(sklearn_api, "_site", lambda: "https://example.org")


@pytest.mark.parametrize("make", [*ESTIMATORS, *TRANSFORMERS])
def test_each_links_to_its_page(make, with_site):
    needed = {"PerStep": [StandardScaler()], "PerSequence": [StandardScaler()]}
    needed |= {"Frames": [4], "SlidingWindow": [4]}
    estimator = make(*needed.get(make.__name__, []))
    module = "skrnn.preprocessing" if make in TRANSFORMERS else "skrnn"
    page = f"https://example.org/api/{module}.{make.__name__}.html"
    assert f'href="{page}"' in estimator._repr_html_()


def test_what_is_inside_links_to_scikit_learn(with_site):
    assert "scikit-learn.org" in PerStep(StandardScaler())._repr_html_()


def test_without_an_address_there_is_no_link(monkeypatch):
    monkeypatch.setattr(sklearn_api, "_site", lambda: "")
    assert skrnn.RNNClassifier()._get_doc_link() == ""


def test_the_address_is_what_the_metadata_say(monkeypatch):
    from importlib import metadata

    says = (
        {"Project-URL": "Source, https://a.org"},
        {"Project-URL": "Documentation, https://b.org/"},
    )
    for expected, known in zip(("", "https://b.org"), says):
        message = Message()
        for pair in known.items():
            message.add_header(*pair)
        monkeypatch.setattr(metadata, "metadata", lambda name, message=message: message)
        assert sklearn_api._site.__wrapped__() == expected
