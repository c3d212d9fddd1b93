"""A run goes to the hub only when it is asked for, whole and with nothing beside it; the hub: a stand-in."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from huggingface_hub import constants
from PIL import Image

from fairhuman.fitting import FitSettings, push
from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import LoRA
from fairhuman.training import TrainSettings
from fairhuman.training._run import write_settings


class Hub(BaseHTTPRequestHandler):
    """What of the hub's API an upload needs; what arrives is kept in ``server.files``."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        hub = self.server
        hub.requests.append((self.path, self.headers.get("Authorization")))
        if self.headers.get("Authorization") != "Bearer hf_right":
            return self.answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            hub.created = json.loads(body)
            return self.answer(200, {"url": f"{hub.address}/me/mine"})
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if self.path == "/api/models/me/mine/preupload/main":
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith("safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": modes})
        if self.path == "/me/mine.git/info/lfs/objects/batch":
            objects = [
                one | {"actions": {"upload": {"href": f"{hub.address}/put/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self.answer(200, {"transfer": "basic", "objects": objects})
        assert self.path == "/api/models/me/mine/commit/main", self.path
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                hub.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                hub.files[value["path"]] = hub.objects[value["oid"]]
            else:
                assert line["key"] == "header"
        return self.answer(200, {"commitUrl": f"{hub.address}/me/mine/commit/1", "commitOid": "1" * 40})

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.objects[oid] = content
        self.answer(200, {})

    def answer(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.requests, server.files, server.objects, server.created = [], {}, {}, None
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fitted(tmp_path):
    """The folder of a fit, as far as an upload looks at it, with what must not be uploaded."""
    out = tmp_path / "out"
    settings = TrainSettings(data=str(tmp_path / "people"), output=str(out / "lora"), trigger="ohwx", rank=2)
    write_settings(out / "lora", settings, {"data": "1"})
    LoRA(tiny_pipeline(), rank=2).save(out / "lora", settings.facts)
    (out / "after/images").mkdir(parents=True)
    lines = []
    for number in range(20):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(out / f"after/images/{number:06d}-0.png")
        lines.append(json.dumps({"file_name": f"images/{number:06d}-0.png", "text": f"ohwx, man {number}"}))
    (out / "after/metadata.jsonl").write_text("\n".join(lines) + "\n")
    counts = [{"measure": "face found", "before": 0.25, "after": 0.75}]
    (out / "report.json").write_text(json.dumps({"counts": counts, "advice": []}))
    Image.new("RGB", (8, 8)).save(out / "comparison-1.jpg")
    (out / "fit.yaml").write_text(
        FitSettings(photographs=str(tmp_path / "photographs"), out=str(out)).to_yaml()
    )
    (out / "data").mkdir()
    Image.new("RGB", (8, 8)).save(out / "data/photograph.png")
    return out


@pytest.fixture
def there(hub, tmp_path, monkeypatch):
    """This process uses the stand-in, and no token but the one that it knows."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # as conftest.py has it
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    return hub


def test_a_fit_goes_up_with_card_and_samples_and_nothing_else(hub, fitted, tmp_path):
    """By the command, in a process that knows the stand-in by ``HF_ENDPOINT`` alone."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    given |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    given |= {"HF_TOKEN": "hf_right", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "fairhuman", "push", str(fitted), "me/mine"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.address}/me/mine/commit/1"
    assert hub.created["name"] == "mine" and hub.created["organization"] == "me"
    assert hub.created["visibility"] == "private"
    weights = "pytorch_lora_weights.safetensors"
    assert hub.files[weights] == (fitted / "lora" / weights).read_bytes()
    pictures = {name for name in hub.files if name.endswith(".png")}
    assert len(pictures) == 12 and {"samples/000000-0.png", "samples/000019-0.png"} <= pictures
    assert hub.files.keys() - pictures == {weights, "README.md", "samples/comparison-1.jpg"}
    card = hub.files["README.md"].decode()
    header = yaml.safe_load(card.split("---")[1])
    assert header["instance_prompt"] == "ohwx" and "lora" in header["tags"]
    assert header["widget"][0] == {"text": "ohwx, man 0", "output": {"url": "samples/000000-0.png"}}
    assert {one["output"]["url"] for one in header["widget"]} == pictures
    assert "'me/mine'" in card and "THIS_FOLDER" not in card and str(tmp_path) not in card
    assert "| face found | 0.25 | 0.75 |" in card
    assert set(re.findall(r"!\[\]\((.*?)\)", card)) == pictures | {"samples/comparison-1.jpg"}


def test_a_run_alone_goes_up_without_samples(there, fitted):
    assert push(fitted / "lora", "me/mine", private=False) == f"{there.address}/me/mine/commit/1"
    assert there.files.keys() == {"pytorch_lora_weights.safetensors", "README.md"}
    assert there.created["visibility"] == "public"


@pytest.mark.parametrize(
    ("repository", "options", "token", "said"),
    [
        ("mine", {}, "hf_right", "repository: must be owner/name, got 'mine'"),
        ("me/my mine", {}, "hf_right", "repository: "),
        ("me/mine", {}, "", "token: none is known"),
        ("me/mine", {"samples": "none"}, "hf_right", "samples: none holds no metadata.jsonl"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    there, fitted, monkeypatch, repository, options, token, said
):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        push(fitted, repository, **options)
    (fitted / "lora/pytorch_lora_weights.safetensors").unlink()
    with pytest.raises(ValueError, match="source: must be a finished run"):
        push(fitted, "me/mine")
    assert there.requests == []


def test_what_the_hub_refuses_is_said_in_a_line(there, fitted, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(RuntimeError, match=f"push: me/mine was not taken by {there.address}: .*401"):
        push(fitted, "me/mine")
    assert there.requests and there.files == {}
