"""Delivery: the drop that both sides reach, and what proves that a file arrived there."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from fallback.delivery.drop import FOLDERS, Delivered, Drop, Entry, Folder
from fallback.errors import FallbackError, Refused

if TYPE_CHECKING:
    from fallback.agreement import Agreement, Endpoint, Login
    from fallback.documents.base import State

__all__ = ["DROPS", "FOLDERS", "Channel", "Delivered", "Drop", "Entry", "Folder", "open_drop"]

Channel = Literal["primary", "secondary"]
Opener = Callable[["Agreement", "Endpoint", "Login", "State", bool], Drop]


def open_drop(
    agreement: Agreement, state: State = "live", channel: Channel = "primary", *, create: bool = False
) -> Drop:
    """The drop of an agreement, reached by this machine's login of local.toml. It connects when it is first used.

    A drill uses the endpoint ``[delivery.drill]``; where none is agreed, folders named ``drill`` beside the live ones.
    ``create`` makes in and out where they are missing. Raises FallbackError ``agreement-gap`` or ``local-invalid``, and
    Refused ``marker-wrong`` where a drill would use a live folder.
    """
    live = agreement.delivery.primary if channel == "primary" else agreement.delivery.secondary
    if live is None:
        raise FallbackError(
            "agreement-gap", "the agreement has no secondary way to the drop", hint="agree on [delivery.secondary]"
        )
    logins = agreement.local.delivery
    login = logins.get(channel)
    endpoint = live
    if state == "drill":
        login = logins.get("drill", login)
        endpoint = agreement.delivery.drill or _beside(live)
        _keep_apart(agreement, endpoint)
    if login is None:
        raise FallbackError(
            "local-invalid",
            f"local.toml does not say how this machine reaches the {channel} drop",
            hint=f"add [delivery.{channel}] with root for a folder; user and key_file or password_env for sftp",
        )
    return DROPS[endpoint.kind](agreement, endpoint, login, state, create)


def _open_folder(agreement: Agreement, endpoint: Endpoint, login: Login, state: State, create: bool) -> Drop:
    from fallback.delivery.folder import FolderDrop

    if login.root is None:
        raise FallbackError(
            "local-invalid",
            "local.toml names no root for a drop that is a folder",
            hint='add root = "..." to its [delivery] section: where the folder is mounted on this machine',
        )
    # A drill's folders lie below drill/ by the drop's own rule; an agreement may or may not spell that out.
    below = "drill/" if state == "drill" else ""
    return FolderDrop(
        agreement.path(login.root),
        state,
        in_folder=endpoint.in_.removeprefix(below),
        out_folder=endpoint.out.removeprefix(below),
        create=create,
    )


def _open_sftp(agreement: Agreement, endpoint: Endpoint, login: Login, state: State, create: bool) -> Drop:
    from fallback.delivery.sftp import SftpDrop

    if endpoint.host is None:
        raise FallbackError("agreement-invalid", "[delivery] names no host for kind sftp", hint="add host there")
    if login.user is None:
        raise FallbackError(
            "local-invalid",
            f"local.toml names no user for sftp {endpoint.host}:{endpoint.port}",
            hint="add user, and key_file or password_env, to its [delivery] section",
        )
    return SftpDrop(
        endpoint.host,
        endpoint.port,
        state,
        user=login.user,
        in_folder=endpoint.in_,
        out_folder=endpoint.out,
        host_key=endpoint.host_key,
        known_hosts=agreement.path(login.known_hosts) if login.known_hosts else None,
        key_file=agreement.path(login.key_file) if login.key_file else None,
        password_env=login.password_env,
        proof=agreement.delivery.proof,
        create=create,
    )


DROPS: dict[str, Opener] = {"folder": _open_folder, "sftp": _open_sftp}
"""The kinds of drop. A new kind is one file with the verbs of ``Drop`` and one line here."""


def _beside(live: Endpoint) -> Endpoint:
    """The drill's endpoint where none is agreed: ``/upload/in`` becomes ``/upload/drill/in``."""

    def drill(folder: str) -> str:
        above, name = posixpath.split(folder.rstrip("/"))
        return posixpath.join(above, "drill", name)

    return live.model_copy(update={"in_": drill(live.in_), "out": drill(live.out)})


def _keep_apart(agreement: Agreement, drill: Endpoint) -> None:
    if drill.kind != "sftp":
        return  # a folder drop keeps its drills below drill/ by itself

    def folders(endpoint: Endpoint) -> set[tuple[str, int, str]]:
        host = (endpoint.host or "").lower()
        return {(host, endpoint.port, posixpath.normpath(folder)) for folder in (endpoint.in_, endpoint.out)}

    for live in (agreement.delivery.primary, agreement.delivery.secondary):
        if live is not None and live.kind == "sftp" and folders(live) & folders(drill):
            raise Refused(
                "marker-wrong",
                "[delivery.drill] names a folder that is a live one too",
                hint="a drill has its own folders, or its own server; correct the agreement",
            )
