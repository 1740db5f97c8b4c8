"""The examples are real scripts: a brand's and a warehouse's, with the example payload, run as processes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cli_kit import Night, environment, make_night

EXAMPLES = Path(__file__).parents[1] / "examples"
PAYLOAD = EXAMPLES / "payloads" / "shopify-orders.json"


def script(name: str, *args: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *args],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Both sides, with maps that know what is in the example payload."""
    night = make_night(tmp_path)
    orders = json.loads(PAYLOAD.read_text("utf-8"))["orders"]
    skus = {line["sku"] for order in orders for line in order["line_items"]} - {""}
    services = {line["code"] for order in orders for line in order["shipping_lines"]}
    (night.acme / "sku-map.csv").write_text("from,to\n" + "".join(f"{sku},ND-{sku}\n" for sku in sorted(skus)))
    rows = "".join(f"{service},STD,\n" for service in sorted(services))
    (night.acme / "service-map.csv").write_text("from,to,carrier\n" + rows)
    return night


def test_the_two_scripts_bring_the_orders_over_once(night: Night) -> None:
    exported = script("brand_export.py", "acme", PAYLOAD, "--paused-by", "J. Ops", folder=night.base)
    assert exported.returncode == 0, exported.stderr
    assert "sent: ACME_ORDERS_" in exported.stdout
    assert "left out: 1 cancelled" in exported.stdout
    assert script("brand_export.py", "acme", "--collect", folder=night.base).returncode == 4

    taken = script("warehouse_import.py", "northdock", "wms.sqlite", "--person", "S. Lead", folder=night.base)
    assert taken.returncode == 0, taken.stderr
    assert "S. Lead" in taken.stdout
    again = script("warehouse_import.py", "northdock", "wms.sqlite", "--person", "S. Lead", folder=night.base)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    collected = script("brand_export.py", "acme", "--collect", folder=night.base)
    assert collected.returncode == 0, collected.stderr
    repeated = script("brand_export.py", "acme", PAYLOAD, "--paused-by", "J. Ops", folder=night.base)
    assert "already-accepted" in repeated.stdout
    assert "nothing to send" in repeated.stdout

    [manifest] = [json.loads(file.read_bytes()) for file in (night.acme / "outgoing").glob("*.manifest.json")]
    with closing(sqlite3.connect(night.base / "wms.sqlite")) as database:
        loaded = {key: json.loads(content) for key, content in database.execute("SELECT key, content FROM orders")}
    assert loaded.keys() == {order["key"] for order in manifest["orders"]}
    assert all(line["sku"].startswith("ND-") for order in loaded.values() for line in order["lines"])
    text = "".join(done.stdout + done.stderr for done in (exported, taken, again, collected, repeated))
    for order in loaded.values():
        assert order["ship_to"]["name"] not in text


def test_an_order_that_the_integration_brought_first_is_not_loaded(night: Night) -> None:
    job = ("warehouse_import.py", "northdock", "wms.sqlite", "--person", "S. Lead")
    assert script(*job, folder=night.base).returncode == 0  # nothing there yet; the table is made
    script("brand_export.py", "acme", PAYLOAD, "--paused-by", "J. Ops", folder=night.base)
    [manifest] = [json.loads(file.read_bytes()) for file in (night.acme / "outgoing").glob("*.manifest.json")]
    first = manifest["orders"][0]
    with closing(sqlite3.connect(night.base / "wms.sqlite")) as database, database:
        row = (first["key"], "ND-77", "released", "integration", first["fingerprint"], None, "{}")
        database.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    assert script(*job, folder=night.base).returncode == 0
    [answer] = [json.loads(file.read_bytes()) for file in (night.drop / "out").glob("*.processed.receipt.json")]
    states = {order["key"]: order["state"] for order in answer["orders"]}
    assert states.pop(first["key"]) == "duplicate-same"
    assert set(states.values()) == {"accepted"}


def test_the_scripts_tell_what_is_wrong(night: Night) -> None:
    missing = script("brand_export.py", "nowhere", PAYLOAD, "--paused-by", "J. Ops", folder=night.base)
    assert (missing.returncode, missing.stderr.partition(":")[0]) == (3, "agreement-missing")
    assert script("brand_export.py", "acme", PAYLOAD, folder=night.base).returncode == 2
    (night.acme / "sku-map.csv").write_text("from,to\nMUG-BLU,1\n")
    unmapped = script("brand_export.py", "acme", PAYLOAD, "--paused-by", "J. Ops", folder=night.base)
    assert unmapped.returncode == 1
    assert "sku-unmapped" in unmapped.stderr
    (night.drop / "in").rename(night.drop / "moved")
    gone = script("warehouse_import.py", "northdock", "wms.sqlite", "--person", "S. Lead", folder=night.base)
    assert (gone.returncode, gone.stderr.partition(":")[0]) == (3, "folder-missing")
