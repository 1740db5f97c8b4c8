"""``fallback send``: fallback files to the drop, with proof."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fallback.cli.common import agreement_option, emit, json_option, load_agreement, of_side, say, wall_clock

if TYPE_CHECKING:
    from fallback.brand.sending import Sent


@click.command("send")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@agreement_option
@click.option("--drill", is_flag=True, help="Send a drill's file to the drill's drop.")
@json_option
def command(files: tuple[Path, ...], agreement: Path | None, drill: bool, as_json: bool) -> int:
    """Deliver fallback files and their manifests to the drop, with proof.

    Of a pair of files either stands for both; several fallback files go in order of their sequence. Safe to repeat: the
    same bytes under the same name are done already. Exit code 0 when what lies on the drop was compared as the
    agreement asks, 4 when it could not be; the answer of the warehouse is fetched with `fallback collect`. With --json,
    several fallback files give one list.

    \b
    Example:
      fallback send outgoing/ACME_ORDERS_20261123T140000Z_000001.csv
    """
    from fallback.brand.outbox import open_outbox
    from fallback.brand.sending import fallback_files, send
    from fallback.delivery import open_drop

    terms = load_agreement(agreement)
    of_side(terms, "brand")
    for file in files:
        _is_fallback_file(file)
    proofs: list[Sent] = []
    with (
        open_outbox(terms.path(terms.local.outbox)) as outbox,
        open_drop(terms, "drill" if drill else "live") as drop,
    ):
        for file in fallback_files(files, terms):
            proofs.append(send(file, agreement=terms, drop=drop, outbox=outbox, now=wall_clock))
            if not as_json:
                _tell(proofs[-1])
        title = drop.title
    if as_json:
        documents = [_document(sent, title) for sent in proofs]
        emit(documents if len(documents) > 1 else documents[0])
    else:
        say(f"on {title}; next: `fallback collect` fetches the warehouse's receipts")
    return max(sent.exit_code for sent in proofs)


def _document(sent: Sent, drop: str) -> dict[str, Any]:
    """``fallback.sent/1``."""
    document = {"schema": "fallback.sent/1", "file_id": sent.file_id, "drop": drop, "confirmed": sent.confirmed}
    return document | {"files": [asdict(one) for one in (sent.manifest, *sent.data)]}


def _tell(sent: Sent) -> None:
    from fallback.render.text import finding_text

    for finding in sent.findings:
        say(finding_text(finding))
    for one in (sent.manifest, *sent.data):
        done = "was there already" if one.already else "delivered"
        compared = "every byte read back" if one.proof == "read-back" else "size compared only"
        click.echo(f"{done}: {one.name}, {one.bytes:,} bytes, sha256 {one.sha256[:12]}, {compared}")
    if sent.integration == "live":
        say("the manifest says that the integration is live: the warehouse will not load the file by itself")
        say("  pause the integration, call the warehouse and say so; they load it by name with --integration-live")


def _is_fallback_file(file: Path) -> None:
    """Say at once what is wrong with a name that cannot be meant."""
    from fallback.documents.base import MANIFEST_SUFFIX
    from fallback.errors import FallbackError, WrongUse

    if file.name.endswith(MANIFEST_SUFFIX):
        own = file.with_name(file.name.removesuffix(MANIFEST_SUFFIX))
        raise WrongUse("wrong-use", f"{file.name} is a manifest; it goes with its file", hint=f"fallback send {own}")
    if not file.is_file():
        raise FallbackError("file-unreadable", f"{file}: there is no such file", hint="check the name and the folder")
