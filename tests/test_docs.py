"""What the documents promise is held by tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(test_\w+)`")
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_every_test_that_a_document_names_exists():
    for page in (ROOT / "docs").glob("*.md"):
        named = set(NAMED.findall(page.read_text()))
        assert named <= TESTS, (page.name, sorted(named - TESTS))


def test_every_scenario_has_a_row_and_a_test():
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    assert all(NAMED.search(tests) for _, tests in rows)
