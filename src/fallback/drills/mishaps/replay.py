"""The integration comes back, and sends again everything that it could not deliver: the night's last danger."""

from __future__ import annotations

from fallback.documents.journal import Proof
from fallback.drills.mishaps.base import Observed, Staging, codes_of, one_code
from fallback.drills.setting import Setting

_RETRIES = 2  # an integration that gets no answer it likes tries again


def _replay(setting: Setting) -> Observed:
    before = len(setting.warehouse.system_orders())
    answers = [order for _ in range(_RETRIES) for order in setting.integration_delivers(setting.shop.payloads)]
    loaded = len(setting.warehouse.system_orders()) - before
    proof = Proof(
        id="replay",
        text="The integration came back and sent every order again, twice: none was loaded once more",
        holds=bool(answers) and not loaded,
        numbers={"sent_again": len(answers), "loaded_again": loaded},
    )
    return Observed(one_code(codes_of(answers)), "Every order of the drill, by the integration's own path.", (proof,))


REPLAY = Staging(
    "replay", "The integration comes back and sends every order again", "duplicate-same", "warehouse", _replay
)
