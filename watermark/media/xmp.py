"""XMP packets: taking out what must not travel on (ISO 16684-1).

A packet in which nothing is found is returned byte for byte. Otherwise it is parsed, pruned and written with its own
prefixes; what cannot be parsed cannot be vouched for, and is dropped when places must go.
"""

from __future__ import annotations

import re
from xml.dom import Node, minidom
from xml.parsers.expat import ExpatError

_ALWAYS = re.compile(rb"provenance|Thumbnails|hdrgm|Container|MicroVideo|MotionPhoto")
_STALE: tuple[str, ...] = ("dcterms:provenance", "xmp:Thumbnails", "xap:Thumbnails", "Container:Directory", "hdrgm:")
_STALE += ("GCamera:MicroVideo", "GCamera:MotionPhoto")
_PLACES = frozenset(
    {
        "location", "locationcreated", "locationshown", "locationname", "locationid", "sublocation", "shotlocation",
        "city", "state", "provincestate", "country", "countrycode", "countryname", "worldregion", "coverage",
        "latitude", "longitude", "lat", "long", "altitude", "absolutealtitude", "relativealtitude",
    }
)  # fmt: skip


def is_place(name: str) -> bool:
    """Whether a property says where a picture was taken: coordinates, and the names of places."""
    local = name.rpartition(":")[2].lower()
    return local.startswith("gps") or local in _PLACES


def pruned(packet: bytes, *, places: bool) -> bytes:
    """Return a packet without what would be wrong about its successor, and on request without places.

    Dropped in any case: the link to another manifest (`dcterms:provenance`: it belongs to the file as it was),
    `xmp:Thumbnails`, which show the picture before it was marked, and the announcements of what is not carried: gain maps
    (Ultra HDR) and the film of a motion photo.

    Args:
        packet: The packet as found; may be empty.
        places: Whether to remove where the picture was taken.
    Returns:
        The packet; empty if places must go and it cannot be parsed.
    """
    if not packet or not (places or _ALWAYS.search(packet)):
        return packet
    try:
        document = minidom.parseString(packet.strip(b"\0"))  # noqa: S318  # no DTD passes, expat bounds the rest
        changed = _prune(document, places)
        return _written(document) if changed else packet
    except (ExpatError, ValueError, LookupError, RecursionError):
        return b"" if places else packet


def _unwanted(name: str, places: bool) -> bool:
    return name.startswith(_STALE) or (places and is_place(name))


def _prune(document: minidom.Document, places: bool) -> bool:
    if document.doctype is not None or document.documentElement is None:
        raise ValueError("XMP has a root and no document type")
    changed, open_nodes = False, [document.documentElement]
    while open_nodes:
        element = open_nodes.pop()
        for name in [name for name in element.attributes.keys() if _unwanted(name, places)]:  # noqa: SIM118
            element.removeAttribute(name)
            changed = True
        for child in list(element.childNodes):
            if child.nodeType != Node.ELEMENT_NODE:
                continue
            if _unwanted(child.tagName, places):
                element.removeChild(child)
                changed = True
            else:
                open_nodes.append(child)
    return changed


def _written(document: minidom.Document) -> bytes:
    return "\n".join(node.toxml() for node in document.childNodes).encode()
