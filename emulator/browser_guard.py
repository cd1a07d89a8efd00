"""Refuses requests that a web page of another origin may have sent to the emulator.

Clients of Lambda's API can run code on this machine. A web page in the developer's browser could become such a client
in two ways. With DNS rebinding, the page's own host name resolves to 127.0.0.1: then ``Host`` has that name. With a
request to another origin, ``Origin`` has the page's origin. AWS's clients send no ``Origin``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit


class BrowserGuard:
    """Refuses requests that a foreign web page may have sent.

    ``names`` are this machine's besides ``localhost``. IP addresses and subdomains of the names pass, too.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = ("localhost", *(name.lower().rstrip(".") for name in names))

    def find_refusal(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request with these headers must be refused, or None if it is allowed; look-ups ignore case.

        A request without ``Host`` isn't a browser's.
        """
        host, origin = headers.get("Host"), headers.get("Origin")
        if host is not None and not self._is_of_this_machine(_name_in(host)):
            return (
                f"The Host header {host!r} isn't an address of the emulator: use localhost or an IP address, or start "
                "the emulator with --allow-host and the name."
            )
        if origin is not None and origin.lower() not in {f"http://{host}".lower(), f"https://{host}".lower()}:
            return f"Requests from the web page of another origin, {origin!r}, are refused."
        return None

    def find_subdomain(self, host: str) -> str:
        """Return what stands before the longest of this machine's names in a ``Host`` header; empty if nothing does."""
        name = _name_in(host)
        fitting = [known for known in self._names if name == known or name.endswith(f".{known}")]
        return name.removesuffix(max(fitting, key=len)).rstrip(".") if fitting else ""

    def _is_of_this_machine(self, name: str) -> bool:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return any(name == allowed or name.endswith(f".{allowed}") for allowed in self._names)
        return True


def _name_in(host: str) -> str:
    """Return the name or address in a ``Host`` header, without the port; an empty text if the header has no name."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
