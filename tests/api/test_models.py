"""A promise that would rot by hand: the API shows every column of a verb's answer."""

import dataclasses

import pytest

from book_enrichment import fields, records
from book_enrichment.api import models
from book_enrichment.api.examples import EXAMPLES
from book_enrichment.providers import Lookup

READ_FROM = {
    models.WorkState: records.WorkStatus,
    models.QueueItem: records.QueueRow,
    models.LibraryItem: records.LibraryLine,
    models.Summary: records.LibrarySummary,
    models.Triggered: records.EnqueueOutcome,
    models.ReviewOutcome: records.ReviewOutcome,
    models.UndoOutcome: records.UndoOutcome,
    models.MatchingOutcome: records.MatchingOutcome,
    models.Import: records.ImportProgress,
    models.ImportRow: records.ImportLine,
    models.Candidate: records.ExplainedCandidate,
    models.HistoryLine: records.HistoryLine,
    models.FieldLock: records.FieldLock,
    models.Preview: records.Preview,
    models.Lookup: Lookup,
    models.UsageLine: records.UsageLine,
    models.FillableField: fields.Field,
}


@pytest.mark.parametrize(("model", "record"), READ_FROM.items(), ids=lambda each: each.__name__)
def test_a_model_has_every_column(model, record) -> None:
    """In the same order; the cursor of a row becomes `next_cursor` of its page."""
    columns = [field.name for field in dataclasses.fields(record) if field.name != "cursor"]
    assert list(model.model_fields) == columns


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_whole_answer(name) -> None:
    """It has every field, and would be sent as it is shown."""
    model = getattr(models, name)
    assert list(EXAMPLES[name]) == list(model.model_fields)
    assert model.model_validate(EXAMPLES[name]).model_dump(mode="json") == EXAMPLES[name]
    assert model.model_json_schema()["examples"] == [EXAMPLES[name]]


def test_every_model_that_is_read_from_a_record_is_listed() -> None:
    """So that a new one is compared as well."""
    envelopes = {"items", "next_cursor"}
    listed = {model.__name__ for model in READ_FROM} | {"Health", "PublicConfig", "ImportAccepted"}
    answers = [
        model
        for model in vars(models).values()
        if isinstance(model, type) and issubclass(model, models.Answer) and model is not models.Answer
    ]
    unlisted = {model.__name__ for model in answers if not envelopes & set(model.model_fields)} - listed
    assert unlisted == set()
    assert set(EXAMPLES) == listed
