"""Define a key of the service, and read the keys that the settings name.

A key reads `ia_ID_SECRET`. Its secret has 256 random bits, so a plain SHA-256 of it cannot be guessed back, and a
check costs microseconds; slow hashes are for passwords, and would let anybody keep a small machine busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from ingest_assets.access.callers import KeyRole, KeyScope
from ingest_assets.errors import BadInput

_KEY = re.compile(r"ia_([A-Za-z0-9]{8,32})_([A-Za-z0-9_-]{20,100})")
_ENTRY = re.compile(r"([A-Za-z0-9]{8,32}):([0-9a-f]{64}):(read|write|admin):(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """What is kept of a key. The secret is not."""

    key_id: str
    role: KeyRole
    scopes: tuple[KeyScope, ...]
    sha256: str
    """Of the secret, in hexadecimal."""
    note: str = ""
    """What it is for, in the words of the operator who made it."""
    made_at: float = 0.0
    """Seconds since 1970; 0 for a key of the settings."""
    expires_at: float = 0.0
    """Seconds since 1970; 0 if it never expires."""
    revoked_at: float = 0.0
    """Seconds since 1970; 0 while it is in force."""

    def is_in_force(self, now: float) -> bool:
        """Tell whether it opens anything now."""
        return not self.revoked_at and not 0 < self.expires_at <= now

    def fits(self, secret: str) -> bool:
        """Tell whether a secret is this key's, in a time that says nothing about how much of it is right."""
        return hmac.compare_digest(self.sha256, _sha256(secret))


def read_entries(text: str) -> tuple[KeyEntry, ...]:
    """Read the keys of the settings: `ID:SHA256:ROLE:SCOPE`, with spaces or commas between them.

    Raises:
        BadInput: an entry is written in another way.
    """
    entries = []
    for number, entry in enumerate(filter(None, re.split(r"[,\s]+", text)), 1):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise BadInput(
                f"INGEST_API_KEYS: entry {number} is not of the form ID:SHA256:ROLE:SCOPE; "
                "`ingest keys add --hashed` makes one"
            )
        key_id, sha256, role, scope = found.groups()
        entries.append(KeyEntry(key_id=key_id, sha256=sha256, role=KeyRole.named(role), scopes=(KeyScope.read(scope),)))
    return tuple(entries)


def split_key(key: str) -> tuple[str, str]:
    """Return the id and the secret of a key as it is sent; two empty texts if it is none."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else ("", "")


def new_key() -> tuple[str, str, str]:
    """Make a key; return the key as it is shown once, its id and the SHA-256 of its secret."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return f"ia_{key_id}_{secret}", key_id, _sha256(secret)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
