"""Streaming XML parser for workbooks; refuses document types, entities, comments and instructions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn, Protocol
from xml.parsers.expat import ParserCreate

from screening.releases.verify.spec import UnreadableError

CHUNK_BYTES = 1 << 16


class Target(Protocol):
    """Handler of parser events."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""

    def text(self, text: str) -> None:
        """Handle text in or after the element that started last."""


def refuse_declarations(*_: object) -> NoReturn:
    """Raise UnreadableError: entities can expand without limit, comments can contain anything; releases have none."""
    raise UnreadableError("XML with a document type, comments or instructions")


def feed(file: BinaryIO, target: Target) -> Iterator[None]:
    """Parse a stream; yield after each chunk."""
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler = target.start, target.text
    parser.StartDoctypeDeclHandler = parser.CommentHandler = parser.ProcessingInstructionHandler = refuse_declarations
    parser.StartCdataSectionHandler = refuse_declarations
    while piece := file.read(CHUNK_BYTES):
        parser.Parse(piece)
        yield
    parser.Parse(b"", True)


@dataclass
class XmlPart:
    """The elements of a small XML file in order: name without namespace, attributes, and text up to the next one."""

    elements: list[tuple[str, dict[str, str], list[str]]] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Add an element."""
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        self.elements.append((name.rpartition(":")[2], plain, []))

    def text(self, text: str) -> None:
        """Add text to the element that started last."""
        self.elements[-1][2].append(text)

    def all(self, *names: str) -> Iterator[tuple[dict[str, str], str]]:
        """Return attributes and text of the elements with these names."""
        return ((attributes, "".join(text)) for name, attributes, text in self.elements if name in names)
