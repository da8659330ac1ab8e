"""The XML inside a workbook, a piece at a time; what makes XML dangerous stops the reading."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn, Protocol
from xml.parsers.expat import ParserCreate

from screening.releases.verify.spec import UnreadableError

CHUNK_BYTES = 1 << 16


class Target(Protocol):
    """Takes in what the parser meets."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def text(self, text: str) -> None:
        """Text of the element begun last, or after it."""


def refuse_declarations(*_: object) -> NoReturn:
    """Entities can unpack to anything, comments and instructions can hold anything: no release has any."""
    raise UnreadableError("XML with a document type, comments or instructions")


def feed(file: BinaryIO, target: Target) -> Iterator[None]:
    """Parse a stream; it yields after each piece."""
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
    """A small XML file's elements in order: name without namespace, attributes, and text up to the next one."""

    elements: list[tuple[str, dict[str, str], list[str]]] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        self.elements.append((name.rpartition(":")[2], plain, []))

    def text(self, text: str) -> None:
        """Text belongs to the element begun last."""
        self.elements[-1][2].append(text)

    def all(self, *names: str) -> Iterator[tuple[dict[str, str], str]]:
        """Attributes and text of the elements of these names."""
        return ((attributes, "".join(text)) for name, attributes, text in self.elements if name in names)
