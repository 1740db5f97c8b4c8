"""``fallback validate``: may these files be loaded?"""

from __future__ import annotations

from pathlib import Path

import click

from fallback.cli.common import agreement_option, emit, item_list, json_option, load_agreement, show_values_option


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
    show_values: bool,
    as_json: bool,
) -> int:
    """Check files: which of their orders may be loaded?

    Reads NAME.manifest.json beside each file. Exit code 0 when every order may be loaded, else 1.

    \b
    Example:
      fallback validate ACME_ORDERS_20261123T140000Z_000001.csv --format order-lines-csv
    """
    if format_name and agreement:
        raise click.UsageError("Give --agreement or --format, not both.")
    if len(files) > 1 and (orders_out or accepted_out or html_out):
        raise click.UsageError("--orders, --accepted and --html are for one file.")
    from fallback.formats.library import load_format
    from fallback.render.text import report_text
    from fallback.validation import validate

    terms = None if format_name else load_agreement(agreement)
    fmt = load_format(format_name) if format_name else terms.open_format()  # type: ignore[union-attr]
    items = item_list(terms, skus)
    reports = [validate(file, agreement=terms, format=fmt, skus=items, show_values=show_values) for file in files]
    if orders_out or accepted_out or html_out:
        from fallback.files import write_file
        from fallback.formats.write import write

        if orders_out:
            text = "".join(order.model_dump_json() + "\n" for order in reports[0].orders)
            write_file(orders_out, text.encode(), replace=True)
        if accepted_out:
            key = terms.key if terms else None
            made = write(fmt, reports[0].orders, codes=terms.codes if terms else None, key=key)
            write_file(accepted_out, made.data, replace=True)
        if html_out:
            from fallback.render.html import report_html

            write_file(html_out, report_html(reports[0]).encode(), replace=True)
    if as_json:
        documents = [report.document() for report in reports]
        emit(documents[0] if len(documents) == 1 else documents)
    else:
        click.echo("\n".join(report_text(report).rstrip() for report in reports))
    return max(report.exit_code for report in reports)
