"""``fallback validate``: may these files be loaded?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fallback.cli.common import agreement_option, emit, item_list, json_option, load_agreement, say, show_values_option

if TYPE_CHECKING:
    from fallback.agreement import Agreement
    from fallback.documents.report import Report
    from fallback.formats.spec import Format

_STDIN = Path("-")


@click.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@agreement_option
@click.option("--format", "format_name", help="A format by name or file, where there is no agreement.")
@click.option("--skus", type=click.Path(path_type=Path), help="The warehouse's item list, one SKU a line.")
@click.option("--orders", "orders_out", type=click.Path(path_type=Path), help="Write the good orders as JSON Lines.")
@click.option(
    "--accepted", "accepted_out", type=click.Path(path_type=Path), help="Write the good orders as such a file."
)
@click.option("--html", "html_out", type=click.Path(path_type=Path), help="Write the report as one HTML page.")
@click.option(
    "--max-findings",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="List so many findings of each code; all are counted.",
)
@show_values_option
@json_option
def command(
    files: tuple[Path, ...],
    agreement: Path | None,
    format_name: str | None,
    skus: Path | None,
    orders_out: Path | None,
    accepted_out: Path | None,
    html_out: Path | None,
    max_findings: int,
    show_values: bool,
    as_json: bool,
) -> int:
    """Check files: which of their orders may be loaded?

    Reads NAME.manifest.json beside each file; - is standard input. Of a pair of files either stands for both. Exit code
    0 when every order may be loaded, else 1. With --json, several files give one list of reports. What --orders,
    --accepted and --html write never takes the place of another file.

    \b
    Examples:
      fallback validate ACME_ORDERS_20261123T140000Z_000001.csv --format order-lines-csv
      fallback validate damaged.csv --skus items.txt --html report.html
    """
    outputs = [path for path in (orders_out, accepted_out, html_out) if path is not None]
    if format_name and agreement:
        raise click.UsageError("Give --agreement or --format, not both.")
    if len(files) > 1 and outputs:
        raise click.UsageError("--orders, --accepted and --html are for one file.")
    if len({path.resolve() for path in (*files, *outputs)}) < len(files) + len(outputs):
        raise click.UsageError("Each file once: an output never takes the place of what is read.")
    from fallback.formats.library import load_format
    from fallback.render.text import report_text
    from fallback.validation import validate

    terms = None if format_name else load_agreement(agreement)
    fmt = load_format(format_name) if format_name else terms.open_format()  # type: ignore[union-attr]
    if len(fmt.roles) > 1:
        files = _each_pair_once(files, accepted_out, fmt)
    items = item_list(terms, skus)
    reports = [
        validate(
            sys.stdin.buffer.read() if file == _STDIN else file,
            name="standard input" if file == _STDIN else None,
            agreement=terms,
            format=fmt,
            skus=items,
            show_values=show_values,
            max_findings=max_findings,
        )
        for file in files
    ]
    code = max(report.exit_code for report in reports)
    if outputs:
        code = max(code, _write(reports[0], fmt, terms, orders_out, accepted_out, html_out))
    if as_json:
        documents = [report.document() for report in reports]
        emit(documents[0] if len(documents) == 1 else documents)
    else:
        click.echo("\n".join(report_text(report).rstrip() for report in reports))
    return code


def _each_pair_once(files: tuple[Path, ...], accepted: Path | None, fmt: Format) -> tuple[Path, ...]:
    """The first named file of each pair, which stands for both."""
    from fallback.formats.pair import names_of

    def pair(path: Path) -> tuple[Path, ...]:
        return tuple(path.with_name(name) for name in names_of(fmt, path.name).values())

    stands: dict[tuple[Path, ...], Path] = {}
    for file in files:
        stands.setdefault(pair(file), file)
    if accepted and len(pair(accepted)) < len(fmt.roles):
        raise click.UsageError(f"--accepted: {fmt.name} is a pair of files; name one of them so: {fmt.file_name}")
    if accepted and set(map(Path.resolve, pair(accepted))) & {path.resolve() for pair_ in stands for path in pair_}:
        raise click.UsageError("Each file once: an output never takes the place of what is read.")
    return tuple(stands.values())


def _write(
    report: Report, fmt: Format, terms: Agreement | None, orders: Path | None, accepted: Path | None, html: Path | None
) -> int:
    """Write what was asked for; 1 where a good order does not fit into the file of accepted ones."""
    from fallback.brand.outgoing import write_parts
    from fallback.files import write_file
    from fallback.formats.write import write
    from fallback.render.html import report_html
    from fallback.render.text import finding_text

    code = 0
    if orders:
        text = "".join(order.model_dump_json() + "\n" for order in report.orders)
        write_file(orders, text.encode())
    if accepted:
        made = write(fmt, report.orders, codes=terms.codes if terms else None, key=terms.key if terms else None)
        for finding in made.findings:
            say(finding_text(finding))
            code = 1
        write_parts(accepted, made, fmt)
    if html:
        write_file(html, report_html(report).encode())
    return code
