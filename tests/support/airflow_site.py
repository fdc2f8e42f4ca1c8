"""Airflow as somebody would run it: an API server, a scheduler with workers, and our DAGs, as processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from support.plane_process import free_port
from support.waiting import PATIENCE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]
#: Made by `make test-real`, from requirements/airflow.txt.
ENVIRONMENT = ROOT / ".venv-airflow"
FTF = "setpoint_ftf"
PERSON, PASSWORD = "mae", "only-of-this-airflow"


def airflow_environ(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what Airflow sees: a folder of its own, nothing of ours but ``variables``."""
    own = ("SETPOINT_", "CVN_", "PYTHON", "AIRFLOW", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    settings = {
        "CORE__DAGS_FOLDER": str(folder / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__PARALLELISM": "2",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{PERSON}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "API_AUTH__JWT_SECRET": "a secret of this test alone, of more than sixty-four bytes, as HS512 has it",
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "LOGGING__LOGGING_LEVEL": "INFO",
    }
    return (
        kept
        | {f"AIRFLOW__{name}": value for name, value in settings.items()}
        | {
            "AIRFLOW_HOME": str(folder),
            "PATH": f"{ENVIRONMENT / 'bin'}:{kept['PATH']}",
            "OMP_NUM_THREADS": "1",
            **variables,
        }
    )


class AirflowSite:
    """One Airflow, with a database of its own; a context manager, which ends all it started."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        assert (ENVIRONMENT / ".installed").exists(), "make .venv-airflow/.installed"
        shutil.copytree(ENVIRONMENT / "home", folder, dirs_exist_ok=True)
        (folder / "passwords.json").write_text(json.dumps({PERSON: PASSWORD}), encoding="utf-8")
        (folder / "dags").mkdir()
        for file in (*(ROOT / "deploy/airflow").glob("*.py"), *(ROOT / "tests/airflow/dags").glob("*.py")):
            shutil.copy(file, folder / "dags")
        # Its configuration names its database by the folder in which it was made.
        (folder / "airflow.cfg").unlink(missing_ok=True)
        self.folder = folder
        self.port = free_port()
        self.environ = airflow_environ(folder, variables) | {
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self._token = ""

    def __enter__(self) -> Self:
        self.start("api-server", "--host", "127.0.0.1", "--workers", "1")
        self.start("scheduler")
        self.run("dags", "reserialize")
        self.wait_for(self._log_in, "the API server")
        self.wait_for(lambda: self.ask("GET", f"dags/{FTF}").status_code == 200, "the DAG")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)

    def start(self, *arguments: str) -> None:
        """Start a part of Airflow as a process that leads its own group."""
        with (self.folder / f"{arguments[0]}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [ENVIRONMENT / "bin/airflow", *arguments],
                    env=self.environ, stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
                )
            )  # fmt: skip

    def run(self, *arguments: str) -> str:
        """Run a command of Airflow to its end."""
        done = subprocess.run(
            [ENVIRONMENT / "bin/airflow", *arguments],
            env=self.environ, cwd=self.folder,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, method: str, path: str, body: Any = None, door: str = "api/v2") -> httpx.Response:
        """Ask Airflow's API, or what its pages ask, as the person that triggers."""
        return httpx.request(
            method,
            f"http://127.0.0.1:{self.port}/{door}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=60,
        )

    def trigger(self, run: str, dag: str = FTF, **conf: Any) -> None:
        """Let a run of a DAG begin, as the person does."""
        body = {"dag_run_id": run, "logical_date": None, "conf": conf}
        answer = self.ask("POST", f"dags/{dag}/dagRuns", body)
        assert answer.status_code == 200, answer.text

    def ended(self, run: str, dag: str = FTF) -> str:
        """Wait for the end of a run; returns its state."""

        def state() -> Any:
            found = self.ask("GET", f"dags/{dag}/dagRuns/{run}").json()["state"]
            return found in {"success", "failed"} and found

        return str(self.wait_for(state, f"the end of {run}"))

    def tasks(self, run: str, dag: str = FTF) -> dict[tuple[str, int], tuple[str, int]]:
        """Return state and number of tries of each task of a run, by its name and its place or -1."""
        found = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances?limit=100").json()
        return {
            (one["task_id"], one["map_index"]): (one["state"], one["try_number"])
            for one in found["task_instances"]
        }

    def log(self, run: str, task: str, dag: str = FTF) -> str:
        """Return what all attempts of a task logged."""
        files = sorted(self.folder.glob(f"logs/dag_id={dag}/run_id={run}/task_id={task}/**/*.log"))
        return "".join(file.read_text(encoding="utf-8") for file in files)

    def clear(self, run: str, *tasks: str | list[str | int], dag: str = FTF) -> None:
        """Clear some tasks of a run, by name or by name and place, and nothing after them."""
        body = {"dag_run_id": run, "task_ids": tasks, "dry_run": False, "only_failed": False}
        answer = self.ask("POST", f"dags/{dag}/clearTaskInstances", body)
        assert answer.status_code == 200, answer.text

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until a condition holds, while everything that was started lives."""

        def look() -> Any:
            try:
                return condition()
            except httpx.TransportError:
                return None

        return wait_for(look, what, *self.processes, told=self._told)

    def _log_in(self) -> bool:
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/auth/token",
            json={"username": PERSON, "password": PASSWORD},
            timeout=60,
        )
        self._token = answer.json().get("access_token", "")
        return bool(self._token)

    def _told(self) -> str:
        return "\n".join(file.read_text(errors="replace")[-5000:] for file in self.folder.glob("*.log"))
