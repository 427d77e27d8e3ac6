"""A case made ready on this machine for a place elsewhere: what this machine's LiteRT tells of the model's inputs."""

from dataclasses import dataclass

from edgebert.benchmark.binding import Binding, bind_inputs
from edgebert.benchmark.feeding import feed_model
from edgebert.benchmark.inputs import Feed, choose_length
from edgebert.benchmark.plan import Plan, Setting
from edgebert.benchmark.process import WorkerProcess


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """Which model, how bound, what is fed."""

    setting: Setting
    binding: Binding
    feed: Feed


def prepare_case(plan: Plan, setting: Setting, name: str) -> PreparedCase:
    """`name` names the model in errors."""
    index, _, asked = setting
    worker = WorkerProcess(name)
    try:
        worker.ask("start", cores=None)
        binding = bind_inputs(name, worker.ask("open", path=str(plan.models[index]), threads=1)["inputs"])
    finally:
        worker.close()
    return PreparedCase(setting, binding, feed_model(plan, index, name, binding, choose_length(name, binding, asked)))
