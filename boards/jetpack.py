"""Which JetPack a release of Jetson Linux (L4T) belongs to, by NVIDIA's JetPack archive.

Second hand: as the archive's pages and monitoring tools list them. A release that is not listed is
not known; its neighbours say nothing, as 36.4 and 36.4.3 are two JetPacks.
"""

from __future__ import annotations

JETPACKS = {
    "32.1": "4.2",
    "32.2": "4.2.1",
    "32.2.1": "4.2.2",
    "32.3.1": "4.3",
    "32.4.2": "4.4 DP",
    "32.4.3": "4.4",
    "32.4.4": "4.4.1",
    "32.5": "4.5",
    "32.5.1": "4.5.1",
    "32.5.2": "4.5.1",
    "32.6.1": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "32.7.4": "4.6.4",
    "32.7.5": "4.6.5",
    "32.7.6": "4.6.6",
    "34.1": "5.0 DP",
    "34.1.1": "5.0.1 DP",
    "35.1": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5": "5.1.3",
    "35.6": "5.1.4",
    "35.6.1": "5.1.5",
    "35.6.2": "5.1.5",
    "36.2": "6.0 DP",
    "36.3": "6.0",
    "36.4": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5": "6.2.2",
    "38.2": "7.0",
    "38.2.1": "7.0",
    "38.2.2": "7.0",
    "38.4": "7.1",
    "39.2": "7.2",
}
"""L4T -> JetPack, both without a ``.0`` at the end."""


def jetpack_of(l4t: str) -> str:
    """Return the JetPack of a release such as ``36.4.3`` or ``35.1.0``; empty where not known."""
    while l4t.endswith(".0") and l4t not in JETPACKS:
        l4t = l4t.removesuffix(".0")
    return JETPACKS.get(l4t, "")
