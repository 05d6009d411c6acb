"""What the chart renders, as Kubernetes would take it.

Run with: .venv-reference/bin/python -m pytest tests/deploy
"""

import copy
import json
import subprocess

import pytest
import yaml

from chart import CHART, DIGEST, INSTALLATIONS, PROJECT, TOOLS, of_kind, pods, rendered, run, schemas, values_of
from pod_security import violations

# The oldest that the chart says it runs on, and that of the kubectl in package-lock.json.
KUBERNETES = ["1.30", "1.35"]
# Resources of programs beside Kubernetes, and where their types are.
OTHERS = {
    "ScaledObject": "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject",
    "ServiceMonitor": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor",
}
SERVER_PORT = 8080


@pytest.fixture(scope="module", params=INSTALLATIONS)
def manifests(request):
    return rendered(*INSTALLATIONS[request.param])


def objects(schema):
    """Every part of a JSON schema that describes an object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def complaints_of_typescript(folder, manifests):
    """What TypeScript finds in manifests of other programs: a wrong type, or a field that does not exist."""
    lines = [f'import type {{ I{kind} }} from "{module}";' for kind, module in OTHERS.items()]
    for number, manifest in enumerate(manifests):
        lines.append(f"export const manifest{number}: I{manifest['kind']} = {json.dumps(manifest)};")
    # Packages are found from the folder that the file is in.
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    (folder / "manifests.ts").write_text("\n".join(lines), encoding="utf-8")
    command = f"{TOOLS}/node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module nodenext manifests.ts"
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(manifests, version):
    for manifest in manifests:
        if manifest["kind"] not in OTHERS:
            schemas().validate(manifest, version, strict=True)


def test_a_field_that_does_not_exist_is_found():
    manifest = of_kind(rendered(["staging"]), "Deployment")
    manifest["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    with pytest.raises(schemas().ValidationError, match="readyProbe"):
        schemas().validate(manifest, KUBERNETES[0], strict=True)


def test_keda_and_prometheus_operator_know_every_field(tmp_path):
    others = [manifest for manifest in rendered(["production"]) if manifest["kind"] in OTHERS]
    assert sorted(manifest["kind"] for manifest in others) == sorted(OTHERS)
    assert complaints_of_typescript(tmp_path, others) == ""


def test_a_field_that_keda_does_not_have_is_found(tmp_path):
    scaled = of_kind(rendered(["production"]), "ScaledObject")
    scaled["spec"]["triggers"][0]["treshold"] = "3"
    assert "treshold" in complaints_of_typescript(tmp_path, [scaled])


def test_every_pod_passes_restricted_pod_security_on_a_read_only_root(manifests):
    for kind, pod in pods(manifests).items():
        assert violations(pod["spec"]) == [], kind
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (["hostNetwork"], True, "hostNetwork"),
        (["securityContext", "runAsNonRoot"], False, None),
        (["securityContext", "runAsUser"], 0, "securityContext.runAsUser"),
        (["securityContext", "seccompProfile", "type"], "Unconfined", "seccompProfile"),
        (["volumes", 0], {"name": "config", "hostPath": {"path": "/"}}, "volumes.hostPath"),
        (["containers", 0, "securityContext", "runAsNonRoot"], False, "runAsNonRoot"),
        (["containers", 0, "securityContext", "allowPrivilegeEscalation"], True, "allowPrivilegeEscalation"),
        (["containers", 0, "securityContext", "capabilities", "drop"], ["NET_RAW"], "capabilities.drop"),
        (["containers", 0, "securityContext", "capabilities", "add"], ["SYS_ADMIN"], "capabilities.add"),
        (["containers", 0, "securityContext", "privileged"], True, "privileged"),
        (["containers", 0, "ports", 0, "hostPort"], 80, "hostPort"),
    ],
)
def test_pod_security_sees_what_is_changed(place, value, field):
    pod = copy.deepcopy(pods(rendered(["staging"]))["Deployment"]["spec"])
    part = pod
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    # The container says itself that it does not run as root, whatever the pod says.
    assert violations(pod) == ([field] if field else [])


def test_secrets_come_by_reference_alone(manifests):
    assert "Secret" not in {manifest["kind"] for manifest in manifests}
    for pod in pods(manifests).values():
        for container in pod["spec"]["containers"]:
            for variable in container["env"]:
                is_secret = variable["name"] in ("DATABASE_URL", "MLFLOW_TRACKING_TOKEN", "CORRECTIONS_KEY")
                assert ("valueFrom" in variable) == is_secret, variable


def test_probes_service_and_policy_meet_at_the_server_and_not_at_trainings(manifests):
    server = pods(manifests)["Deployment"]
    (container,) = server["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": SERVER_PORT, "protocol": "TCP"}]
    paths = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    selectors = [
        of_kind(manifests, "Service")["spec"]["selector"],
        of_kind(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        of_kind(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        for kind, pod in pods(manifests).items():
            is_selected = selector.items() <= pod["metadata"]["labels"].items()
            assert is_selected == (kind == "Deployment")
    policy = of_kind(manifests, "NetworkPolicy")["spec"]
    assert all(policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items() for pod in [server])
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [SERVER_PORT]


def test_a_server_has_longer_to_stop_than_it_takes():
    settings = {"serve.shutdown_seconds=30": 45, "serve.shutdown_seconds=90.5": 106}
    for setting, seconds in settings.items():
        pod = pods(rendered(["staging"], [setting]))["Deployment"]["spec"]
        assert pod["terminationGracePeriodSeconds"] == seconds
        assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] < 15


def test_an_image_is_named_by_its_digest_where_there_is_one():
    tagged, digested = (
        pods(rendered(["staging"], settings))["Deployment"]["spec"]["containers"][0]["image"]
        for settings in ([], [f"image.digest={DIGEST}"])
    )
    assert tagged == "europe-docker.pkg.dev/example/hounsfield/serve:0.1.0"
    assert digested == f"europe-docker.pkg.dev/example/hounsfield/serve@{DIGEST}"


def test_other_settings_are_other_pods():
    def checksum(*settings):
        return pods(rendered(["staging"], settings))["Deployment"]["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum("resources.cpu=2")
    assert checksum() != checksum("serve.store=required")


def test_the_number_of_servers_has_one_master():
    for by, kind in [("none", None), ("cpu", "HorizontalPodAutoscaler"), ("queue", "ScaledObject")]:
        manifests = rendered(["production"], [f"autoscaling.by={by}"])
        scalers = {m["kind"] for m in manifests} & {"HorizontalPodAutoscaler", "ScaledObject"}
        assert scalers == ({kind} if kind else set())
        assert ("replicas" in of_kind(manifests, "Deployment")["spec"]) == (kind is None)


def test_the_queue_is_asked_for_by_its_metric():
    trigger = of_kind(rendered(["production"]), "ScaledObject")["spec"]["triggers"][0]["metadata"]
    assert trigger["query"] == 'sum(hounsfield_queue_images{namespace="wards",service="hounsfield"})'


@pytest.mark.parametrize("installation", INSTALLATIONS)
def test_helm_finds_nothing_to_complain_about(installation):
    done = run("lint", "--strict", "--quiet", ".", *values_of(*INSTALLATIONS[installation]))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_notes_say_how_to_reach_it():
    done = run(
        "install", "hounsfield", ".", "--namespace", "wards", "--dry-run=client", *values_of(["production"], [])
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("NOTES:", 1)[1]
    assert "Research use only. Not a medical device." in notes
    assert "https://hounsfield.example.org" in notes
    assert "create job --from=cronjob/hounsfield-retraining" in notes


def test_the_schema_leaves_no_object_open():
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    for part in objects(schema):
        # A map of labels has any key, and text as each value.
        assert part["additionalProperties"] in (False, {"type": "string"}), part


def test_every_default_is_in_the_schema_and_the_other_way_round():
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert sorted(defaults) == sorted(schema["properties"])
    assert sorted(schema["required"]) == sorted(defaults)


def test_the_chart_has_the_version_of_the_programs():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    workspace = (PROJECT / "Cargo.toml").read_text(encoding="utf-8").split("[workspace.package]", 1)[1]
    version = workspace.split('version = "', 1)[1].split('"', 1)[0]
    assert chart["version"] == chart["appVersion"] == version
