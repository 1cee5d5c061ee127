"""What PostgreSQL refuses, said so that it can be helped."""

from __future__ import annotations

from smttask.errors import RecordStoreError
from smttask.settings.address import hide_passwords

__all__ = ["refusal"]


def refusal(name: str, address: str, error: Exception, sqlstate: str | None) -> RecordStoreError:
    """Say what is wrong with the record store `name`, and what helps.

    Parameters
    ----------
    address
        Its URL, without a password.
    error, sqlstate
        What psycopg raised, and the server's five characters for it; a connection that
        could not be made has none.
    """
    code, text = sqlstate or "", hide_passwords(str(error)).strip()
    answers = [
        (what, remedy)
        for codes, words, what, remedy in ANSWERS
        if (code and code.startswith(codes)) or (not code and any(word in text for word in words))
    ]
    what, remedy = answers[0] if answers else UNEXPECTED if code else UNREACHABLE
    return RecordStoreError(
        f"The record store {name} {what}.",
        f"database: {address}\nPostgreSQL says: {' '.join(text.split())}" + (f" ({code})" if code else ""),
        remedy,
        address=address,
    )


UNEXPECTED = "gave an unexpected answer", "look at the log of the server"
UNREACHABLE = (
    "cannot be reached",
    "start the server, or look at host, port and network; results are stored all the same,\n"
    "and their records come back with: smttask store rebuild",
)
ANSWERS: tuple[tuple[tuple[str, ...], tuple[str, ...], str, str], ...] = (
    (
        ("28",),
        ("password", "authentication", "no pg_hba.conf entry"),
        "does not let you in",
        "put the password into ~/.pgpass (host:port:database:user:password, mode 600) or PGPASSWORD",
    ),
    (
        ("3D000",),
        ("does not exist",),
        "has no database of this name",
        "make it with: createdb --encoding=UTF8 NAME",
    ),
    (
        ("42501",),
        (),
        "may not be used by you",
        "let its owner call: GRANT ALL ON SCHEMA public TO you, and on its tables and sequences",
    ),
    (
        ("55P03",),
        (),
        "is locked",
        "another program holds it: wait for that program or end it, then try again",
    ),
    (("25006",), (), "is read-only", "use the address of the server that may be written"),
    (("53100",), (), "cannot be written", "make room on the disk of the server"),
    (
        ("53300",),
        ("too many clients", "connection slots"),
        "has no free connection",
        "raise max_connections, or use fewer processes",
    ),
    (("57", "08"), (), *UNREACHABLE),
)
