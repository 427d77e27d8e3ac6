"""From a plan to the inputs of one case: real ids of the plan's texts, or synthetic ones where the plan says so."""

from edgebert.benchmark.binding import Binding
from edgebert.benchmark.inputs import Feed, feed_synthetic, feed_texts
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.tokenizing import find_tokenizer


def feed_model(plan: Plan, model: int, name: str, binding: Binding, length: int | None) -> Feed:
    """What is fed to the plan's model number `model`, which `name` names in errors."""
    if plan.synthetic_ids:
        return feed_synthetic(name, binding, length, len(plan.texts.texts), plan.seed)
    tokenizer = find_tokenizer(plan.models[model], plan.vocabulary)
    return feed_texts(name, binding, plan.texts, tokenizer, length)
