"""The Helm chart, rendered by Helm itself and judged by the schemas of Kubernetes."""

import json
import re
from itertools import product

import pytest
import yaml
from kubernetes_validate import SchemaNotFoundError, ValidationError, validate

from setpoint.serve.server import openapi_document
from support.helm import CHART, ROOT, documents, helm, pods, template

pytestmark = pytest.mark.real

KINDS = ("default", "everything")
#: Of Kubernetes: what every rendering is held against, and the oldest and newest for the two whole ones.
VERSION, OTHER_VERSIONS = "1.33", ("1.30", "1.37")
#: Kinds of the Prometheus operator, whose schemas nothing here holds.
UNPROVEN = {"PrometheusRule", "ServiceMonitor"}
RESOURCES = {"requests": {"cpu": "2", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
PEER = [{"podSelector": {"matchLabels": {"app": "another"}}}]
#: For each value that the chart takes another one than in ci/everything-values.yaml.
OTHERS = {
    "cvntradeImageTag": "sha256:" + "0b" * 32,
    "image.repository": "registry.example:5000/team/setpoint",
    "image.pullPolicy": "Never",
    "image.pullSecrets": [],
    "database.secret": "another",
    "database.keys.plane": "another",
    "database.keys.migrate": "another",
    "database.keys.seed": "another",
    "database.keys.direct": "direct-url",
    "plane.replicas": 1,
    "plane.workers": 1,
    "plane.publicUrl": "",
    "plane.settings": {},
    "plane.files": None,
    "plane.marketDataClaim": "",
    "plane.resources": RESOURCES,
    "plane.maxUnavailable": 2,
    "service.type": "NodePort",
    "service.port": 8080,
    "ingress.enabled": False,
    "ingress.className": "",
    "ingress.host": "another.example",
    "ingress.path": "/",
    "ingress.tlsSecret": "",
    "ingress.annotations": None,
    "migration.enabled": False,
    "migration.resources": RESOURCES,
    "seeding.enabled": False,
    "seeding.apply": False,
    "seeding.reason": 'it\'s "another"; `id`',
    "seeding.failUnder": 99.5,
    "seeding.resources": RESOURCES,
    "dask.enabled": False,
    "dask.tlsSecret": "another",
    "dask.planeUrl": "https://setpoint.example",
    "dask.token.secret": "another",
    "dask.token.key": "another",
    "dask.marketDataClaim": "",
    "dask.scheduler.resources": RESOURCES,
    "dask.workers.replicas": 30,
    "dask.workers.resources": RESOURCES,
    "metrics.enabled": False,
    "metrics.token.secret": "another",
    "metrics.token.key": "another",
    "metrics.serviceMonitor": False,
    "rules.kind": "ConfigMap",
    "rules.labels": None,
    "networkPolicy.enabled": False,
    "networkPolicy.from": PEER,
    "networkPolicy.metricsFrom": [],
    "networkPolicy.daskFrom": [],
    "networkPolicy.databaseTo": [],
    "networkPolicy.databasePort": 6432,
    "networkPolicy.egress": [],
    "pods.annotations": None,
    "pods.nodeSelector": None,
    "pods.tolerations": [],
}
#: Values that go together, and stand in no other row.
TOGETHER = {"metrics.enabled": {"metrics.serviceMonitor": False}}


def with_other(name):
    """Return the chart with everything, but for one value."""
    return template("everything", {name: OTHERS[name], **TOGETHER.get(name, {})})


@pytest.fixture(scope="module")
def renderings():
    """The chart by what was given: its least values, all of them, each one another, and a long name."""
    found = {kind: template(kind) for kind in KINDS}
    found["a long name"] = template("everything", release="r" * 53)
    return found | {name: with_other(name) for name in OTHERS}


@pytest.fixture(scope="module")
def objects(renderings):
    return {name: documents(text) for name, text in renderings.items()}


@pytest.mark.parametrize(
    "values",
    [
        {"plane.settings": {"SETPOINT_CATALOGUES": "cvntrade", "SETPOINT_LINGER_S": "1"}},
        {"plane.files": {name: {"secret": "own", "key": "a.toml"} for name in
                         ("SETPOINT_CATALOGUES", "SETPOINT_CHECKPOINTS")}},
    ],
    ids=["settings", "files"],
)  # fmt: skip
def test_seeding_and_workers_read_the_catalogues_that_the_plane_serves(values):
    """They are given them as the plane is, by name or as a mounted file, and nothing else of the plane's."""
    dask = {"dask.enabled": True, "dask.tlsSecret": "tls", "dask.token.secret": "robot"}
    found = dict(pods(documents(template("default", values | dask))))
    plane, seeding, workers = (
        _of_catalogues(found[component]["spec"]) for component in ("plane", "seeding", "workers")
    )
    assert workers == seeding == plane
    assert seeding[0] == ["cvntrade" if "plane.settings" in values else f"{seeding[1][0]}/a.toml"]
    assert not {"SETPOINT_LINGER_S", "SETPOINT_CHECKPOINTS"} & {
        one["name"]
        for component in ("seeding", "workers")
        for one in found[component]["spec"]["containers"][0]["env"]
    }


def _of_catalogues(spec):
    """Return the variable of catalogues, where its file is mounted, and the Secret that has it."""
    (box,) = spec["containers"]
    said = [one["value"] for one in box["env"] if one["name"] == "SETPOINT_CATALOGUES"]
    mounts = [one["mountPath"] for one in box["volumeMounts"] if one["name"] == "setpoint-catalogues"]
    return said, mounts, [one for one in spec["volumes"] if one["name"] == "setpoint-catalogues"]


@pytest.mark.parametrize("kind", KINDS)
def test_helm_finds_nothing_to_blame(kind):
    """`helm lint --strict` passes."""
    done = helm("lint", "--strict", str(CHART), f"--values={CHART}/ci/{kind}-values.yaml")

    assert (done.returncode, "[WARNING]" in done.stdout) == (0, False), done.stdout


def test_every_value_is_in_the_table_and_has_an_effect(renderings):
    """A value that changes nothing, or that no row here tries, is a mistake."""
    listed = re.findall(r"^\| `([\w.]+)`", (CHART / "README.md").read_text(), re.MULTILINE)
    effects = {name: renderings[name] != renderings["everything"] for name in OTHERS}

    assert sorted(listed) == sorted(OTHERS)
    assert [name for name, there in effects.items() if not there] == []


def test_every_object_is_what_kubernetes_takes(objects):
    """Each object of each rendering fits its schema, strictly; whole ones in old and new Kubernetes too."""
    judged = {(json.dumps(one, sort_keys=True), VERSION) for found in objects.values() for one in found}
    judged |= {
        (json.dumps(one, sort_keys=True), version)
        for kind, version in product(KINDS, OTHER_VERSIONS)
        for one in objects[kind]
    }
    for text, version in judged:
        one = json.loads(text)
        assert len(one["metadata"]["name"]) <= 63, one["metadata"]["name"]
        try:
            validate(one, version, strict=True)
        except SchemaNotFoundError:
            assert one["kind"] in UNPROVEN, one["kind"]


def test_the_schemas_see_a_mistake(objects):
    """What judges is strict: a field that Kubernetes does not know, or of another kind, is refused."""
    for wrong in ({"replicas": "two"}, {"replica": 2}):
        plane = next(one for one in objects["default"] if one["kind"] == "Deployment")
        with pytest.raises(ValidationError):
            validate({**plane, "spec": {**plane["spec"], **wrong}}, VERSION, strict=True)


def test_the_alerts_are_those_of_the_repository(objects):
    """Rules have one source, in both shapes."""
    rules = (ROOT / "deploy/observability/prometheus/rules.yml").read_text()
    [operator] = [one for one in objects["everything"] if one["kind"] == "PrometheusRule"]
    [plain] = [one for one in objects["rules.kind"] if one["kind"] == "ConfigMap"]

    assert operator["spec"] == yaml.safe_load(rules)
    assert plain["data"]["rules.yml"].strip() == rules.strip()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("old", "new"), [("0.1.0", "0b0a9c7f"), ("0b0a9c7f", "sha256:" + "4f" * 32)])
def test_the_pin_changes_the_image_of_every_pod_and_nothing_else(kind, old, new):
    """`cvntradeImageTag` rendered both ways: plane, Jobs, scheduler and workers carry it."""
    before, after = template(kind, tag=old), template(kind, tag=new)
    made = dict(pods(documents(after)))
    images = [box["image"] for pod in made.values() for box in pod["spec"]["containers"]]
    separator = {True: "@", False: ":"}

    expected = {"plane", "migration", "seeding"} | (
        {"scheduler", "workers"} if kind == "everything" else set()
    )
    assert set(made) == expected
    assert set(images) == {f"registry.example/setpoint{separator[':' in new]}{new}"}
    assert "initContainers" not in after
    image = "image: registry.example/setpoint"
    changed = before.replace(
        f"{image}{separator[':' in old]}{old}\n", f"{image}{separator[':' in new]}{new}\n"
    )
    assert changed == after != before


def test_every_pod_is_restricted(objects):
    """Pods run without root, privileges, capabilities, a token, or a writable root, within limits."""
    for name, found in objects.items():
        for component, pod in pods(found):
            spec, where = pod["spec"], (name, component)
            assert spec["automountServiceAccountToken"] is False, where
            assert spec["securityContext"]["runAsNonRoot"] is True, where
            assert spec["securityContext"]["runAsUser"] > 9999, where
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), where
            kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
            assert kinds <= {"emptyDir", "secret", "persistentVolumeClaim"}, where
            [box] = spec["containers"]
            assert box["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "privileged": False,
                "capabilities": {"drop": ["ALL"]},
            }, where
            assert {"requests", "limits"} <= set(box["resources"]), where
            assert "memory" in box["resources"]["limits"], where


def test_no_secret_is_a_value(objects):
    """Addresses of the database come from a Secret, and no object is one."""
    urls = {"SETPOINT_DATABASE_URL", "SETPOINT_DIRECT_URL"}
    for name, found in objects.items():
        assert "Secret" not in {one["kind"] for one in found}, name
        for _, pod in pods(found):
            for variable in pod["spec"]["containers"][0].get("env", ()):
                assert ("valueFrom" in variable) == (variable["name"] in urls), (name, variable)


def test_selectors_find_pods_and_ports_have_names(objects):
    """Nothing selects what is not there, and nothing leads to a port that no container names."""
    for name, found in objects.items():
        made = [pod for _, pod in pods(found)]
        ports = {p["name"] for pod in made for box in pod["spec"]["containers"] for p in box.get("ports", ())}
        for one in found:
            spec = one.get("spec", {})
            if one["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment"}:
                chosen = spec.get("podSelector") or spec["selector"]
                wanted = chosen.get("matchLabels", chosen).items()
                assert any(wanted <= pod["metadata"]["labels"].items() for pod in made), (
                    name,
                    one["metadata"],
                )
            if one["kind"] == "Service":
                assert {port["targetPort"] for port in spec["ports"]} <= ports, name
            if one["kind"] == "NetworkPolicy":
                named = {p["port"] for rule in spec.get("ingress", ()) for p in rule.get("ports", ())}
                assert named <= ports, name
        policies = [
            one["spec"]["podSelector"]["matchLabels"] for one in found if one["kind"] == "NetworkPolicy"
        ]
        covered = [any(p.items() <= pod["metadata"]["labels"].items() for p in policies) for pod in made]
        assert all(covered) == (name != "networkPolicy.enabled"), name


def test_metrics_stay_within_the_cluster(objects):
    """However the plane's Service is opened, theirs is another one, and what scrapes is led to that alone."""
    for name, found in objects.items():
        services = {
            one["metadata"]["name"].rpartition("-")[2]: one for one in found if one["kind"] == "Service"
        }
        ports = {
            one: [port["name"] for port in service["spec"]["ports"]] for one, service in services.items()
        }
        monitors = [one for one in found if one["kind"] == "ServiceMonitor"]

        assert ports["plane"] == ["http"], name
        if "metrics" in services:
            assert ports["metrics"] == ["metrics"], name
            assert services["metrics"]["spec"]["type"] == "ClusterIP", name
        for monitor in monitors:
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            chosen = [
                one for one, service in services.items() if wanted <= service["metadata"]["labels"].items()
            ]
            assert chosen == ["metrics"], name

    assert any(one["kind"] == "ServiceMonitor" for one in objects["everything"])
    assert not any(one["kind"] == "ServiceMonitor" for one in objects["default"])


def test_probes_ask_what_the_plane_answers(objects):
    """Each path that a probe asks for is a public operation of the API."""
    [plane] = [pod for component, pod in pods(objects["default"]) if component == "plane"]
    [box] = plane["spec"]["containers"]
    asked = {box[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert asked == {"/health/live", "/health/ready"}
    assert asked <= set(openapi_document()["paths"])


#: A value, and what the refusal names.
WRONG = [
    ({"cvntradeImageTag": "latest"}, "cvntradeImageTag"),
    ({"cvntradeImageTag": ""}, "cvntradeImageTag"),
    ({"cvntradeImageTag": "main"}, "cvntradeImageTag"),
    ({"cvntradeImageTag": "v1"}, "cvntradeImageTag"),
    ({"cvntradeImageTag": "0.1.0 "}, "cvntradeImageTag"),
    ({"cvntradeImageTag": "sha256:0b0a9c7f"}, "cvntradeImageTag"),
    ({"cvntradeImageTag": 1234567}, "cvntradeImageTag"),
    ({"cvntradeImageTag": None}, "cvntradeImageTag"),
    ({"imageTag": "0.1.0"}, "imageTag"),
    ({"image.tag": "0.1.0"}, "tag"),
    ({"image.repository": ""}, "repository"),
    ({"image.repository": "registry.example/setpoint@sha256:0b"}, "repository"),
    ({"image.pullPolicy": "Sometimes"}, "pullPolicy"),
    ({"database.secret": ""}, "secret"),
    ({"database.url": "postgresql://setpoint:word@db/setpoint"}, "url"),
    ({"plane.replicas": 0}, "replicas"),
    ({"plane.replicas": "2"}, "replicas"),
    ({"plane.publicUrl": "setpoint.example"}, "publicUrl"),
    ({"plane.settings": {"SETPOINT_TOKEN": "spt_word"}}, "SETPOINT_TOKEN"),
    ({"plane.settings": {"SETPOINT_DATABASE_URL": "postgresql://db"}}, "SETPOINT_DATABASE_URL"),
    ({"plane.settings": {"SETPOINT_RETENTION": "14"}}, "SETPOINT_RETENTION"),
    ({"plane.settings": {"SETPOINT_RETENTION_DAYS": 14}}, "SETPOINT_RETENTION_DAYS"),
    ({"plane.files": {"SETPOINT_NOTIFY": {"secret": "notify"}}}, "key"),
    ({"plane.resources": {"limits": {"memory": "lots"}}}, "memory"),
    ({"service.type": "ExternalName"}, "type"),
    ({"service.port": 65536}, "port"),
    ({"ingress.enabled": True}, "host"),
    ({"seeding.failUnder": 101}, "failUnder"),
    ({"seeding.apply": "true"}, "apply"),
    ({"seeding.reason": ""}, "reason"),
    ({"dask.enabled": True}, "tlsSecret"),
    ({"dask.enabled": True, "dask.tlsSecret": "tls"}, "secret"),
    ({"dask.planeUrl": "http://setpoint.example"}, "planeUrl"),
    ({"metrics.enabled": True}, "secret"),
    ({"metrics.serviceMonitor": True}, "serviceMonitor"),
    ({"rules.kind": "Rule"}, "kind"),
    ({"networkPolicy.from": [{}]}, "from"),
    ({"networkPolicy.databasePort": 0}, "databasePort"),
    ({"pods.hostNetwork": True}, "hostNetwork"),
    (
        {
            "plane.settings": {"SETPOINT_NOTIFY": "notify.toml"},
            "plane.files": {"SETPOINT_NOTIFY": {"secret": "notify", "key": "notify.toml"}},
        },
        "say it once",
    ),
    ({"plane.settings": {"SETPOINT_MARKET_DATA": "/m"}, "plane.marketDataClaim": "candles"}, "say it once"),
]


@pytest.mark.parametrize(("values", "named"), WRONG, ids=lambda one: json.dumps(one)[:60])
def test_a_wrong_value_is_refused_and_named(values, named):
    """Nothing is rendered of a value that is unknown, of another kind, or a tag that moves."""
    given = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
    done = helm("template", "setpoint", str(CHART), f"--values={CHART}/ci/default-values.yaml", *given)

    assert (done.returncode != 0, done.stdout) == (True, "")
    assert named in done.stderr


def test_a_required_value_has_no_default():
    """Without values nothing is rendered, and the message names what is needed."""
    done = helm("template", "setpoint", str(CHART))

    assert done.returncode != 0
    for name in ("/cvntradeImageTag", "/image/repository", "/database/secret"):
        assert f"at '{name}'" in done.stderr
