"""The agreement: every mistake at once in plain words, keys that cannot be tricked, hashes that follow the content."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from brand_kit import make_agreement
from fallback.agreement import Agreement, load_agreement
from fallback.errors import FallbackError
from fallback.records.keys import DEFAULT_KEY
from fallback.records.order import Order
from fallback.records.sample import sample_orders
from support.strategies import orders

PLAIN = """\
schema = "fallback.agreement/1"
id = "acme-northdock"
version = "1"
effective_from = 2026-10-01
review_by = 2027-04-01

[parties.brand]
org = "acme"
[parties.warehouse]
org = "northdock"

[format]
orders = "order-lines-csv"

[[cutoffs]]
time = 14:00:00
zone = "America/New_York"
window = "PT60M"

[commitments.load]
from = "sent"
to = "loaded"
limit = "PT15M"
owner = "warehouse"

[delivery.primary]
kind = "folder"
"""
ORDER = sample_orders(1, at=datetime(2026, 11, 23, 14, tzinfo=UTC))[0]


def load(folder: Path, text: str = PLAIN, local: str | None = None) -> Agreement:
    (folder / "agreement.toml").write_text(text, "utf-8")
    if local is not None:
        (folder / "local.toml").write_text(local, "utf-8")
    return load_agreement(folder)


def refused(folder: Path, text: str = PLAIN, local: str | None = None, code: str = "agreement-invalid") -> str:
    with pytest.raises(FallbackError) as error:
        load(folder, text, local)
    assert (error.value.code, error.value.exit_code) == (code, 3)
    told = str(error.value)
    assert not re.search(r"pydantic|nput should|type=|Value error|validation error|<class|\bNone\b|\[key\]", told), told
    return told


def changed(*changes: tuple[str, str]) -> str:
    text = PLAIN
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


# --- reading


def test_a_short_agreement_is_enough(tmp_path: Path) -> None:
    agreement = load(tmp_path)
    assert (agreement.brand, agreement.format.order_key, agreement.limits.max_orders_per_file) == (
        "acme", DEFAULT_KEY, 5000,
    )  # fmt: skip
    assert agreement.folder == tmp_path.resolve()
    assert agreement.text == PLAIN
    assert load_agreement(tmp_path / "agreement.toml").sha256 == agreement.sha256
    assert agreement.path("x/y.csv") == tmp_path.resolve() / "x" / "y.csv"
    assert agreement.open_format().name == "order-lines-csv"


def test_what_is_this_machine_s_own_stands_beside_it_and_is_not_hashed(tmp_path: Path) -> None:
    alone = load(tmp_path)
    assert not alone.has_local
    with pytest.raises(FallbackError) as error:
        _ = alone.local
    assert (error.value.code, error.value.exit_code) == ("local-invalid", 3)
    agreement = load(tmp_path, local='side = "brand"\noutbox = "o.sqlite"\n[delivery.primary]\nroot = "drop"\n')
    assert (agreement.local.side, agreement.local.outbox) == ("brand", "o.sqlite")
    assert agreement.sha256 == alone.sha256
    told = refused(tmp_path, local='side = "seller"\nsecret = "x"\n', code="local-invalid")
    assert "side may be 'brand' or 'warehouse'" in told and "secret is not a key of this section" in told


@pytest.mark.parametrize("name", ["", "nowhere", "nowhere/agreement.toml"])
def test_an_agreement_that_is_not_there_is_told_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(FallbackError) as error:
        load_agreement(tmp_path / name)
    assert (error.value.code, error.value.exit_code) == ("agreement-missing", 3)
    assert "fallback init" in error.value.hint


WRONG: list[tuple[str, str, str]] = [
    ('id = "acme', 'colour = "red"\nid = "acme', "colour is not a key of this section"),
    ("[format]", "[format]\ncolour = 1", "format.colour is not a key of this section"),
    ("[parties.brand]", "[parties.seller]\norg = 'x'\n[parties.brand]", "parties.seller is not a key of this section"),
    ("[delivery.primary]", "[delivery.tertiary]\nkind = 'sftp'\n[delivery.primary]",
     "delivery.tertiary is not a key of this section"),
    ('schema = "fallback.agreement/1"', 'schema = "fallback.agreement/2"', "schema may be 'fallback.agreement/1'"),
    ('id = "acme-northdock"', 'id = "Acme Northdock"', "id does not have the agreed form"),
    ("effective_from = 2026-10-01", 'effective_from = "soon"', "effective_from is a date such as 2026-11-23"),
    ("effective_from = 2026-10-01", "", "effective_from is missing"),
    ('org = "acme"', 'org = "Acme Ltd"', "parties.brand: org is a code of letters, digits, dot, dash and underscore"),
    ('org = "acme"', 'org = "../acme"', "parties.brand: org is a code of letters, digits, dot, dash and underscore"),
    ('zone = "America/New_York"', 'zone = "EST5"',
     "cutoffs[0].zone: not an IANA time zone such as America/New_York"),
    ('zone = "America/New_York"', 'zone = "../../etc/passwd"',
     "cutoffs[0].zone: not an IANA time zone such as America/New_York"),
    ("time = 14:00:00", 'time = "2 pm"', "cutoffs[0].time is a time of day such as 14:00"),
    ("time = 14:00:00", 'time = "14:00Z"', "cutoffs[0].time: a wall-clock time such as 14:00; its zone"),
    ('window = "PT60M"', 'window = "an hour"', "cutoffs[0].window is a duration such as PT60M or P15D"),
    ('window = "PT60M"', 'window = "PT0M"', "cutoffs[0].window: longer than nothing, such as PT60M"),
    ('window = "PT60M"', 'window = "P999999999D"', "cutoffs[0].window: between nothing and ten years"),
    ('limit = "PT15M"', 'limit = "-PT15M"', "commitments.load.limit: between nothing and ten years"),
    ('kind = "folder"', 'kind = "folder"\nin = "../live"', "delivery.primary.in: the name of a folder, without .."),
    ('kind = "folder"', 'kind = "folder"\nout = ""', "delivery.primary.out: the name of a folder, without .."),
    ('kind = "folder"', 'kind = "folder"\nin = "x/"\nout = "x"', "delivery.primary.out: another folder than in"),
    ('window = "PT60M"', "days = []", "cutoffs[0].days is empty"),
    ('window = "PT60M"', 'days = ["monday"]', "cutoffs[0].days[0] may be 'mon', 'tue'"),
    ('window = "PT60M"', "min_orders = 0", "cutoffs[0].min_orders is 1 or more"),
    ('limit = "PT15M"', "", "commitments.load.limit is missing"),
    ('kind = "folder"', 'kind = "ftp"', "delivery.primary.kind may be 'sftp' or 'folder'"),
    ("[format]", "[limits]\nmax_bytes = -1\n[format]", "limits.max_bytes is 1 or more"),
    ("[format]", "[codes]\nclient = 42\n[format]", "codes.client is text in quotation marks"),
    ("[format]", "[mapping]\nkit = 7\n[format]", "mapping.kit is text in quotation marks"),
    ("[[cutoffs]]", "[cutoffs]", "cutoffs is a list in brackets"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), WRONG)
def test_a_mistake_is_named_with_its_place_in_plain_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in refused(tmp_path, changed((old, new)))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = changed(
        ('id = "acme-northdock"', 'id = "A"\ncolour = 1'),
        ("[format]", "[format]\non_existing = 'merge'"),
        ('window = "PT60M"', 'window = "PT0M"\nzones = 1'),
    )
    told = refused(tmp_path, text).splitlines()
    assert told[0] == "agreement-invalid: agreement.toml is wrong at 5 place(s):"
    places = sorted(line.split()[0].rstrip(":") for line in told[1:6])
    assert places == sorted(["id", "colour", "format.on_existing", "cutoffs[0].window", "cutoffs[0].zones"])


def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refused(tmp_path, changed(('id = "acme-northdock"', "id = ")))
    assert "is not TOML" in refused(tmp_path, PLAIN + "\n[format]\n")


# --- keys


@pytest.mark.parametrize(
    "template",
    [
        "{brand.__class__}:{order_id}:{group}",
        "{order_id.__class__.__mro__}:{group}",
        "{order_id[0]}:{group}",
        "{0}:{order_id}:{group}",
        "{}:{order_id}:{group}",
        "{order_id!r}:{group}",
        "{order_id:>20}:{group}",
        "{order_id:{brand}}:{group}",
        "{email}:{order_id}:{group}",
        "{order_id}{group}",
        "{order_id}:{order_id}:{group}",
        "{brand}:{group}",
        "{order_id",
        "order_id}",
        "{{order_id}}:{group}",
        "{order_id}:{group}\n",
        "",
    ],
)
def test_a_key_template_that_could_be_tricked_is_refused(tmp_path: Path, template: str) -> None:
    quoted = template.replace("\n", "\\n")
    told = refused(tmp_path, changed(("[format]", f'[format]\norder_key = "{quoted}"')))
    assert "format.order_key: the key " in told


@pytest.mark.parametrize("template", [DEFAULT_KEY, "{order_id}:{group}", "ACME:{platform}:{order_number}:{group}"])
def test_a_key_names_one_order_and_shows_its_parts(tmp_path: Path, template: str) -> None:
    agreement = load(tmp_path, changed(("[format]", f'[format]\norder_key = "{template}"')))
    order = ORDER.model_copy(update={"group": "7"})
    parts = {part: getattr(order, part) for part in ("brand", "platform", "order_id", "order_number", "group")}
    expected = template
    for part, text in parts.items():
        expected = expected.replace(f"{{{part}}}", text)
    assert agreement.key(order) == agreement.key_of(**parts) == expected
    assert set(agreement.key_parts) == {part for part in parts if f"{{{part}}}" in template}


@given(orders(), orders())
def test_orders_that_differ_in_a_part_of_the_key_have_different_keys(one: Order, other: Order) -> None:
    agreement = make_agreement()

    def parts(order: Order) -> tuple[str, ...]:
        return order.brand, order.platform, order.order_id, order.group

    assert (agreement.key(one) == agreement.key(other)) == (parts(one) == parts(other))


# --- hashes

Change = Callable[[str], str]
CONTENT: dict[str, tuple[str, str, str]] = {
    "version": ("version", 'version = "1"', 'version = "2"'),
    "a party": ("parties", 'org = "northdock"', 'org = "southdock"'),
    "the format": ("format", '"order-lines-csv"', '"order-jsonl"'),
    "a default that is now said": ("format", "[format]", '[format]\nload_mode = "all-or-nothing"'),
    "a cut-off": ("cutoffs", "time = 14:00:00", "time = 15:00:00"),
    "a commitment": ("commitments", 'limit = "PT15M"', 'limit = "PT20M"'),
    "a code": ("codes", "[format]", '[codes]\nclient = "1"\n[format]'),
    "a limit": ("limits", "[format]", "[limits]\nmax_bytes = 7\n[format]"),
    "an endpoint": ("delivery", 'kind = "folder"', 'kind = "folder"\nin = "inbox"'),
}


@pytest.mark.parametrize("change", CONTENT)
def test_a_section_s_hash_changes_with_its_content_and_no_other_s_does(tmp_path: Path, change: str) -> None:
    section, old, new = CONTENT[change]
    before, after = load(tmp_path), load(tmp_path, changed((old, new)))
    assert {name for name in before.sections if before.sections[name] != after.sections[name]} == {section}
    assert set(before.sections) == set(after.sections)
    assert before.sha256 != after.sha256 and before.ref != after.ref


@pytest.mark.parametrize(
    "text",
    [
        "# The terms of the night\n" + PLAIN,
        PLAIN.replace(" = ", "="),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace('[format]\norders = "order-lines-csv"\n', "") + '[format]\norders = "order-lines-csv"\n',
        changed(("[format]", '[format]\nload_mode = "all-valid"')),
        changed(('window = "PT60M"', 'window = "PT1H"')),
    ],
)
def test_comments_layout_and_defaults_said_aloud_change_no_hash(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).sections == load(tmp_path).sections


def test_an_agreement_is_frozen() -> None:
    agreement: Any = make_agreement()
    with pytest.raises(ValueError, match="frozen"):
        agreement.version = "2"
