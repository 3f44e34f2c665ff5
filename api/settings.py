"""Settings: read once at the rim, checked, then plain values.

Environment wins over `config.toml` in the home folder, which wins over the defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from provenance.errors import InputError

_PREFIX = "COLOPHON_"
DEVELOPMENT, NONE = "development", "none"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Each field is `COLOPHON_<FIELD>` in the environment and `<field>` in config.toml.

    Attributes:
        home: Where keys, objects and the embedded database live.
        database_url: sqlite:///… or postgresql://…; empty means `colophon.db` in the home.
        tsa: "development" (our own, on loopback), "none" (never stamp), or the URL of an RFC 3161 authority.
        signer: Key reference used when none is named; empty means the development key.
        mark_key: 64 hexadecimal digits: a private key for marks, tried before the public one; empty for the public one.
        other_mark_keys: Keys of others' marks, as a camera's or an agency's, apart by spaces: looked for, never written.
        log_origin: Name of the trail's log, like a URL without its scheme; empty derives one from its key. Never changed later.
        witnesses: Who cosigns the log: `URL VKEY…`, several of them apart by semicolons.
        webhooks: Who is told when a status changes: `URL SECRET` (base64, at least 24 bytes), several apart by semicolons.
        webhooks_private: Whether webhooks may go to this machine and private networks; for tests and closed deployments.
        ocsp_url: http address under which the outside world reaches `/api/v1/keys/ocsp`; written into new certificates.
        trust_interim: Whether the frozen interim list of 2025 still counts.
        upload_limit_mb: Largest body that the service takes.
        inline_limit_mb: Largest file that is verified while the caller waits; a larger one gets a job.
        verify_timeout_s: Wall time that one piece of work on hostile media may take.
        worker_count: Killable processes for media.
        worker_memory_mb: Address space of each.
        require_keys: Ask for API keys on loopback too; beyond it they are always asked for.
        anonymous: Roles of callers without a key, apart by spaces: "feed" lets badges on public pages ask.
        requests_per_minute: Of one caller, where keys are asked for.
        heavy_per_minute: Of these, such as upload media; of callers with a key, in all processes together.
        oidc_issuer: Identity provider whose tokens are taken, as `iss` names it; empty for none.
        oidc_audience: What `aud` must hold.
        oidc_jwks: Address of the provider's keys; empty asks `/.well-known/openid-configuration` of the issuer.
        oidc_roles: Claim that holds roles.
        oidc_private: Whether the provider may be on this machine or a private network.
    """

    home: Path
    database_url: str = ""
    tsa: str = DEVELOPMENT
    signer: str = ""
    mark_key: str = ""
    other_mark_keys: str = ""
    log_origin: str = ""
    witnesses: str = ""
    webhooks: str = ""
    webhooks_private: bool = False
    ocsp_url: str = ""
    trust_interim: bool = True
    upload_limit_mb: int = 100
    inline_limit_mb: int = 25
    verify_timeout_s: float = 60.0
    worker_count: int = 2
    worker_memory_mb: int = 8192
    require_keys: bool = False
    anonymous: str = ""
    requests_per_minute: int = 6000
    heavy_per_minute: int = 60
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_jwks: str = ""
    oidc_roles: str = "roles"
    oidc_private: bool = False

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'colophon.db'}"

    @property
    def keys_folder(self) -> Path:
        return self.home / "keys"

    @property
    def trust_folder(self) -> Path:
        return self.home / "trust"

    @property
    def objects_folder(self) -> Path:
        return self.home / "objects"


def load(environment: Mapping[str, str] | None = None, home: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        environment: Defaults to the process's own.
        home: Wins over $COLOPHON_HOME, which wins over the platform's data folder.
    Raises:
        InputError: a value that cannot be understood; names the file or variable.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(_PREFIX + "HOME")
    folder = home or (Path(named) if named else Path(platformdirs.user_data_dir("colophon", appauthor=False)))
    settings = Settings(home=folder.absolute())
    config = settings.home / "config.toml"
    for name, value in _from_file(config).items():
        settings = _with(settings, name, value, f"{config}: {name}")
    for field in fields(Settings):
        variable = _PREFIX + field.name.upper()
        if field.name != "home" and variable in environment:
            settings = _with(settings, field.name, environment[variable], variable)
    if settings.mark_key and len(_hex(settings.mark_key, "mark_key")) != 32:
        raise InputError("mark_key", "is not 64 hexadecimal digits")
    if any(len(_hex(key, "other_mark_keys")) != 32 for key in settings.other_mark_keys.split()):
        raise InputError("other_mark_keys", "holds a key that is not 64 hexadecimal digits")
    return settings


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), f"cannot be read: {error}") from error


def _with(settings: Settings, name: str, value: Any, where: str) -> Settings:
    known = {f.name: f for f in fields(Settings) if f.name != "home"}
    if name not in known:
        raise InputError(where, "is no setting")
    kind = type(getattr(settings, name))
    try:
        parsed = _truth(value) if kind is bool else kind(value)
    except (TypeError, ValueError) as error:
        raise InputError(where, f"is not {'true or false' if kind is bool else 'a number'}") from error
    if kind in (int, float) and parsed <= 0:
        raise InputError(where, "is not above zero")
    changed: dict[str, Any] = {name: parsed}
    return replace(settings, **changed)


def _truth(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return words[str(value).lower()] if str(value).lower() in words else _refuse()


def _refuse() -> bool:
    raise ValueError


def _hex(text: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise InputError(where, "is not hexadecimal") from error
