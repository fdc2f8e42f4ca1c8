"""What the chart's pods run, run here in the order of an installation: with their commands and variables."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
from distributed import Client, Security

from setpoint.errors import EXIT_FINDING, EXIT_WAITS, UsageError
from setpoint.settings import Settings
from setpoint.store.server import embedded
from support.certificate import make_certificate
from support.helm import ROOT, documents, pods, template
from support.plane_process import PlaneProcess, free_port, plane_environ

pytestmark = pytest.mark.real

LOGINS = {"plane-url": "setpoint_plane", "migrate-url": "setpoint_migrator", "seed-url": "setpoint_seeding"}


def container(component, **values):
    """Return what a pod runs."""
    [pod] = [pod for one, pod in pods(documents(template("default", values))) if one == component]
    return pod["spec"]["containers"][0]


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """A PostgreSQL of somebody else's, made ready as the guide says; its addresses by the Secret's keys."""
    settings = Settings(home=tmp_path_factory.mktemp("server"), linger_s=1.0)
    with embedded.attach(settings, options=("fsync=off",)) as attachment:
        at = f"host={attachment.listening.socket_folder} port={attachment.listening.port}"
        with psycopg.connect(f"{at} user=setpoint_owner dbname=postgres", autocommit=True) as admin:
            admin.execute("DROP DATABASE setpoint")
            admin.execute("DROP ROLE setpoint_app")
            guide = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
            [block] = re.findall(r"```sql\n(.*?)```", guide, re.DOTALL)
            for statement in block.strip().split(";\n"):
                admin.execute(statement)
        listening = attachment.listening
        where = f"host={listening.socket_folder}&port={listening.port}"
        yield {key: f"postgresql://{login}@/setpoint?{where}" for key, login in LOGINS.items()}
    embedded.stop(settings, force=True)


def environ_of(box, urls, home):
    """Return what a container sees."""
    given = {
        one["name"]: one.get("value") or urls[one["valueFrom"]["secretKeyRef"]["key"]]
        for one in box.get("env", ())
    }
    return plane_environ(SETPOINT_HOME=str(home), **given)


def run(box, urls, home):
    command = [sys.executable, "-m", "setpoint.cli", *box["command"][1:]]
    return subprocess.run(
        command, env=environ_of(box, urls, home), capture_output=True, text=True, timeout=120, check=False
    )


def test_an_installation_in_the_order_of_its_hooks(urls, tmp_path):
    """Tables are made, the plane gets ready, seeding fails by default and passes once it is told to apply."""
    migration, seeding = container("migration"), container("seeding")
    first, again = run(migration, urls, tmp_path), run(migration, urls, tmp_path)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "nothing to apply" in again.stdout

    box = container("plane")
    arguments = tuple("127.0.0.1" if one == "0.0.0.0" else one for one in box["command"][1:])  # noqa: S104
    plane = PlaneProcess(environ_of(box, urls, tmp_path), tmp_path / "log", arguments)
    plane.start()
    try:
        plane.wait()
        ready = httpx.get(plane.url + box["readinessProbe"]["httpGet"]["path"])
        assert (ready.status_code, ready.json()["revision"]) == (200, 0)

        dry = run(seeding, urls, tmp_path)
        assert (dry.returncode, "coverage cvntrade: 0 of" in dry.stdout) == (1, True), dry.stderr
        assert httpx.get(plane.url + "/health/ready").json()["revision"] == 0, "a dry run writes nothing"
        applied = run(container("seeding", **{"seeding.apply": True}), urls, tmp_path)
        assert applied.returncode == 0, applied.stderr
        assert run(seeding, urls, tmp_path).returncode == 0
        assert httpx.get(plane.url + "/health/ready").json()["revision"] > 0
    finally:
        plane.kill()


def test_what_another_try_cannot_change_is_not_tried_again():
    """The Jobs end at once by the exit codes of a finding, of wrong use, and of a change that waits."""
    jobs = [one["spec"] for one in documents(template("default")) if one["kind"] == "Job"]

    assert len(jobs) == 2
    for job in jobs:
        [box] = job["template"]["spec"]["containers"]
        exits = job["podFailurePolicy"]["rules"][0]["onExitCodes"]
        assert exits["containerName"] == box["name"]
        assert exits["values"] == [EXIT_FINDING, UsageError.exit_code, EXIT_WAITS]


def test_scheduler_and_workers_find_each_other_over_tls(tmp_path):
    """Dask takes the commands of the chart: a worker of one thread joins a scheduler over TLS."""
    certificate, key = make_certificate(tmp_path)
    for source, name in ((certificate, "ca.crt"), (certificate, "tls.crt"), (key, "tls.key")):
        (tmp_path / name).write_bytes(Path(source).read_bytes())
    boxes = {
        component: pod["spec"]["containers"][0] for component, pod in pods(documents(template("everything")))
    }
    port = str(free_port())
    address = f"tls://127.0.0.1:{port}"

    def here(words):
        """The command, with this machine's addresses and folders in the place of a pod's."""
        changed = {"8786": port, "tls://setpoint-scheduler:8786": address, "/tmp": str(tmp_path)}  # noqa: S108
        at = [changed.get(word, word).replace("/etc/setpoint/dask", str(tmp_path)) for word in words]
        return [sys.executable, "-m", *at, "--host", "127.0.0.1"]

    running = []
    try:
        for component in ("scheduler", "workers"):
            box = boxes[component]
            with (tmp_path / component).open("wb") as log:
                running.append(
                    subprocess.Popen(
                        here([*box["command"], *box["args"]]), stdout=log, stderr=log, cwd=tmp_path
                    )
                )
        files = {"ca_file": "ca.crt", "client_cert": "tls.crt", "client_key": "tls.key"}
        security = Security(
            require_encryption=True,
            **{f"tls_{name}": str(tmp_path / file) for name, file in files.items()},
        )
        with Client(address, security=security, timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
            [worker] = client.scheduler_info()["workers"].values()
        assert worker["nthreads"] == 1
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(60)
