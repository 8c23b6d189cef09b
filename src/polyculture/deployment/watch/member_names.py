"""What are the members called where people read? Their names; ids are for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from polyculture.deployment.bundle.manifest import Manifest


def readable_names(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """By id the name of each member: the id where it has none, with the id behind it where several have the same.

    Parameters
    ----------
    pairs : id and name of each member.
    """
    by_id = {member: name or member for member, name in pairs}
    counts = Counter(by_id.values())
    return {
        member: name if counts[name] == 1 and (name == member or name not in by_id) else f"{name} ({member})"
        for member, name in by_id.items()
    }


def names_of_manifest(manifest: Manifest) -> dict[str, str]:
    """By id the readable name of each member of a bundle."""
    return readable_names((member.id, member.name) for member in manifest.members)


def names_of_status(status: Mapping[str, Any]) -> dict[str, str]:
    """By id the readable name of each member of a status."""
    return readable_names((str(member["id"]), str(member.get("name") or "")) for member in status["members"])
