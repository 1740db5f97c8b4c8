"""``fallback check``: is the agreement sound?"""

from __future__ import annotations

from pathlib import Path

import click

from fallback.cli.common import emit, json_option, load_agreement, wall_clock


@click.command("check")
@click.argument("agreement", required=False, type=click.Path(path_type=Path))
@click.option("--connect", is_flag=True, help="Reach the drop too, and list its folders.")
@json_option
def command(agreement: Path | None, connect: bool, as_json: bool) -> int:
    """Is the agreement sound, in date, its format known, its maps readable, its key computable?

    Exit code 0 when nothing is found, 1 with one finding per gap, 3 when the agreement cannot be used at all.

    \b
    Example:
      fallback check --connect
    """
    from fallback.brand.outgoing import crosswalk
    from fallback.delivery import open_drop
    from fallback.findings import Finding, Place
    from fallback.render.text import finding_text
    from fallback.render.words import count

    terms = load_agreement(agreement)
    fmt = terms.open_format()
    findings = []

    def gap(path: str, found: str, expected: str, code: str = "agreement-gap") -> None:
        findings.append(Finding(code, Place("agreement.toml"), field=path, found=found, expected=expected))

    today = wall_clock().date()
    if today < terms.effective_from:
        gap("effective_from", str(terms.effective_from), "terms that hold today")
    if terms.parties.brand.org == terms.parties.warehouse.org:
        gap("parties.warehouse.org", "the brand's own name", "the other side's")
    if not terms.has_local:
        gap("local.toml", "none beside the agreement", "this machine's side and login: fallback init writes one")
    if today > terms.review_by:
        gap("review_by", str(terms.review_by), "a review date to come", "agreement-review")
    if not terms.cutoffs:
        gap("cutoffs", "none", "one [[cutoffs]] at least: without it nobody can say when the fallback is due")
    if not terms.commitments:
        gap("commitments", "none", "a limit for export, acknowledge and load")
    for code in sorted(fmt.codes - set(terms.codes)):
        gap(f"codes.{code}", "none", f"what {fmt.name} needs: without it nothing can be exported")
    if terms.integration.pause_owner is None:
        gap("integration.pause_owner", "nobody", "who can pause the integration at night")
    if terms.integration.late_arrival_horizon < terms.integration.retry_horizon:
        gap("integration.late_arrival_horizon", "shorter than retry_horizon", "at least the longest retry of any hop")
    if terms.delivery.primary.kind == "sftp" and terms.delivery.primary.host_key is None:
        gap("delivery.primary.host_key", "none", "the server's SHA256 fingerprint")
    if terms.has_local and terms.local.side == "brand":
        crosswalk(terms)
    if connect:
        with open_drop(terms) as drop:
            drop.list("in")
            drop.list("out")
    if as_json:
        emit(
            {
                "schema": "fallback.check/1",
                "agreement": terms.ref.model_dump(),
                "sections": terms.sections,
                "format": fmt.ref.model_dump(),
                "findings": [finding.document() for finding in findings],
            }
        )
    else:
        click.echo(f"{terms.id} version {terms.version}: sha256 {terms.sha256}")
        click.echo(f"  both sides must see the same first twelve digits: {terms.sha256[:12]}")
        click.echo(f"  format {fmt.name} version {fmt.version}, key {terms.format.order_key}")
        for finding in findings:
            click.echo(finding_text(finding))
        click.echo(count(len(findings), "gap") if findings else "nothing is missing")
    return 1 if findings else 0
