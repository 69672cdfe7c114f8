"""Where a login leads: back to the address that was asked for, and never to another site."""

from typing import Final
from urllib.parse import quote, urlsplit

LOGIN: Final = "/login"
HOME: Final = "/"
MOST_BYTES: Final = 8192
"""Of an address, path and query: a longer one is refused (``guard``)."""
_LAST_CONTROL, _DELETE = 0x20, 0x7F


def local_target(text: str) -> str:
    r"""Return an address of this server as it is, and the overview in place of anything else.

    Browsers take ``//host``, ``/\host`` and both with tabs or line ends within for another site, so that no control
    character, space or backslash is let through.

    >>> local_target("/?by=month"), local_target("//evil.example"), local_target("https://evil.example/")
    ('/?by=month', '/', '/')
    """
    is_plain = not any(ord(each) <= _LAST_CONTROL or ord(each) == _DELETE or each == "\\" for each in text)
    if not is_plain or not text.startswith("/") or text.startswith("//"):
        return HOME
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    return HOME if parts.scheme or parts.netloc or parts.path == LOGIN else text


def login_to(path: bytes, query: bytes) -> str:
    """Return the address of the login that leads on to a path and query, as they came; to the overview if too long."""
    target = local_target("?".join(filter(None, (path.decode("latin-1"), query.decode("latin-1")))))
    address = LOGIN if target == HOME else f"{LOGIN}?next={quote(target, safe='/')}"
    return address if len(address) <= MOST_BYTES else LOGIN
