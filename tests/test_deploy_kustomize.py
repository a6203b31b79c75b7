# SPDX-License-Identifier: MIT
"""The Kustomize base and its overlay: whole, taken by Kubernetes, and what the chart makes."""

import subprocess
from pathlib import Path

import pytest
import yaml

import rpsd

DEPLOY = Path(__file__).parents[1] / "deploy"
BASE = DEPLOY / "kustomize" / "base"
OVERLAY = DEPLOY / "kustomize" / "overlays" / "production"
HELM = DEPLOY / "helm" / "rpsd"


def plan(folder):
    return yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))


def objects(*paths):
    return [one for path in paths for one in yaml.safe_load_all(path.read_text("utf-8")) if one]


def by_name(found):
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def base():
    return by_name(objects(*(BASE / name for name in plan(BASE)["resources"])))


def container(deployment):
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("folder", [BASE, OVERLAY], ids=lambda path: path.name)
def test_every_file_is_named_and_every_name_is_a_file(folder):
    content = plan(folder)
    named = {name for name in content["resources"] if not name.startswith("..")}
    named |= {patch["path"] for patch in content.get("patches", ())}
    named |= {name for made in content["configMapGenerator"] for name in made["files"]}
    assert named | {"kustomization.yaml"} == {path.name for path in folder.iterdir()}
    for name in content["resources"]:
        assert (folder / name).exists(), name


def test_patches_and_images_have_something_to_change():
    content, found = plan(OVERLAY), base()
    for patch in content["patches"]:
        for one in objects(OVERLAY / patch["path"]):
            target = found[one["kind"], one["metadata"]["name"]]
            assert one["apiVersion"] == target["apiVersion"]
    deployment = found["Deployment", "rpsd"]
    assert [image["name"] for image in content["images"]] == [container(deployment)["image"].split(":")[0]]
    assert container(deployment)["image"] == f"rpsd:{rpsd.__version__}"
    (patch,) = objects(OVERLAY / "database.yaml")
    variables = {one["name"] for one in container(deployment)["env"]}
    assert {one["name"] for one in container(patch)["env"]} < variables


@pytest.mark.parametrize("folder", [BASE, OVERLAY], ids=lambda path: path.name)
def test_rpsd_takes_the_configuration(folder):
    config = rpsd.load_config(folder / "config.yaml")
    grace = base()["Deployment", "rpsd"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace == config.service.drain_delay + config.service.drain_timeout + 10


def test_what_the_environment_names_is_mounted():
    paths_are_mounted(base()["Deployment", "rpsd"])


def paths_are_mounted(deployment):
    """Each path of the environment is a key of a volume; a file that is asked for must be there."""
    pod, one = deployment["spec"]["template"]["spec"], container(deployment)
    mounts = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(mounts.values()) == set(volumes)
    keys = {
        "config": {"config.yaml"},
        "secret": {"state-key", "pgpassword", "monitoring-key"},
        "tls": {"tls.crt", "tls.key", "ca.crt"},
    }
    paths = [Path(each["value"]) for each in one["env"] if each.get("value", "").startswith("/")]
    # libpq takes no file that fsGroup lets the group read.
    assert "PGPASSFILE" not in {each["name"] for each in one["env"]}
    (password,) = (each["valueFrom"]["secretKeyRef"] for each in one["env"] if each["name"] == "PGPASSWORD")
    secret = volumes[mounts["/run/secrets/rpsd"]]["secret"]["secretName"]
    assert password == {"name": secret, "key": "pgpassword"}
    assert len(paths) >= 2
    for path in paths:
        assert path.name in keys[mounts[str(path.parent)]], path


def rendered_by_helm(values):
    from helm_python import Chart

    found = Chart.load(HELM).render(values=values, name="rpsd", namespace="prices")
    return [one for text in found.values() for one in yaml.safe_load_all(text) if one]


@pytest.mark.slow
@pytest.mark.parametrize(
    "values", [{}, {"tlsSecretName": ""}, {"canary": {"enabled": True, "tag": "0.2.0"}}], ids=str
)
def test_what_the_environment_names_is_mounted_by_the_chart_too(values):
    for one in rendered_by_helm(values):
        if one["kind"] == "Deployment":
            paths_are_mounted(one)


@pytest.mark.slow
def test_the_base_is_what_the_chart_makes():
    values = yaml.safe_load((HELM / "values.yaml").read_text("utf-8"))
    chart = by_name(rendered_by_helm({}))
    operators = {key for key in chart if key[0] in ("ServiceMonitor", "PrometheusRule")}
    config = chart.pop(("ConfigMap", "rpsd"))["data"]["config.yaml"]
    assert yaml.safe_load(config) == values["config"] == objects(BASE / "config.yaml")[0]
    # By the name of the ConfigMap in Kustomize.
    assert chart["Deployment", "rpsd"]["spec"]["template"]["metadata"].pop("annotations").keys() == {
        "rpsd.config"
    }
    found = base()
    assert found.keys() == chart.keys() - operators
    for key, one in found.items():
        assert one == chart[key], key


def kubectl(folder, tmp_path):
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # nothing deprecated
    (tmp_path / "all.yaml").write_text(done.stdout)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def validate(path, version):
    command = ["kubernetes-validate", "--strict", "-k", version, path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("folder", [BASE, OVERLAY], ids=lambda path: path.name)
def test_kubernetes_takes_what_kustomize_makes(folder, tmp_path):
    found = kubectl(folder, tmp_path)
    for version in ("1.30", "1.37"):
        done = validate(tmp_path / "all.yaml", version)
        assert done.returncode == 0, done.stdout + done.stderr
    found[0]["automountServiceAccountToken"] = "no"
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(found))
    assert validate(tmp_path / "all.yaml", "1.37").returncode != 0


@pytest.mark.slow
def test_the_overlay_changes_what_it_says_and_nothing_else(tmp_path):
    was, now = by_name(kubectl(BASE, tmp_path)), by_name(kubectl(OVERLAY, tmp_path))
    assert {one["metadata"]["namespace"] for one in now.values()} == {"prices"}
    before, after = was["Deployment", "rpsd"], now["Deployment", "rpsd"]
    assert container(after)["image"] == f"registry.example/rpsd@sha256:{64 * '0'}"
    url = {each["name"]: each.get("value") for each in container(after)["env"]}.pop("RPSD_STATE_URL")
    assert url == "postgresql://rpsd@postgres.prices.svc/rpsd"
    names = [
        each["configMap"]["name"]
        for one in (before, after)
        for each in one["spec"]["template"]["spec"]["volumes"]
        if "configMap" in each
    ]
    assert ("ConfigMap", names[0]) in was
    assert ("ConfigMap", names[1]) in now
    assert names[0] != names[1]  # a change of the configuration replaces the pods
    for one in (before, after):
        container(one).pop("image")
        container(one)["env"] = sorted(each["name"] for each in container(one)["env"])
        for each in one["spec"]["template"]["spec"]["volumes"]:
            each.get("configMap", {}).pop("name", None)
        one["metadata"].pop("namespace", None)
    assert before == after
    scale = now["HorizontalPodAutoscaler", "rpsd"]["spec"]
    assert (scale["minReplicas"], scale["maxReplicas"]) == (3, 20)
