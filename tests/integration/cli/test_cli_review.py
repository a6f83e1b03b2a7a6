"""The review at a terminal: a real one, with keys pressed and the screen read."""

import json

import pytest

COVER_2 = "https://covers.openlibrary.org/b/id/2-M.jpg"


@pytest.fixture
def screen(terminal, monkeypatch, database_url):
    """`screen(*options)` is a review that has begun."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda *options: terminal("review", *options)


def test_a_panel_shows_what_there_is_to_decide(screen, books) -> None:
    """Today's values beside the proposals, the sentence, whose they are and where to look."""
    books.bring_to_review()
    sitting = screen()
    shown = sitting.expect("q quit")
    for words in (
        "The Hunger Games",
        "Suzanne Collins",
        "same ISBN",
        "empty",
        "Scholastic Press",
        "2008",
        "https://openlibrary.org/works/OL5735363W",
        "openlibrary, high",
    ):
        assert words in shown
    assert "undo last" not in shown  # there is nothing to undo yet
    sitting.press("q")
    sitting.expect("0 approved, 0 dismissed, 0 skipped.")
    assert sitting.ends() == 0


def test_books_are_decided_one_by_one(screen, books) -> None:
    """Approved, dismissed, skipped: newest first, each once."""
    skipped = books.bring_to_review("Emma", "Jane Austen", "9780141439587", key="/works/OL3W")
    dismissed = books.bring_to_review("Dune", "Frank Herbert", "9780441013593", key="/works/OL2W")
    approved = books.bring_to_review()
    sitting = screen()
    sitting.expect("The Hunger Games")
    sitting.expect("q quit")
    sitting.press("a")
    sitting.expect("approved: wrote first published, publisher")
    sitting.expect("Dune")
    sitting.expect("q quit")
    sitting.press("d")
    sitting.expect("dismissed")
    sitting.expect("Emma")
    sitting.expect("q quit")
    sitting.press("s")
    sitting.expect("Nothing is left to review.")
    sitting.expect("q quit")
    sitting.press("q")
    sitting.expect("1 approved, 1 dismissed, 1 skipped.")
    assert sitting.ends() == 0
    states = [books.state(row.queue_id) for row in (approved, dismissed, skipped)]
    assert states == ["completed", "skipped", "needs_review"]


def test_fields_are_ticked_off(screen, books) -> None:
    """All are ticked at first; a letter changes its own; Esc changes nothing; none at all is no approval."""
    row = books.bring_to_review()
    sitting = screen()
    sitting.expect("q quit")
    sitting.press("f")
    sitting.expect("Esc back")
    sitting.press("\x1b")
    sitting.expect("q quit")
    assert books.state(row.queue_id) == "needs_review"
    sitting.press("f")
    sitting.expect("Esc back")
    sitting.press("b")
    assert "[ ]" in sitting.expect("Esc back")
    others = "acde"
    for letter in others:
        sitting.press(letter)
        sitting.expect("Esc back")
    sitting.press("\r")
    sitting.expect("Nothing is ticked")
    sitting.expect("Esc back")
    assert books.state(row.queue_id) == "needs_review"
    for letter in others:
        sitting.press(letter)
        sitting.expect("Esc back")
    sitting.press("\r")
    told = sitting.expect("Nothing is left")
    assert "publisher" not in told.split("approved: wrote")[1]
    book = books.work(row.work_id)
    assert book["publisher"] is None
    assert book["first_publish_year"] == 2008
    sitting.press("q")
    assert sitting.ends() == 0


def test_one_of_several_books_is_chosen_by_its_number(screen, books) -> None:
    """Its values take the place of the others', and they are what is written."""
    row = books.bring_rivals_to_review()
    sitting = screen()
    shown = sitting.expect("1–2 choose")
    assert "A Winter in Lapland" in shown
    assert "Across the Andes" in shown
    sitting.press("2")
    assert "2004" in sitting.expect("1–2 choose")
    sitting.press("a")
    sitting.expect("approved: wrote cover, first published")
    assert books.work(row.work_id)["default_cover_url"] == COVER_2
    sitting.expect("q quit")
    sitting.press("q")
    assert sitting.ends() == 0


def test_the_last_decision_is_taken_back(screen, books) -> None:
    """Also the very last one."""
    row = books.bring_to_review()
    sitting = screen()
    sitting.expect("q quit")
    sitting.press("a")
    sitting.expect("u undo last")
    assert books.work(row.work_id)["publisher"] == "Scholastic Press"
    sitting.press("u")
    sitting.expect("undone")
    assert sitting.ends() == 0
    assert books.work(row.work_id)["publisher"] is None


def test_what_an_undo_leaves_of_a_dismissal_is_told(screen, books) -> None:
    """The cover from before the review goes; the database does not take the dismissal itself back."""
    row = books.bring_to_review()
    sitting = screen()
    sitting.expect("q quit")
    sitting.press("d")
    sitting.expect("u undo last")
    sitting.press("u")
    sitting.expect("undone: took back cover")
    sitting.expect("the dismissal stays")
    assert sitting.ends() == 0
    assert books.state(row.queue_id) == "skipped"
    assert books.work(row.work_id)["default_cover_url"] is None


def test_an_undo_that_is_refused_does_not_skip_the_book_at_hand(screen, books) -> None:
    """Before the choice among rivals nothing was written, so there is nothing to take back."""
    row = books.bring_to_review("Dune", "Frank Herbert", "9780441013593", key="/works/OL2W")
    books.bring_rivals_to_review()
    sitting = screen()
    sitting.expect("q quit")
    sitting.press("d")
    sitting.expect("Dune")
    sitting.expect("u undo last")
    sitting.press("u")
    sitting.expect("error:")
    sitting.expect("the dismissal stays")
    sitting.expect("q quit")
    sitting.press("a")
    sitting.expect("approved")
    sitting.expect("q quit")
    sitting.press("q")
    sitting.expect("1 approved, 1 dismissed, 0 skipped.")
    assert sitting.ends() == 0
    assert books.state(row.queue_id) == "completed"


def test_a_terminal_that_hangs_up_ends_the_sitting(screen, books) -> None:
    """Also where fields are being chosen; nothing is decided."""
    row = books.bring_to_review()
    sitting = screen()
    sitting.expect("q quit")
    sitting.press("f")
    sitting.expect("Esc back")
    sitting.press("\x04")
    sitting.expect("0 approved")
    assert sitting.ends() == 0
    assert books.state(row.queue_id) == "needs_review"


def test_a_row_that_was_decided_meanwhile_is_passed_over(screen, books, direct) -> None:
    """The page may be open elsewhere."""
    other = books.bring_to_review("Dune", "Frank Herbert", "9780441013593", key="/works/OL2W")
    row = books.bring_to_review()
    sitting = screen()
    sitting.expect("q quit")
    assert direct("dismiss", row.queue_id).exit_code == 0
    sitting.press("a")
    sitting.expect("error:")
    sitting.expect("Dune")
    sitting.expect("q quit")
    sitting.press("\x03")  # Ctrl-C is q
    sitting.expect("0 approved")
    assert sitting.ends() == 0
    assert books.state(other.queue_id) == "needs_review"


def test_a_reader_sees_the_own_books_only(screen, books, create_reader) -> None:
    """--user names whose review it is; filters narrow it further."""
    ada, _ = create_reader("ada")
    books.bring_to_review(reader=ada)
    books.bring_to_review("Dune", "Frank Herbert", "9780441013593", key="/works/OL2W")
    sitting = screen("--user", "ada")
    sitting.expect("The Hunger Games")
    sitting.expect("q quit")
    sitting.press("s")
    assert "Dune" not in sitting.expect("1 skipped.")
    assert sitting.ends() == 0
    assert "Nothing is left" in (low := screen("--confidence", "low")).expect("skipped.")
    assert low.ends() == 0


def test_without_a_terminal_it_says_what_to_use(run, books) -> None:
    """A script approves and dismisses by id; --json tells the ids."""
    result = run("review")
    assert result.exit_code == 2
    told = " ".join(result.stderr.split())
    assert "approve" in told
    assert "--json" in told
    row = books.bring_to_review()
    items = json.loads(run("review", "--json").stdout)["items"]
    assert [item["queue_id"] for item in items] == [str(row.queue_id)]
    assert json.loads(run("review", "--json", "--confidence", "low").stdout) == {"items": []}


def test_a_database_that_goes_away_is_exit_3(screen, books, away, database) -> None:
    """What was decided stays decided; the rest is asked again next time."""
    books.bring_to_review()
    sitting = screen()
    sitting.expect("q quit")
    books.connection.close()
    with away(database):
        sitting.press("a")
        sitting.expect("error:")
        assert sitting.ends() == 3
