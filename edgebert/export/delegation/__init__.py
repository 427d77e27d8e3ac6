"""Which operators XNNPACK will take, and why not the others."""

from edgebert.export.delegation.linter import RUNTIME, Delegation, Outcome, Verdict, lint

__all__ = ["RUNTIME", "Delegation", "Outcome", "Verdict", "lint"]
