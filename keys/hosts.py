"""What a host name says of where it leads."""

from __future__ import annotations

import ipaddress


def is_local(host: str) -> bool:
    """Whether it can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
