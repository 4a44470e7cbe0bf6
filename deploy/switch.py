"""The endpoint: whether it is ours, what it runs, and how it gets to a new configuration. Called by plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from deploy import owned, previous, removals
from deploy.aws import Aws
from deploy.call import Call
from deploy.change import Change
from deploy.compare import Field
from deploy.config import Config
from deploy.errors import DeployError
from deploy.previous import State
from deploy.rules.parts import of, variants, variants_in
from deploy.sections import JOBS

WITHOUT_ENDPOINT = ("batch", *JOBS)
BROKEN = ("OutOfService", "UpdateRollbackFailed")
"""It is there and does not run what it should; an update may help, but none to what it has."""


class Switch:
    """From the configuration that an endpoint has to the one that is wanted."""

    def __init__(self, aws: Aws, config: Config, calls: list[Call]) -> None:
        self.aws, self.config, self.calls = aws, config, calls
        self.wanted = next(of(calls, "CreateEndpointConfig"), None)

    @cached_property
    def there(self) -> Mapping[str, Any] | None:
        """The endpoint. Raises DeployError where it is not ours."""
        if self._found:
            owned.refuse_foreign(self.tags, self.config.name)
        return self._found

    @cached_property
    def tags(self) -> Mapping[str, str]:
        return self.aws.tags(self._found["EndpointArn"]) if self._found else {}

    @cached_property
    def _found(self) -> Mapping[str, Any] | None:
        if self.config.mode in WITHOUT_ENDPOINT:
            return None
        found = owned.endpoint(self.aws, self.config.name)
        return found if found and found["EndpointStatus"] != "Deleting" else None

    @cached_property
    def running(self) -> Mapping[str, Any]:
        """The configuration that the endpoint has, or that it is being given."""
        if not self.there or self.there["EndpointStatus"] == "Failed":
            return {}
        found = self.aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=self.heads_for)
        return found or {}

    @property
    def heads_for(self) -> str:
        """A configuration's name: the pending one while the endpoint is on its way to it."""
        there = self.there or {}
        pending: str = there.get("PendingDeploymentSummary", {}).get("EndpointConfigName", "")
        moving = there.get("EndpointStatus") in ("Creating", "Updating", "SystemUpdating")
        return pending if pending and moving else str(there.get("EndpointConfigName", ""))

    @property
    def switches(self) -> bool:
        """Whether a new configuration is to take over."""
        if not self.there or not self.wanted or self.there["EndpointStatus"] == "Failed":
            return False
        return self.heads_for != self.wanted.name

    @cached_property
    def state(self) -> State:
        """The version that runs."""
        configuration = str((self.there or {})["EndpointConfigName"])
        return previous.running(self.aws, configuration, self.components, self.tags)

    @cached_property
    def components(self) -> list[str]:
        """Names of ours that are on the endpoint."""
        return sorted(each.name for each in owned.components(self.aws, self.config.name)) if self.there else []

    @property
    def holds_models(self) -> bool:
        """Whether what runs can predict: models of its own, or of components."""
        return bool(self.state.components) or any("ModelName" in each for each in self._running_variants())

    def predecessor(self, call: Call) -> Call | None:
        """The running model of the same variant, or the running configuration."""
        if not self.switches or not self.running:
            return None
        if call.kind == "endpoint-config":
            name = self.running["EndpointConfigName"]
            return Call(call.service, call.operation, {"EndpointConfigName": name}, f"{call.kind}/{name}")
        labels = [each["VariantName"] for each in self._variants(self.wanted) if each.get("ModelName") == call.name]
        for each in self._running_variants():
            if call.kind == "model" and each["VariantName"] in labels and "ModelName" in each:
                return Call(
                    call.service, call.operation, {"ModelName": each["ModelName"]}, f"model/{each['ModelName']}"
                )
        return None

    @cached_property
    def before(self) -> tuple[Change, ...]:
        """Scaling of variants that go, or that change their instance type, would make AWS refuse the update.

        https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
        """
        if not self.switches:
            return ()
        keep = {(each["VariantName"], each.get("InstanceType")) for each in self._variants(self.wanted)}
        going = [
            each for each in self._running_variants() if (each["VariantName"], each.get("InstanceType")) not in keep
        ]
        resources = {f"endpoint/{self.config.name}/variant/{each['VariantName']}" for each in going}
        there = owned.targets(self.aws, self.config.name, []) if going else []
        return tuple(Change("delete", removals.target(each)) for each in there if each["ResourceId"] in resources)

    def is_unhooked(self, call: Call) -> bool:
        """Whether its target goes before the switch, and so it has to be made anew."""
        resource = call.parameters.get("ResourceId")
        return resource is not None and any(each.call.parameters["ResourceId"] == resource for each in self.before)

    def changes(self, call: Call) -> Iterator[Change]:
        if self.there is None:
            yield Change("create", call)
        elif self.there["EndpointStatus"] == "Failed":
            yield Change("delete", removals.of("endpoint", call.name))
            yield Change("create", call)
        elif self.switches:
            self._refuse_other_world()
            yield self._update(call)
        elif self.there["EndpointStatus"] in BROKEN:
            text = f"The endpoint {call.name} is {self.there['EndpointStatus']} with the wanted configuration."
            step = "AWS updates to nothing that it has: any change makes another, `up --set environment.AGAIN=1`."
            raise DeployError(text, step)
        else:
            yield self._capacities(call) or Change("nothing", call, there=self.there)

    def _refuse_other_world(self) -> None:
        """AWS converts no endpoint between instances and serverless."""
        was = any("ServerlessConfig" in each for each in self._running_variants())
        will = any("ServerlessConfig" in each for each in self._variants(self.wanted))
        if self._running_variants() and was != will:
            kind = "serverless" if was else "on instances"
            raise DeployError(
                f"The endpoint {self.config.name} is {kind}, and AWS converts none.",
                "Deploy under another name (--name), or run `python -m deploy down` first.",
            )

    def _update(self, call: Call) -> Change:
        """Counts that scaling has come to are kept."""
        told = {name: value for name, value in call.parameters.items() if name != "Tags"}
        if self.config.scaling:
            excluded = [{"VariantPropertyType": each} for each in ("DesiredWeight", "DataCaptureConfig")]
            told |= {"RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": excluded}
        now = Field("EndpointConfigName", (self.there or {})["EndpointConfigName"], told["EndpointConfigName"])
        return Change("update", Call("sagemaker", "UpdateEndpoint", told, call.key), (now,), there=self.there or {})

    def _capacities(self, call: Call) -> Change | None:
        """Weights and counts that somebody changed by hand, back to what the file says."""
        if not self.there or self.there["EndpointStatus"] != "InService":
            return None
        wanted = {each["VariantName"]: each for each in self._variants(self.wanted)}
        fields: list[Field] = []
        changed = []
        for now in self.there.get("ProductionVariants", ()):
            told = {}
            for name, first in (
                ("DesiredWeight", "InitialVariantWeight"),
                ("DesiredInstanceCount", "InitialInstanceCount"),
            ):
                value = wanted.get(now["VariantName"], {}).get(first)
                if value is None or now.get(name) in (None, value) or self._scales(name):
                    continue
                told[name] = value
                fields.append(Field(f"{now['VariantName']}.{name}", now[name], value))
            changed += [{"VariantName": now["VariantName"], **told}] if told else []
        if not fields:
            return None
        parameters = {"EndpointName": call.name, "DesiredWeightsAndCapacities": changed}
        update = Call("sagemaker", "UpdateEndpointWeightsAndCapacities", parameters, call.key)
        return Change("update", update, tuple(fields), there=self.there)

    def _scales(self, name: str) -> bool:
        return name == "DesiredInstanceCount" and bool(self.config.scaling or self.config.components)

    def _running_variants(self) -> list[Mapping[str, Any]]:
        return variants_in(self.running)

    @staticmethod
    def _variants(call: Call | None) -> list[Mapping[str, Any]]:
        return variants(call) if call else []
