"""Keeps web pages away from the emulator's own ports.

Whoever may call Lambda's API may run code on this machine. A page in the developer's browser could call it in two
ways: from a name of its own that suddenly leads to 127.0.0.1 (DNS rebinding; its ``Host`` gives it away), or by a
plain request to another origin (its ``Origin`` does). No other client is affected: AWS's send no ``Origin``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit


class BrowserGuard:
    """Tells whether a request can only come from this machine's own clients.

    Parameters
    ----------
    names : iterable of str
        Host names besides ``localhost`` and IP addresses that lead here; what is under such a name does, too.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = ("localhost", *(name.lower().rstrip(".") for name in names))

    def find_refusal(self, headers: Mapping[str, str]) -> str | None:
        """Return why a request must be refused, or None where it may pass.

        Parameters
        ----------
        headers : mapping
            The request's, whose look-up ignores case. Without ``Host`` it is no browser's.
        """
        host, origin = headers.get("Host"), headers.get("Origin")
        if host is not None and not self._leads_here(_name_in(host)):
            return (
                f"The Host header {host!r} isn't an address of the emulator: use localhost or an IP address, or start "
                "the emulator with --allow-host and the name."
            )
        if origin is not None and origin.lower() not in {f"http://{host}".lower(), f"https://{host}".lower()}:
            return f"Requests from the web page of another origin, {origin!r}, are refused."
        return None

    def _leads_here(self, name: str) -> bool:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return any(name == allowed or name.endswith(f".{allowed}") for allowed in self._names)
        return True


def _name_in(host: str) -> str:
    """Return the name or address of a ``Host`` header, without its port; empty where it has none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
