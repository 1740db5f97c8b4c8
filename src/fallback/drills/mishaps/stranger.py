"""Another server answers at the agreed address."""

from __future__ import annotations

from fallback.delivery import open_drop
from fallback.delivery.server import LoopbackServer
from fallback.documents.journal import Proof
from fallback.drills.mishaps.base import Observed, Staging, refusal
from fallback.drills.setting import Setting


def _wrong_host_key(setting: Setting) -> Observed:
    brand = setting.brand
    exported = brand.export(setting.shop.payload("stranger", 1))
    folder = setting.root / "stranger"
    for name in ("drill/in", "drill/out"):
        (folder / name).mkdir(mode=0o700, parents=True)
    # It knows the brand's account: only its host key tells that it is another server.
    with LoopbackServer(folder, setting.server.users) as stranger:
        terms = brand.agreement.delivery
        assert terms.drill is not None
        there = terms.model_copy(update={"drill": terms.drill.model_copy(update={"port": stranger.port})})
        with open_drop(brand.agreement.model_copy(update={"delivery": there}), "drill") as drop:
            error = refusal(lambda: brand.send(exported, drop))
        logins = stranger.login_attempts
    files = sum(path.is_file() for path in folder.rglob("*"))
    setting.evidence.note("brand", "refused-server", "the server at the agreed address is not the agreed one")
    brand.send(exported)
    setting.warehouse.receive()
    brand.answer(exported)
    exit_code = error.exit_code if error else 0
    proof = Proof(
        id="no-login-at-a-stranger",
        text="At the server with another host key no login was tried and no file was left; the exit code is 7",
        holds=(logins, files, exit_code) == (0, 0, 7),
        numbers={"logins_tried": logins, "files_left": files, "exit_code": exit_code},
    )
    return Observed(
        error.code if error else None, "Nothing was sent, not even the login. Then the right one.", (proof,)
    )


WRONG_HOST_KEY = Staging(
    "wrong-host-key",
    "A server with another host key at the agreed address",
    "host-key-changed",
    "brand",
    _wrong_host_key,
)
