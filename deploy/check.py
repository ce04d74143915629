"""Checks the Helm chart, the manifests and the compose file. Run by scripts/check-deploy.

With --write, writes deploy/kubernetes/fastjob.yaml from the chart instead of comparing it.
"""

import re
import sys
from pathlib import Path

import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError
from kubernetes_validate import validate

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy/helm/fastjob"
PLAIN = ROOT / "deploy/kubernetes/fastjob.yaml"

# Of Kubernetes: the oldest that the chart accepts, and newer ones.
VERSIONS = ["1.25.0", "1.29.0", "1.33.0", "1.37.0"]
PORT = 7070

TLS = {"tls": {"secretName": "fastjob-tls"}}
PLAINTEXT = {"tls": {"insecurePlaintext": True}}

# Values that work. The first ones are those of the plain manifests.
ACCEPTED = {
    "plain manifests": TLS,
    "plain text": PLAINTEXT,
    "sqlite": {**TLS, "replicas": 1, "store": {"kind": "sqlite"}},
    "everything": {
        "tls": {"secretName": "fastjob-tls", "caKey": "ca.crt"},
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "store": {"caSecret": "database-ca"},
        "settings": {"FASTJOB_HISTORY": "90d", "FASTJOB_MAX_JOBS": 2_000_000.0},
        "env": [{"name": "FASTJOB_METRICS_JOBS", "value": "10"}],
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podAnnotations": {"example.org/a": "b"},
        "podLabels": {"team": "jobs"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "jobs", "operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
        "service": {"annotations": {"a": "b"}},
    },
    "nothing optional": {
        **PLAINTEXT,
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    },
}

# Values that cannot work, and what the error has to say.
REFUSED = {
    "plain text by accident": ({}, "set tls.secretName"),
    "two nodes on sqlite": ({**TLS, "store": {"kind": "sqlite"}}, "set replicas to 1"),
    "an unknown store": ({**TLS, "store": {"kind": "mysql"}}, "postgres or sqlite"),
    "both": ({"tls": {"secretName": "a", "insecurePlaintext": True}}, "keep one of them"),
}

problems = []


def problem(text):
    problems.append(text)


def expect(is_right, text):
    if not is_right:
        problem(text)


def render(chart, values, name="fastjob", namespace="jobs"):
    """The objects of the chart, in the order of their files."""
    rendered = chart.render(values=values, name=name, namespace=namespace)
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    return [item for text in texts for item in yaml.safe_load_all(text) if item]


def of_kind(objects, kind):
    return [item for item in objects if item["kind"] == kind]


def check_restricted(where, pod):
    """The rules of the Pod Security Standard `restricted`, and a read-only root."""
    security = pod["securityContext"]
    expect(security["runAsNonRoot"] is True, f"{where}: it may run as root")
    expect(security["seccompProfile"]["type"] == "RuntimeDefault", f"{where}: no seccomp profile")
    allowed = {"secret", "configMap", "emptyDir", "persistentVolumeClaim"}
    for volume in pod.get("volumes", []):
        expect(set(volume) - {"name"} <= allowed, f"{where}: the volume {volume['name']}")
        if "secret" in volume:
            # The coordinator rejects secrets that others can read.
            mode = volume["secret"]["defaultMode"]
            expect(mode == 0o440, f"{where}: {volume['name']} has mode {mode:o}")
    for container in pod["containers"]:
        security = container["securityContext"]
        expect(security["allowPrivilegeEscalation"] is False, f"{where}: it may gain privileges")
        expect(security["readOnlyRootFilesystem"] is True, f"{where}: its root is writable")
        expect(security["capabilities"] == {"drop": ["ALL"]}, f"{where}: it has capabilities")


def check_objects(where, objects):
    for version in VERSIONS:
        for item in objects:
            if item["kind"] == "ServiceMonitor":
                continue  # not a part of Kubernetes
            try:
                validate(item, version, strict=True)
            except Exception as err:  # what it raises is of several libraries
                problem(f"{where}: {item['kind']} in Kubernetes {version}: {err}")
    (statefulset,) = of_kind(objects, "StatefulSet")
    spec = statefulset["spec"]
    pod = spec["template"]["spec"]
    check_restricted(where, pod)
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    expect(ports == {"fastjob": PORT}, f"{where}: the ports are {ports}")
    env = {item["name"]: item.get("value", "") for item in container["env"]}
    expect(len(env) == len(container["env"]), f"{where}: a variable is set twice")
    for name, value in env.items():
        expect(not re.fullmatch(r"[0-9.]+e[+0-9]+", value), f"{where}: {name} is {value}")
    expect(env["FASTJOB_LISTEN"].endswith(f":{PORT}"), f"{where}: {env['FASTJOB_LISTEN']}")
    # Each node is reached by a name of its own, which the headless service gives.
    headless = spec["serviceName"]
    advertised = f"$(POD_NAME).{headless}.$(POD_NAMESPACE).svc:{PORT}"
    expect(env["FASTJOB_ADVERTISE"].endswith(advertised), f"{where}: {env['FASTJOB_ADVERTISE']}")
    services = {item["metadata"]["name"]: item["spec"] for item in of_kind(objects, "Service")}
    expect(services[headless]["clusterIP"] == "None", f"{where}: {headless} is not headless")
    # Each mounted file is read, and each file that is read is mounted.
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    for name, value in env.items():
        path = value.removeprefix("sqlite:")
        if path.startswith("/"):
            is_mounted = any(path.startswith(mount + "/") for mount in mounts)
            expect(is_mounted, f"{where}: {name} is {value}, which is not mounted")
    is_tls = "FASTJOB_TLS_KEY" in env
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        scheme = container[probe]["httpGet"]["scheme"]
        expect(scheme == ("HTTPS" if is_tls else "HTTP"), f"{where}: {probe} uses {scheme}")
    labels = spec["template"]["metadata"]["labels"]
    selectors = [service["selector"] for service in services.values()]
    selectors.append(spec["selector"]["matchLabels"])
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        selectors += [item["spec"][key]["matchLabels"] for item in of_kind(objects, kind)]
    for selector in selectors:
        expect(selector.items() <= labels.items(), f"{where}: {selector} selects no pod")


def plain(chart):
    """The manifests for `kubectl apply`: what the chart gives, without the labels of Helm."""
    objects = render(chart, ACCEPTED["plain manifests"])
    for item in objects:
        labels = item["metadata"]["labels"]
        del labels["app.kubernetes.io/managed-by"], labels["helm.sh/chart"]
    head = (
        "# Three coordinators on a PostgreSQL, with TLS. Written from the chart in deploy/helm by\n"
        "# `scripts/check-deploy --write`: change that. docs/install.md says which Secrets it needs.\n"
    )
    return head + yaml.safe_dump_all(objects, sort_keys=False, width=100)


def check_chart(write):
    with Chart.load(CHART) as chart:
        for where, values in ACCEPTED.items():
            report = lint(CHART, values, strict=True)
            # Severity 1 is a recommendation.
            found = [it for it in report["messages"] if it["severity"] > 1]
            expect(not found and not report["errors"], f"{where}: {found} {report['errors']}")
            check_objects(where, render(chart, values))
            check_objects(f"{where}, other names", render(chart, values, "prod", "other"))
        for where, (values, reason) in REFUSED.items():
            try:
                render(chart, values)
                problem(f"{where}: it is accepted")
            except HelmError as err:
                expect(reason in str(err), f"{where}: {err}")
        if write:
            PLAIN.write_text(plain(chart))
        expect(PLAIN.read_text() == plain(chart), f"{PLAIN}: run scripts/check-deploy --write")
        version = re.search(r'(?m)^version = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]
        for key in ("version", "appVersion"):
            expect(chart.metadata[key] == version, f"Chart.yaml: {key} is not {version}")


def check_compose():
    compose = yaml.safe_load((ROOT / "deploy/docker/docker-compose.yml").read_text())
    services = compose["services"]
    nodes = {name: it for name, it in services.items() if name.startswith("coordinator-")}
    expect(len(nodes) == 3, f"compose: the coordinators are {list(nodes)}")
    taken = set()
    for name, node in nodes.items():
        advertised = node["environment"]["FASTJOB_ADVERTISE"]
        expect(advertised == f"http://{name}:{PORT}", f"compose: {name} advertises {advertised}")
        expect(node["read_only"] is True, f"compose: the root of {name} is writable")
        for port in node["ports"]:
            host, outer, inner = port.split(":")
            expect(host == "127.0.0.1", f"compose: {name} is open to other machines")
            expect(int(inner) == PORT and outer not in taken, f"compose: {name} has port {port}")
            taken.add(outer)
        for other in node["depends_on"]:
            expect("healthcheck" in services[other], f"compose: {other} has no health check")
    for service in services.values():
        for volume in service.get("volumes", []):
            expect(volume.split(":")[0] in compose["volumes"], f"compose: the volume {volume}")
    given = set(re.findall(r"\$\{(\w+)", (ROOT / "deploy/docker/docker-compose.yml").read_text()))
    example = (ROOT / "deploy/docker/env.example").read_text()
    expect(given == set(re.findall(r"(?m)^(\w+)=", example)), f"env.example: it needs {given}")


if __name__ == "__main__":
    check_chart(write="--write" in sys.argv[1:])
    check_compose()
    for text in problems:
        print(f"deploy/check.py: {text}", file=sys.stderr)
    print(f"{len(ACCEPTED) * 2 + len(REFUSED)} renderings checked, {len(problems)} problems")
    sys.exit(1 if problems else 0)
