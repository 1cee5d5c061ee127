"""Where a record store on a server is: its URL, and its password apart from that."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

__all__ = ["StoreURL", "hide_passwords", "is_url", "parse_url"]

SCHEMES = ("postgresql", "postgres")
SECRETS = ("password", "sslpassword")
# up to the last "@", as a password may hold any character that somebody forgot to quote
_PASSWORD = re.compile(r"(?<=://)([^:@/?#]*):.*@", re.DOTALL)
_SECRET = re.compile(r"(?i)\b((?:ssl)?password=)[^&\s]*")


@dataclass(frozen=True, slots=True)
class StoreURL:
    """The URL of a database, which never holds the password.

    Parameters
    ----------
    text
        ``postgresql://user@host:port/database``, with libpq's options after ``?``.
    password
        For this process alone: it is neither shown nor pickled.

    Examples
    --------
    >>> parse_url("postgresql://anna:secret@db.lab/records")
    StoreURL(text='postgresql://anna@db.lab/records')
    """

    text: str
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Any, ...]:
        return StoreURL, (self.text,)


def is_url(text: object) -> bool:
    """Whether `text` is meant as the URL of a record store.

    Examples
    --------
    >>> is_url("postgresql://db.lab/records"), is_url(".smt/records")
    (True, False)
    """
    return isinstance(text, str) and text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def parse_url(text: str) -> StoreURL:
    """Take the password out of a URL.

    Raises
    ------
    ValueError
        If it is no URL of a PostgreSQL database; the message never holds the password.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises if it is no number
    except ValueError:
        # from None: the message of the other error may show a part of the password
        raise ValueError(f"{hide_passwords(text)} is no URL; special characters are written as %XX") from None
    name = parts.path.removeprefix("/")
    if parts.scheme not in SCHEMES or not name or "/" in name or parts.fragment:
        raise ValueError(f"{hide_passwords(text)} names no database, as in postgresql://host/database")
    options = parse_qsl(parts.query, keep_blank_values=True)
    password = dict(options).get("password")
    host = parts.netloc.rpartition("@")[2]
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    if password is None and parts.password is not None:
        password = unquote(parts.password)
    query = urlencode([(key, value) for key, value in options if key not in SECRETS], safe="/")
    place = f"{user}@{host}" if user else host
    return StoreURL(f"{SCHEMES[0]}://{place}{parts.path}" + (f"?{query}" if query else ""), password or None)


def hide_passwords(text: str) -> str:
    """Return `text` without the passwords that URLs in it hold.

    Examples
    --------
    >>> hide_passwords("postgresql://anna:secret@db.lab/records")
    'postgresql://anna:…@db.lab/records'
    """
    return _SECRET.sub(r"\1…", _PASSWORD.sub(r"\1:…@", text))
