from __future__ import annotations

from benchmarks import report


def test_the_page_shows_what_was_recorded_and_nothing_else() -> None:
    page = report.PAGE.read_text(encoding="utf-8")

    assert report.rendered(page, report.read(report.RECORDED)) == page
