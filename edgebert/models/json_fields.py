"""Fields of a JSON file that somebody else wrote: each is read with its type and bounds, or an error names it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.errors import CheckpointError
from edgebert.models.tensor_file import shown

# A config.json has a few kilobytes, ten thousand labels included.
LARGEST_FILE_BYTES = 16 * 2**20
# Stands for "there is no default": None is a value in JSON.
NEEDED: Any = object()


@dataclass(frozen=True, slots=True)
class Fields:
    content: dict[str, Any]
    # What an error begins with: the file, and the way to these fields inside it.
    source: str

    def whole(self, name: str, least: int, most: int, default: Any = NEEDED) -> int:
        value = self._get(name, default)
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(name, f"a whole number from {least:,} to {most:,}", value)
        return value

    def number(self, name: str, least: float, most: float, default: Any = NEEDED) -> float:
        value = self._get(name, default)
        # Also not a number that is none: NaN lies between no bounds.
        if type(value) not in (int, float) or not least <= value <= most:
            raise self.wrong(name, f"a number from {least} to {most}", value)
        return value

    def truth(self, name: str, default: Any = NEEDED) -> bool:
        value = self._get(name, default)
        if type(value) is not bool:
            raise self.wrong(name, "true or false", value)
        return value

    def choice(self, name: str, allowed: tuple[str | None, ...], default: Any = NEEDED) -> Any:
        value = self._get(name, default)
        if not isinstance(value, str | None) or value not in allowed:
            raise self.wrong(name, " or ".join(str(one) for one in allowed), value)
        return value

    def texts(self, name: str, default: Any = NEEDED) -> tuple[str, ...]:
        value = self._get(name, default)
        if not isinstance(value, list | tuple) or not all(is_text(one) for one in value):
            raise self.wrong(name, "a list of texts", value)
        return tuple(value)

    def object(self, name: str, default: Any = NEEDED) -> "Fields":
        value = self._get(name, default)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object", value)
        return Fields(value, f"{self.source} {name}")

    def only(self, *names: str) -> None:
        """Refuse every field but these: for our own layout, where an unknown one is a mistake."""
        for name in self.content:
            if name not in names:
                raise CheckpointError(
                    f"{self.source}: expected only {', '.join(names)}, got {shown(name)}. "
                    "Do: correct the name, or update edgebert."
                )

    def wrong(self, name: str, expected: str, got: object) -> CheckpointError:
        got = "nothing" if got is NEEDED else shown(got)
        return CheckpointError(
            f"{self.source} {name}: expected {expected}, got {got}. Do: use the config.json saved with the model."
        )

    def _get(self, name: str, default: Any) -> Any:
        return self.content.get(name, default)


def is_text(value: Any) -> bool:
    """Text that UTF-8 can hold: JSON can spell lone surrogates, and no output of ours could carry them."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def read_json_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise CheckpointError(
                f"{path}: expected at most {LARGEST_FILE_BYTES:,} bytes, got {path.stat().st_size:,}. "
                "Do: download the file again."
            )
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"{path}: expected a file that can be read, got '{error.strerror}'. Do: check its permissions."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: expected JSON, got '{shown(str(error))}'. Do: download the file again."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path}: expected a JSON object, got {type(content).__name__}. Do: download the file again."
        )
    return content
