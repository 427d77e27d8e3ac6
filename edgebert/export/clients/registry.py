"""The clients that `verify` runs: what each is, and what its environment is made of."""

from dataclasses import dataclass
from pathlib import Path

RUNNERS = Path(__file__).parent / "runners"


@dataclass(frozen=True, slots=True)
class Client:
    """A client that takes a text itself, or (`takes_tokens`) what our WordPiece makes of it."""

    name: str
    title: str
    # The distribution whose version is the client's.
    distribution: str
    # A self-contained file of `runners`: the client's environment does not have edgebert.
    runner: str
    takes_tokens: bool
    # The pinned contents of an environment of its own; none where the client lives in ours.
    requirements: tuple[str, ...] = ()
    # What to import to see whether our own environment has it.
    module: str | None = None
    options: tuple[str, ...] = ()

    @property
    def runner_path(self) -> Path:
        return RUNNERS / self.runner

    @property
    def pin(self) -> str:
        """The requirement that is the client itself."""
        return next(each for each in self.requirements if each.startswith(self.distribution + "=="))

    @property
    def how_to_install(self) -> str:
        if self.requirements:
            return f"edgebert clients install {self.name}"
        return "pip install '.[toolchain]' in edgebert's checkout"


TASK_LIBRARY = Client(
    name="task-library",
    title="TF Lite Task Library",
    distribution="tflite-support",
    runner="task_library.py",
    takes_tokens=False,
    # An environment of its own, though the toolchain has tflite-support too: beside TensorFlow its modules fail to load
    # (both register a type called StatusCode), and what is verified should be the pinned client, not whatever the
    # toolchain moved to.
    requirements=(
        "absl-py==2.5.1",
        "cffi==2.1.1",
        "flatbuffers==25.12.19",
        "importlib_resources==7.1.0",
        "libusb-package==1.0.30.0",
        "numpy==2.4.6",
        "protobuf==3.20.3",
        "pybind11==3.1.0",
        "pycparser==3.12",
        "sounddevice==0.5.6",
        "tflite-support==0.4.4",
    ),
)

MEDIAPIPE = Client(
    name="mediapipe",
    title="MediaPipe Tasks",
    distribution="mediapipe",
    runner="mediapipe_tasks.py",
    takes_tokens=False,
    # Needs absl-py >= 2.3, which TF-MOT excludes.
    requirements=(
        "absl-py==2.5.1",
        "certifi==2026.10.18",
        "cffi==2.1.1",
        "contourpy==1.3.3",
        "cycler==0.12.1",
        "flatbuffers==25.12.19",
        "fonttools==4.68.0",
        "kiwisolver==1.5.1",
        "matplotlib==3.11.2",
        "mediapipe==1.2.2",
        "numpy==2.4.6",
        "opencv-contrib-python==5.0.0.93",
        "packaging==26.3",
        "pillow==13.0.0",
        "pycparser==3.12",
        "pyparsing==3.3.3",
        "python-dateutil==4.0.0",
        "sounddevice==0.5.6",
        "tzdata==2026.6",
    ),
)

LITERT = Client(
    name="litert",
    # XNNPACK is in the reference answer; a second opinion comes from the kernels that run where a delegate does not.
    title="LiteRT Interpreter, built-in kernels",
    distribution="ai-edge-litert",
    runner="interpreter.py",
    takes_tokens=True,
    module="ai_edge_litert",
    options=("litert", "builtin"),
)

TENSORFLOW = Client(
    name="tensorflow",
    title="TensorFlow's tf.lite.Interpreter",
    distribution="tensorflow",
    runner="interpreter.py",
    takes_tokens=True,
    module="tensorflow",
    options=("tensorflow", "default"),
)

# What every answer is compared with: our WordPiece and LiteRT as it runs by default.
REFERENCE = Client(
    name="reference",
    title="ours (edgebert's WordPiece, LiteRT with XNNPACK)",
    distribution="ai-edge-litert",
    runner="interpreter.py",
    takes_tokens=True,
    module="ai_edge_litert",
    options=("litert", "default"),
)

CLIENTS = (TASK_LIBRARY, MEDIAPIPE, LITERT, TENSORFLOW)
INSTALLABLE = tuple(client for client in CLIENTS if client.requirements)
