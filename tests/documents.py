"""README.md and docs/ as the tests see them: pages, headings, links, and fenced blocks with their marks."""

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONVENTION = "docs/writing.md"

RUN = ("sh", "python")
"""Languages of blocks that are commands: a test runs those without a mark."""

SHOWN = ("text", "yaml", "csv", "json", "math", "mermaid", "")
"""Languages of blocks that are only looked at."""

NEEDS = {"data", "cluster", "hours", "network", "setup"}
"""What a command may need that the test does not have: ```sh needs=data."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]+(?:\([^()\s]*\))?)>?(?:\s+\"[^\"]*\")?\s*\)")
_HTML_LINK = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"")
_AUTO_LINK = re.compile(r"<((?:https?|mailto):[^>]*)>")
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """A fenced block: its first line number, its language, what follows the language, and its text."""

    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def is_run(self) -> bool:
        """A test runs it: it is a command, and nothing marks it as needing what the test lacks."""
        return self.language in RUN and not self.marks


@dataclass(frozen=True)
class Page:
    """A Markdown file below the repository's root: its text, that outside of fenced blocks, and those blocks."""

    path: Path
    text: str
    outside: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def headings(self, level: int | None = None) -> list[str]:
        """Texts of the headings, all or those of one level, in order."""
        found = [match for line in self.outside.splitlines() if (match := _HEADING.match(line))]
        return [match[2] for match in found if level in (None, len(match[1]))]

    def section(self, heading: str) -> str:
        """What stands below a heading of the second level."""
        return re.split(rf"^## {re.escape(heading)}$", self.text, flags=re.MULTILINE)[1].split("\n## ")[0]

    def anchors(self) -> set[str]:
        """What ``#...`` may name: GitHub's slugs of the headings, and ids given in HTML."""
        found: set[str] = set()
        for heading in self.headings():
            slug, number = slug_of(heading), 0
            while (anchor := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(anchor)
        return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", self.text))

    def links(self) -> list[str]:
        """Targets of all links and pictures, as they stand there."""
        prose = _CODE.sub("", self.outside)
        return [target for pattern in (_LINK, _HTML_LINK, _AUTO_LINK) for target in pattern.findall(prose)]


def slug_of(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, no punctuation, a hyphen for each space."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # of a link, its text
    return _NOT_IN_SLUGS.sub("", re.sub(r"<[^>]+>", "", text).lower()).replace(" ", "-")


@cache
def pages() -> tuple[Page, ...]:
    """README.md and all pages below docs/, by name."""
    return tuple(read_page(path) for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))])


def read_page(path: Path) -> Page:
    """A Markdown file.

    Raises:
        ValueError: if a block has no end.
    """
    text = path.read_text(encoding="utf-8")
    blocks, outside, fence = [], [], None
    for number, line in enumerate(text.splitlines(), start=1):
        match = _FENCE.match(line)
        if fence is None and match:
            fence, start, info, body = match[1], number, match[2].split(), []
        elif fence is not None and match and match[1].startswith(fence) and not match[2].strip():
            blocks.append(Block(start, info[0] if info else "", tuple(info[1:]), "\n".join(body) + "\n"))
            fence = None
        elif fence is not None:
            body.append(line)
        else:
            outside.append(line)
    if fence is not None:
        raise ValueError(f"{path}: the block that begins in line {start} has no end")
    return Page(path, text, "\n".join(outside), tuple(blocks))


@cache
def repository_files() -> frozenset[str]:
    """Files of the repository, and those that would come into it with ``git add``; all files where there is no git."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return frozenset(name for name in done.stdout.split("\0") if name)
    found = (Path(folder, name) for folder, _, names in os.walk(ROOT) for name in names)
    return frozenset(path.relative_to(ROOT).as_posix() for path in found)
