"""What our own models offer besides `generate` and `tune`: the optional protocols of `advisor.core.model`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.core.model import (
    AnswerStream,
    Completion,
    DescribesItself,
    HasBilling,
    HasNotes,
    Model,
    Request,
    ShowsTraining,
    StreamingModel,
    TrainsHere,
    announces,
)
from advisor.models.endpoint import EndpointModel
from advisor.models.scripted import ScriptedModel


class Plain:
    """Answers one at a time and does not say when it asks."""

    def stream(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        yield from enumerate(Completion() for _ in requests)


def test_an_endpoint_streams_says_what_it_sends_and_has_notes() -> None:
    model = EndpointModel("m", url="http://127.0.0.1:1/v1")
    assert isinstance(model, Model)
    assert isinstance(model, StreamingModel)
    assert announces(model)
    assert isinstance(model.stream([]), AnswerStream)
    assert isinstance(model, HasNotes)
    assert not isinstance(model, HasBilling | TrainsHere | ShowsTraining | DescribesItself)


def test_a_scripted_model_is_free_and_gives_a_batch_at_once() -> None:
    model = ScriptedModel({})
    assert isinstance(model, HasBilling)
    assert not model.billed
    assert isinstance(model, TrainsHere)
    assert not isinstance(model, StreamingModel | HasNotes | ShowsTraining | DescribesItself)
    assert not announces(model)


def test_a_generator_is_a_stream_that_cannot_be_steered() -> None:
    model = Plain()
    assert isinstance(model, StreamingModel)
    assert not announces(model)
    assert not isinstance(model.stream([]), AnswerStream)
