"""The files in deploy/ are valid, and fit each other and the program that they start."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polyculture.deployment.server import ServerOptions

yaml = pytest.importorskip("yaml", reason="yaml is not installed")

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KSERVE = DEPLOY / "kserve" / "inference-service.yaml"
COMPONENT = {
    *("minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling", "timeout"),
    *("containerConcurrency", "canaryTrafficPercent", "logger", "batcher", "labels", "annotations"),
    "deploymentStrategy",
}
"""What KServe adds to a pod's specification in a predictor (ComponentExtensionSpec, serving.kserve.io/v1beta1)."""


def documents(*paths: Path) -> list[dict[str, Any]]:
    return [d for path in paths for d in yaml.safe_load_all(path.read_text(encoding="utf-8")) if d]


def the(kind: str) -> dict[str, Any]:
    """The only document of that kind."""
    (document,) = [d for d in documents(*KUBERNETES, KSERVE) if d["kind"] == kind]
    return document


def server_pods() -> list[tuple[str, dict[str, Any]]]:
    """The pod of the servers, plain and under KServe."""
    return [
        ("kubernetes", the("Deployment")["spec"]["template"]["spec"]),
        ("kserve", the("InferenceService")["spec"]["predictor"]),
    ]


def all_pods() -> list[tuple[str, dict[str, Any]]]:
    return [*server_pods(), ("retrain", the("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"])]


def option(arguments: list[str], name: str) -> str:
    """The value of an option in ``--name=value``."""
    (value,) = [a.partition("=")[2] for a in arguments if a.startswith(f"--{name}=")]
    return value


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_plain_files_keep_the_schemas_of_kubernetes(path: Path, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes_validate is not installed")
    for document in documents(path):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelled_field_is_noticed() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes_validate is not installed")
    document = copy.deepcopy(the("Deployment"))
    document["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.37", strict=True)


def test_the_predictor_of_kserve_is_a_pod_and_what_kserve_adds() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes_validate is not installed")
    service = the("InferenceService")
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert set(service["spec"]) == {"predictor"}
    predictor = service["spec"]["predictor"]
    pod = {name: value for name, value in predictor.items() if name not in COMPONENT}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "predictor"}, "spec": pod}
    kubernetes_validate.validate(document, "1.37", strict=True)
    assert predictor["containers"][0]["name"] == "kserve-container"
    assert predictor["minReplicas"] <= predictor["maxReplicas"]


def test_selectors_names_and_ports_meet() -> None:
    deployment, service = the("Deployment"), the("Service")
    template = deployment["spec"]["template"]
    labels, name = template["metadata"]["labels"], deployment["metadata"]["name"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        template["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    retrain_labels = the("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= retrain_labels.items()
    target = the("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"], target["apiVersion"]) == ("Deployment", name, deployment["apiVersion"])
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == set(ports)
    arguments = template["spec"]["containers"][0]["args"]
    assert ports == {"http": int(option(arguments, "port")), "grpc": int(option(arguments, "grpc-port"))}


@pytest.mark.parametrize(("name", "pod"), server_pods(), ids=["kubernetes", "kserve"])
def test_a_server_is_probed_where_it_listens(name: str, pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    port = int(option(container["args"], "port"))
    named = {p["name"]: p["containerPort"] for p in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        request = container[probe]["httpGet"]
        assert named.get(request["port"], request["port"]) == port
        assert request["path"] == ("/v2/health/live" if probe == "livenessProbe" else "/v2/health/ready")
    owner = the("Deployment")["spec"]["template"] if name == "kubernetes" else the("InferenceService")
    annotations = owner["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert (annotations["prometheus.io/port"], annotations["prometheus.io/path"]) == (str(port), "/metrics")


@pytest.mark.parametrize(("name", "pod"), server_pods(), ids=["kubernetes", "kserve"])
def test_what_was_accepted_is_answered_before_the_end(name: str, pod: dict[str, Any]) -> None:
    arguments = pod["containers"][0]["args"]
    assert pod["terminationGracePeriodSeconds"] > float(option(arguments, "timeout")) + ServerOptions().drain


@pytest.mark.parametrize(("name", "pod"), all_pods(), ids=["kubernetes", "kserve", "retrain"])
def test_nothing_runs_as_root_or_writes_into_its_image(name: str, pod: dict[str, Any]) -> None:
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 65532
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            **{"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
            "capabilities": {"drop": ["ALL"]},
        }
        assert "limits" in container["resources"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        assert re.fullmatch(r"polyculture(-train)?:\d+\.\d+\.\d+", container["image"])


def test_every_claim_is_made() -> None:
    claims = {d["metadata"]["name"] for d in documents(*KUBERNETES) if d["kind"] == "PersistentVolumeClaim"}
    volumes = [volume for _, pod in all_pods() for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert {volume["persistentVolumeClaim"]["claimName"] for volume in volumes} == claims


def test_no_key_stands_in_a_file() -> None:
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            assert not re.search(r"(?i)(password|secret|api.?key)\s*[:=]\s*[\"']?\w{6,}", path.read_text("utf-8"))


def container_instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of every line, continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", text).splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#")]
    return [(word, value) for word, value in pairs]


def test_the_container_starts_as_another_user_and_is_watched() -> None:
    instructions = container_instructions()
    last_stage = instructions[max(i for i, (word, _) in enumerate(instructions) if word == "FROM") :]
    by_word = dict(last_stage)
    assert by_word["USER"] == "65532:65532"
    assert "/v2/health/ready" in by_word["HEALTHCHECK"]
    assert by_word["ENTRYPOINT"] == '["polyculture"]'
    assert "COPY" in by_word
    assert "." not in by_word["COPY"].split()  # the sources stay in the first stage
    extras = dict(value.split("=", 1) for word, value in instructions if word == "ARG")["EXTRAS"]
    assert "train" not in extras.split(",")
    copied = [words for word, value in instructions if word == "COPY" for words in value.split()[:-1]]
    assert {"src", "constraints.txt", "deploy/requirements.py"} <= {name.removeprefix("./") for name in copied}
    for name in copied:
        assert name.startswith(("--from", "/")) or (ROOT / name).exists()


def test_the_image_of_a_server_leaves_out_what_only_training_and_reading_need() -> None:
    def names(extras: str) -> set[str]:
        line = [sys.executable, str(DEPLOY / "requirements.py"), extras]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        return {re.split(r"[<>=\[ ]", requirement)[0] for requirement in done.stdout.split()}

    assert not names("serve,grpc,postgres") & {
        "torch",
        "scikit-learn",
        "pandas",
        "pyarrow",
        "vl-convert-python",
        "onnx",
    }
    assert {"onnxruntime", "fastapi", "numpy", "scipy", "typer", "grpcio", "psycopg"} <= names("serve,grpc,postgres")
    assert {"torch", "pandas", "onnx"} <= names("train,export")


def test_a_server_imports_nothing_else(tmp_path: Path) -> None:
    """The packages that the process has loaded once it has answered are those of the image, and what they need."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    code = (
        "import sys\n"
        "import polyculture.cli, polyculture.deployment.server.process, polyculture.deployment.server.supervisor\n"
        "import polyculture.deployment.bundle.predictor, polyculture.deployment.store.store\n"
        "import polyculture.deployment.watch.live, polyculture.deployment.remote.member\n"
        "print(' '.join({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "sklearn", "pandas", "pyarrow", "jinja2", "narwhals", "onnx"}


def commands() -> list[tuple[str, list[str]]]:
    """Every command that deploy/ starts, as words."""
    command = dict(container_instructions())["CMD"]
    found = [("Containerfile", yaml.safe_load(command))]
    found += [(name, pod["containers"][0]["args"]) for name, pod in server_pods()]
    script = the("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"][0]
    return [*found, ("retrain", shlex.split(script.partition(";")[0])[1:])]


@pytest.mark.parametrize(("place", "words"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_options_are_those_of_the_program(place: str, words: list[str]) -> None:
    import typer.main

    from polyculture.cli.application import app

    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {option for parameter in verbs[words[0]].params for option in parameter.opts}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= known
