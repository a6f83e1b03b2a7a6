"""What an import costs other people's servers, on a small scale; `make measure-calls` counts it for 1,000."""

from pathlib import Path

from measure_calls import made_up_books, measure


async def test_two_hundred_books_stay_within_a_fifth_of_the_calls(database_url: str, tmp_path: Path) -> None:
    """Of 1,000: 60 for the ISBNs, one for each book they did not answer, none for covers; a second reader
    with the same books costs nothing."""
    books = made_up_books(200)
    left = [book for book in books if book.isbn is None or not book.is_known]
    result, calls, stats = await measure(database_url, books, tmp_path)
    assert result["open_library"]["isbn_calls"] <= 60 / 5
    assert result["open_library"]["search_calls"] <= len(left)
    assert result["open_library"]["cover_calls"] == 0
    assert result["google_books"]["calls"] == 0, "without a key it is not asked"
    assert result["second_run_calls"] == 0
    assert calls["second look"] >= 1
    assert stats.covers >= sum(book.is_known for book in books) - 1
