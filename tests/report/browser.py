"""A headless Chromium driven through its DevTools pipe, with nothing but the standard library.

Binary: EDGEBERT_CHROMIUM where it is set, else Debian's chromium-headless-shell with all that it depends on (170 MB),
fetched by apt into the cache folder and unpacked there, without root and installed nowhere.
"""

import base64
import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.debian import library_path, unpacked

VARIABLE = "EDGEBERT_CHROMIUM"
_PACKAGES = ("chromium-headless-shell", "fonts-noto-color-emoji")
_BINARY = "usr/lib/chromium/chromium-headless-shell"


def find_chromium() -> tuple[Path, Path | None]:
    """The binary, and the tree that its libraries are in where it is not the system's."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        if not Path(chosen).is_file():
            raise FileNotFoundError(f"{VARIABLE} names '{chosen}', which is no file")
        return Path(chosen), None
    tree = unpacked("chromium", _PACKAGES)
    return tree / _BINARY, tree


@contextlib.contextmanager
def chromium() -> Iterator["Browser"]:
    binary, tree = find_chromium()
    environment = dict(os.environ)
    if tree is not None:
        environment["LD_LIBRARY_PATH"] = library_path(tree)
        environment["XDG_DATA_DIRS"] = f"{tree}/usr/share:/usr/share"
        environment["FONTCONFIG_FILE"] = str(_font_configuration(tree))
    with tempfile.TemporaryDirectory() as profile:
        command = [
            str(binary), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
            f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", "about:blank",
        ]  # fmt: skip
        their_input, ours = os.pipe()
        our_reading, their_output = os.pipe()
        # Chromium reads its commands from descriptor 3 and answers on 4.
        script = f'exec "$@" 3<&{their_input} 4>&{their_output}'
        process = subprocess.Popen(
            ["bash", "-c", script, "chromium", *command],
            env=environment,
            pass_fds=(their_input, their_output),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_input)
        os.close(their_output)
        with os.fdopen(ours, "wb") as commands, os.fdopen(our_reading, "rb") as answers:
            try:
                yield Browser(commands, answers)
            finally:
                process.kill()
                process.wait()


def _font_configuration(tree: Path) -> Path:
    """The system's fonts with the tree's."""
    path = tree / "fonts.conf"
    path.write_text(
        f"<fontconfig><dir>/usr/share/fonts</dir><dir>{tree}/usr/share/fonts</dir>"
        f"<cachedir>{tree}/font-cache</cachedir></fontconfig>"
    )
    return path


class Browser:
    def __init__(self, commands, answers):
        self._commands, self._answers, self._number = commands, answers, 0
        self.events: list[dict[str, Any]] = []

    def open(self, path: Path, width: int, scheme: str, media: str = "") -> "Page":
        """A page of its own, loaded to its end. `scheme` is dark or light."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        page.call("Page.enable")
        page.call("Network.enable")
        page.call("Log.enable")
        page.call("Runtime.enable")
        phone = width < 700
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=844 if phone else 900,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.events.clear()
        page.call("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("Page.loadEventFired")
        return page

    def call(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event: str) -> None:
        while not any(each.get("method") == event for each in self.events):
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium ended before it answered")
            content += byte
        return json.loads(content)


class Page:
    def __init__(self, browser: Browser, target: str, session: str):
        self._browser, self._target, self._session = browser, target, session

    def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def evaluate(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def requests(self) -> list[str]:
        """What was asked for since the page was opened, the page itself first."""
        return [
            each["params"]["request"]["url"]
            for each in self._browser.events
            if each.get("method") == "Network.requestWillBeSent" and each.get("sessionId") == self._session
        ]

    def complaints(self) -> list[str]:
        """What the browser logged: blocked requests, broken mark-up in styles."""
        return [
            each["params"]["entry"]["text"]
            for each in self._browser.events
            if each.get("method") == "Log.entryAdded" and each.get("sessionId") == self._session
        ]

    def dialogs(self) -> int:
        """How often a script asked for the reader's attention."""
        return sum(each.get("method") == "Page.javascriptDialogOpening" for each in self._browser.events)

    def screenshot(self, path: Path) -> None:
        size = self.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        picture = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)
