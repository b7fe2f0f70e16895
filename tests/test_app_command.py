"""`portrayal app` itself, as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app_support import ANNA, Told, alive, until
from conftest import Ran
from portrayal.app.jobs import Jobs
from portrayal.client import Client
from portrayal.errors import PortrayalError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share-on-network"], "error: --share-on-network: needs a password"),
        (["--share-on-network", "--password-file", "short"], "error: the password is too short: use 8 char"),
        (["--password-file", "none"], "error: none: no such file"),
        (["--port", "{port}"], "error: port {port}: address already in use; --port names another"),
    ],
)
def test_the_command_says_what_it_needs(
    command: Callable[..., Ran], tmp_path: Path, options: list[str], said: str
) -> None:
    (tmp_path / "short").write_text("secret\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        given = [option.replace("{port}", port) for option in options]
        ran = command("app", "--data", "data", *given)
    assert ran.status in (1, 2) and ran.out == "" and ran.err.startswith(said.replace("{port}", port))


def test_a_killed_server_takes_its_workers_along_and_the_job_begins_anew(media: Path, tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("keys: [{at: 0, yaw: 0}, {at: 290, yaw: 9}]")
    (tmp_path / "password").write_text("open sesame\n")
    call = [sys.executable, "-m", "portrayal", "app", "--port", "0", "--data", str(tmp_path / "data")]
    call += ["--password-file", str(tmp_path / "password")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen(call, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    with pytest.raises(PortrayalError, match="asks for its password"):
        Client(address).engines()
    client = Client(address, password="open sesame", owner=ANNA)
    with client.open("GET", "/") as page:
        assert b"Portrayal" in page.read()
    job = client.edit(media / "hopper.png", script=tmp_path / "long.yaml")
    for said in job.events():
        if said["done"] > 1:
            break
    threads = Path(f"/proc/{server.pid}/task").glob("*/children")
    workers = [int(pid) for thread in threads for pid in thread.read_text().split()]
    assert workers and all(alive(pid) for pid in workers)
    server.kill()
    assert server.communicate() == ("", "")
    until(lambda: not any(alive(pid) for pid in workers))
    told = Told()
    jobs = Jobs(tmp_path / "data", worker=told)
    until(lambda: told.started)
    assert [work.id for work in told.started] == [job.id] == [each.id for each in jobs.list(ANNA)]
    jobs.close()
