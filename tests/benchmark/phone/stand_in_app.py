"""An app that is none: it keeps to android_demo/BENCHMARK.md and runs the models in this machine's LiteRT.

Its times are this machine's and mean nothing; its lines are what the page says.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

CONTRACT = 1
METRICS = ("wall_ns", "resize_wall_ns", "thread_cpu_ns", "process_cpu_ns")
_PHONE_TMP = "data/local/tmp"


class Result:
    """The lines, each whole and synced before anything goes on."""

    def __init__(self, run_id: str) -> None:
        folder = Path(os.environ["ROOT"], "sdcard/Android/data/dev.edgebert.demo/files/benchmark")
        folder.mkdir(parents=True, exist_ok=True)
        for older in folder.iterdir():
            older.unlink()
        self._file = (folder / f"{run_id}.jsonl").open("w", encoding="utf-8")

    def write(self, event: str, **fields: Any) -> None:
        self._file.write(json.dumps({"event": event, **fields}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def write_torn(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def main(contract: int, run_id: str, job_path: str) -> None:
    what = Path(os.environ["STATE"], "app_does")
    misbehaviour = what.read_text() if what.exists() else ""
    if misbehaviour == "never begins":
        time.sleep(600)
    result = Result(run_id)
    supported = [2] if misbehaviour == "knows contract 2" else [CONTRACT]
    if contract not in supported:
        result.write("error", kind="contract", message=f"contract {contract}", supported=supported)
        return
    runtime = {"name": "LiteRT", "version": "1.4.0"}
    result.write("begin", contract=contract, run_id=run_id, app_version="0.1", runtime=runtime, added_later=True)
    try:
        App(result, Path(job_path), misbehaviour).run()
    except (ValueError, RuntimeError) as error:
        result.write("error", kind="runtime", message=str(error), case=0)
        return
    result.write("end")


class App:
    def __init__(self, result: Result, job_path: Path, misbehaviour: str) -> None:
        self._result, self._misbehaviour = result, misbehaviour
        self._job = json.loads(job_path.read_text())
        self._folder = job_path.parent
        self._spent_ns = 0

    def run(self) -> None:
        # Imported late: the contract is refused without it.
        from edgebert.benchmark.session import Session

        self._sessions = []
        for number, case in enumerate(self._job["cases"]):
            session = Session(str(self._folder / self._job["models"][case["model"]]), case["threads"])
            inputs = self._inputs(number)
            prepared = session.prepare(inputs["tensors"], inputs["dtypes"], inputs["rows"])
            load = {name: prepared[name] for name in ("allocate_ns", "first_run_ns")}
            load["open_ns"] = session.open_ns
            delegation = prepared["delegation"]
            self._result.write("case", case=number, delegate="XNNPACK", delegation=delegation, load=load)
            self._sessions.append(session)
        self._warm_up()
        self._run_rounds()

    def _inputs(self, number: int) -> dict[str, Any]:
        return self._job["inputs"][self._job["cases"][number]["inputs"]]

    def _warm_up(self) -> None:
        asked = self._job["warm_up"]
        for number, session in enumerate(self._sessions):
            inputs = range(min(asked["inputs"], len(self._inputs(number)["rows"])))
            answer = session.warm_up(list(inputs), asked["passes_limit"])
            self._result.write("warm_up", case=number, settled=answer["settled"], **_columns(answer))

    def _run_rounds(self) -> None:
        rounds = self._job["rounds"]
        runs, number = rounds["block_runs"], 0
        needed_ns = rounds["minimum_seconds"] * len(self._sessions) * 1e9
        while number * runs < rounds["runs"] or self._spent_ns < needed_ns:
            for case in rounds["orders"][number % len(rounds["orders"])]:
                count = len(self._inputs(case)["rows"])
                block = [(number * runs + position) % count for position in range(runs)]
                answer = self._sessions[case].run([block[-1], *block])
                self._spent_ns += sum(answer["wall_ns"]) + sum(answer["resize_wall_ns"])
                self._result.write("block", round=number, case=case, **self._told(answer))
            number += 1
            self._misbehave(number)

    def _told(self, answer: dict[str, list[int]]) -> dict[str, list[int]]:
        columns = _columns(answer)
        if self._misbehaviour == "tells no CPU time":
            del columns["thread_cpu_ns"], columns["process_cpu_ns"]
        if self._misbehaviour == "writes nonsense":
            columns["wall_ns"] = ["fast"]
        return columns

    def _misbehave(self, rounds_done: int) -> None:
        if self._misbehaviour == "is slow":
            time.sleep(0.3)
        if rounds_done == 2 and self._misbehaviour == "dies":
            self._result.write_torn('{"event": "block", "round": 2, "ca')
            os._exit(9)
        if rounds_done == 2 and self._misbehaviour == "refuses":
            raise RuntimeError("Node number 57 (BATCH_MATMUL) failed to prepare.")


def _columns(answer: dict[str, list[int]]) -> dict[str, list[int]]:
    return {"input": answer["input"], **{metric: answer[metric] for metric in METRICS}}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
