"""Argument types that several commands share."""


def comma_separated(text: str) -> tuple[str, ...]:
    """`a,b` to ("a", "b")."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
