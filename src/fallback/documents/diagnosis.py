"""A diagnosis: what happened to a file as a whole, said once instead of thousands of times. Never a repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Confidence = Literal["certain", "likely", "possible"]

DiagnosisName = Literal[
    "query-empty",
    "error-page",
    "workbook",
    "other-document",
    "other-format",
    "other-version",
    "encoding-other",
    "nul-bytes",
    "file-doubled",
    "files-joined",
    "rows-repeated",
    "upload-cut",
    "spreadsheet-saved",
    "taken-for-numbers",
    "delimiter-other",
    "editor-saved",
    "line-ends-changed",
    "header-lost",
    "columns-swapped",
    "columns-shifted",
    "columns-reordered",
    "rows-sorted",
    "rows-broken",
    "quotes-lost",
    "quotes-added",
    "quotes-damaged",
    "separators-damaged",
    "text-garbled",
    "letters-lost",
    "column-damaged",
    "bytes-changed",
]

ORIGINAL = "Ask for the original file, as the export wrote it; do not mend this one by hand."
AGAIN = "Ask for it to be sent again, as it is."

DIAGNOSES: dict[DiagnosisName, tuple[str, str]] = {
    "query-empty": (
        "The file holds no order: nothing, only the header, or only the closing row.",
        "Ask the sender how many orders there should be: a query that failed often leaves an empty file.",
    ),
    "error-page": (
        "The file is the answer of a server that failed, saved under the file's name.",
        "Download it again. If the same page comes, call whoever runs the server; nobody has sent a bad file yet.",
    ),
    "workbook": (
        "The file is a workbook of a spreadsheet program, an archive or a PDF, with the name of the agreed file.",
        "Ask for the original file. Do not save the workbook as text: zeros and digits of identifiers would be lost.",
    ),
    "other-document": (
        "The file is JSON or XML, and the agreed format is not.",
        "Ask for the file in the agreed format; one side may have exported with another setting.",
    ),
    "other-format": (
        "The file is in another format than agreed.",
        "Ask for the file in the agreed format; only a new agreement may change it.",
    ),
    "other-version": (
        "The file is in another version of the agreed format.",
        "Compare the version of the format on both sides, and ask for the file in the agreed one.",
    ),
    "encoding-other": (
        "The text is in another encoding than agreed.",
        "Ask for the original file. `fallback repair FILE` writes a new one where the encoding can be proven.",
    ),
    "nul-bytes": (
        "The file holds NUL bytes: a disk or a transfer has failed.",
        AGAIN,
    ),
    "file-doubled": (
        "The file holds itself twice.",
        "Load nothing of it, or every order ships twice. Ask for it to be sent again.",
    ),
    "files-joined": (
        "Two files were joined into one.",
        "Ask for both files, each by itself with its manifest.",
    ),
    "rows-repeated": (
        "A block of rows is in the file twice.",
        "Never load both. Ask for the file to be made and sent again.",
    ),
    "upload-cut": (
        "The end of the file is missing: the upload broke off.",
        AGAIN,
    ),
    "spreadsheet-saved": (
        "A spreadsheet program has opened the file and saved it.",
        "Ask for the original file, and load nothing of this one: zeros and digits that are lost cannot be seen.",
    ),
    "taken-for-numbers": (
        "A program has taken identifiers for numbers: zeros at their beginning are lost.",
        "Ask for the original file. Whoever reads it in between must read every column as text.",
    ),
    "delimiter-other": (
        "The cells are separated by another character than agreed.",
        "Ask for the original file. `fallback repair FILE` writes a new one if nothing else has changed.",
    ),
    "editor-saved": (
        "An editor or a spreadsheet program has saved the file.",
        "Ask for the original file. `fallback repair FILE` writes a new one if nothing else has changed.",
    ),
    "line-ends-changed": (
        "The lines end otherwise than agreed: a transfer in text mode or an editor has changed the file.",
        "Transfer it in binary mode. `fallback repair FILE` writes a new one if nothing else has changed.",
    ),
    "header-lost": (
        "The header is not there; the rows are.",
        "Ask for the file with its header: without it nobody can say that the columns are the agreed ones.",
    ),
    "columns-swapped": (
        "Two names in the header have changed places, and their cells have not.",
        "Load nothing of it: each value would go to the other's place. Ask for the file with the agreed header.",
    ),
    "columns-shifted": (
        "The cells stand beside their columns.",
        "Load nothing of it. Ask for the file to be made again; a column was added or lost in between.",
    ),
    "columns-reordered": (
        "The columns stand in another order than agreed, names and cells together.",
        "Nothing is lost. `fallback repair FILE` puts them in order for a loader that goes by position.",
    ),
    "rows-sorted": (
        "The rows were sorted, which tears the rows of an order apart.",
        ORIGINAL,
    ),
    "rows-broken": (
        "Line breaks stand inside rows that have no quotation marks around them.",
        "Ask for the original file: a program in between has unpacked the notes of the orders.",
    ),
    "quotes-lost": (
        "The quotation marks were removed, and separators inside the cells now part them.",
        ORIGINAL,
    ),
    "quotes-added": (
        "The cells stand between quotation marks, which the format does not have.",
        "Ask for the original file. `fallback repair FILE` writes a new one if nothing else has changed.",
    ),
    "quotes-damaged": (
        "A quotation mark was lost or added.",
        "Ask for the file again; what stands behind the mark cannot be told apart.",
    ),
    "separators-damaged": (
        "Separators were lost or added in some rows.",
        "Ask for the orders named to be sent again, written by the agreed export.",
    ),
    "text-garbled": (
        "Letters such as ü were read in a wrong encoding and saved so.",
        "Names and addresses would be printed so. Ask for the original; `fallback repair FILE` undoes it where it can.",
    ),
    "letters-lost": (
        "Letters were replaced by a mark that stands for any lost letter.",
        "They cannot be brought back from this file. Ask for the original.",
    ),
    "column-damaged": (
        "One column is wrong in nearly every row, for one reason.",
        "Mend its cause once, in the export or in the format, and ask for the file again.",
    ),
    "bytes-changed": (
        "The file is whole, and its bytes are not those that were sent.",
        ORIGINAL,
    ),
}
"""What each diagnosis means, and what to do."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What happened to a file, with its proof.

    ``sentence`` says it in words of the floor with the marks that were found; it holds names of columns of the agreed
    format, line numbers and counts, never a value. ``lines`` are physical lines that prove it, ten at the most. Of a
    pair of files ``file`` says which.
    """

    name: DiagnosisName
    confidence: Confidence
    sentence: str
    lines: tuple[int, ...] = ()
    file: str = ""

    @property
    def remedy(self) -> str:
        return DIAGNOSES[self.name][1]

    def document(self) -> dict[str, Any]:
        """The diagnosis as it stands in ``fallback.report/1``."""
        return {
            "name": self.name,
            "confidence": self.confidence,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "lines": list(self.lines),
            "file": self.file or None,
        }
