"""Values that cannot be meant are refused, with words that say which and what to do."""

import pytest

from chart import CHART, INSTALLATIONS, template

KEY = '[{"name":"a","role":"predict","sha256":"%s"}]'

# For each template a value that it must not be rendered with, and what helm says.
WRONG = {
    "checks.yaml": ("staging", "image.tag=latest", "image.tag is latest"),
    "configmap.yaml": ("staging", f"serve.keys={KEY % 'hk_secret'}", "/serve/keys/0/sha256"),
    "deployment.yaml": ("staging", "image.user=0", "/image/user': minimum: got 0, want 1"),
    "horizontalpodautoscaler.yaml": ("staging", "autoscaling.cpuPercent=170", "/autoscaling/cpuPercent"),
    "ingress.yaml": ("staging", "ingress.host=https://a.example", "/ingress/host"),
    "networkpolicy.yaml": ("staging", 'networkPolicy.ingressFrom=[{"namespace":"a"}]', "'namespace' not allowed"),
    "persistentvolumeclaim.yaml": ("single", "storage.size=20 GB", "/storage/size"),
    "poddisruptionbudget.yaml": ("staging", "disruption.maxUnavailable=0", "/disruption/maxUnavailable"),
    "retraining-configmap.yaml": (
        "production", "retraining.study.repository=https://me:token@git.example.org/a", "/retraining/study/repository",
    ),
    "retraining-cronjob.yaml": ("production", "retraining.schedule=daily", "/retraining/schedule"),
    "retraining-job.yaml": ("production", "retraining.now=soon", "/retraining/now"),
    "scaledobject.yaml": ("production", "autoscaling.prometheus=prometheus:9090", "/autoscaling/prometheus"),
    "service.yaml": ("staging", "service.port=0", "/service/port"),
    "serviceaccount.yaml": ("staging", 'serviceAccount.annotations={"a":1}', "/serviceAccount/annotations/a"),
    "servicemonitor.yaml": ("staging", "serviceMonitor.interval=often", "/serviceMonitor/interval"),
}  # fmt: skip

# Values that contradict each other, and what helm says: what is wrong, and the way out.
CONTRADICTIONS = [
    ("single", "replicas=2", "database.kind is sqlite with up to 2 servers"),
    ("single", "autoscaling.by=cpu", "database.kind is sqlite with up to 8 servers"),
    ("single", "storage.kind=scratch", "set storage.kind to claim"),
    ("single", "model.claim=", "name the PersistentVolumeClaim"),
    ("staging", "image.repository=", "name the image of target serve"),
    ("staging", "classes=[]", "list the classes of the study"),
    ("staging", "serve.keys=[]", "hounsfield serve key --name ward-3 --role predict"),
    ("staging", f"serve.keys={KEY % ('hk_' + 'g' * 61)}", "is not the digest that `hounsfield serve key` prints"),
    ("staging", "database.secret.name=", "name the secret that holds the database's address"),
    ("staging", "storage.kind=claim", "a volume goes to one pod"),
    ("staging", "serve.store_images=all", "set serve.image_store to s3://… or gs://…"),
    ("staging", "model.mlflow=", "name the MLflow server"),
    ("staging", "gpu.count=1", "set serve.device to cuda:0"),
    ("staging", "serve.device=cuda:0", "set gpu.count to 1"),
    ("staging", "serve.training=job", "give it a command or a webhook"),
    ("staging", "ingress.tlsSecret=", "keys would travel in the open"),
    ("staging", "networkPolicy.ingressFrom=[]", "name the peers of the ingress controller"),
    ("staging", "networkPolicy.metricsFrom=[]", "name the peers of Prometheus"),
    ("staging", "autoscaling.min=9", "autoscaling.min 9 is above autoscaling.max 8"),
    ("staging", 'env=[{"name":"PGPASSWORD","value":"a"}]', "name that in secretEnv"),
    ("production", "autoscaling.prometheus=", "name the address that KEDA asks"),
    ("production", "retraining.image.repository=", "name the image of target pipeline"),
    ("production", "retraining.image.tag=latest", "retraining.image.tag is latest"),
    ("production", "retraining.study.repository=", "name the git repository of the study"),
    ("production", "model.from=image", "retraining.enabled needs model.from: registry"),
]


def refused(file, setting):
    done = template([file], [setting])
    assert done.returncode != 0, f"{setting} was taken"
    return done.stderr


def test_every_template_has_a_wrong_value():
    assert sorted(WRONG) == sorted(path.name for path in (CHART / "templates").glob("*.yaml"))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_refused_by_its_key(name):
    file, setting, words = WRONG[name]
    shown = refused(file, setting)
    assert words in shown
    assert "hk_secret" not in shown, "a key that stands there by mistake is not repeated"


def test_every_template_is_rendered_without_its_wrong_value():
    shown = "".join(template(*values).stdout for values in INSTALLATIONS.values())
    assert {name for name in WRONG if f"templates/{name}\n" not in shown} == {"checks.yaml"}


@pytest.mark.parametrize(("file", "setting", "words"), CONTRADICTIONS)
def test_values_that_contradict_each_other_are_refused_with_the_way_out(file, setting, words):
    shown = refused(file, setting)
    assert words in shown
    assert "hk_" not in shown, "a key that stands there by mistake is not repeated"


@pytest.mark.parametrize("key", ["replica=3", "serve.batch_image=3", "image.tags=1", "retraining.image.name=a"])
def test_a_misspelt_key_is_refused(key):
    assert "additional properties" in refused("production", key)
