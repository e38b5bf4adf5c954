"""A headless Chromium, led through its DevTools protocol on two pipes."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


class Page:
    """A tab: what is said to it, and what it says."""

    def __init__(self, commands, answers):
        self.commands, self.answers = commands, answers
        self.complaints, self.requests = [], []
        self.session, self.number = None, 0

    def send(self, method, **params):
        """Send a command and return its result; collect what the page says meanwhile."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = json.loads(self._read())
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _read(self):
        text = bytearray()
        while (character := self.answers.read(1)) != b"\0":
            assert character, "the browser ended"
            text += character
        return text

    def _note(self, event):
        method, params = event.get("method"), event.get("params")
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(params)

    def evaluate(self, expression):
        """Return the value of a JavaScript expression, once it is there if it is a promise."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key, modifiers=0):
        """Press a key and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers, **text)

    def mouse(self, kind, x, y, **more):
        """Let the mouse do something at a place of the window."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def wait_for(self, expression):
        """Wait until an expression is true."""
        self.evaluate(
            "new Promise((done, failed) => {"
            f" const look = () => {{ if ({expression}) done(); else setTimeout(look, 10); }};"
            " setTimeout(() => failed('waited in vain'), 20000); look(); })"
        )


@contextmanager
def open_page(path, folder, width=1280, height=800):
    """Open a file in a new browser whose settings lie in a folder of its own."""
    ends = [os.pipe(), os.pipe()]
    (theirs, ours), (our_answers, their_answers) = ends
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"]
    # Chromium reads from number 3 and writes to number 4.
    script = f'exec "$@" 3<&{theirs} 4>&{their_answers}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *command],
        pass_fds=(theirs, their_answers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.close(their_answers)
    with process, os.fdopen(ours, "wb") as commands, os.fdopen(our_answers, "rb") as answers:
        page = Page(commands, answers)
        target = page.send("Target.createTarget", url="about:blank")
        page.session = page.send("Target.attachToTarget", flatten=True, **target)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            page.send(f"{domain}.enable")
        page.send("Page.navigate", url=path.as_uri())
        page.wait_for("document.readyState === 'complete'")
        try:
            yield page
        finally:
            page.session = None
            page.send("Browser.close")
