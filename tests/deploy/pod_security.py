"""Kubernetes' Pod Security Standard `restricted`, field by field."""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
PROFILES = {"RuntimeDefault", "Localhost"}


def violations(pod):
    """What of this pod the standard refuses, as names of fields."""
    security = pod.get("securityContext", {})
    found = [field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    if security.get("runAsUser") == 0:
        found.append("securityContext.runAsUser")
    if security.get("sysctls"):
        found.append("securityContext.sysctls")
    for volume in pod.get("volumes", []):
        (kind,) = set(volume) - {"name"}
        if kind not in VOLUMES:
            found.append(f"volumes.{kind}")
    for part in ("initContainers", "containers"):
        for container in pod.get(part, []):
            found += of_container(container, security)
    return found


def of_container(container, pod_security):
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    profile = own.get("seccompProfile", pod_security.get("seccompProfile", {}))
    wrong = {
        "privileged": own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
        "runAsNonRoot": own.get("runAsNonRoot", pod_security.get("runAsNonRoot")) is not True,
        "runAsUser": own.get("runAsUser") == 0,
        "seccompProfile": profile.get("type") not in PROFILES,
        "capabilities.drop": "ALL" not in capabilities.get("drop", []),
        "capabilities.add": set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
        "procMount": own.get("procMount", "Default") != "Default",
        "seLinuxOptions": own.get("seLinuxOptions"),
        "hostPort": [port for port in container.get("ports", []) if port.get("hostPort")],
    }
    return [field for field, is_wrong in wrong.items() if is_wrong]
