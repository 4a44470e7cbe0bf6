"""A real-time endpoint with autoscaling as a CDK stack. A worked example: docs/deploy-elsewhere.md.

cdk deploy -c name=churn -c image=...@sha256:... -c artifact=s3://.../model.tar.gz -c role=arn:...
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

VARIANT = "main"


class Serving(cdk.Stack):
    """Models and configurations get their names from CloudFormation, which can then replace them."""

    def __init__(
        self, scope: Construct, name: str, *, image: str, artifact: str, role: str,
        instance_type: str = "ml.m5.large", most: int = 4, target: float = 700, **more: Any,
    ) -> None:  # fmt: skip
        """most: instances; target: invocations of each a minute."""
        # Nothing here is uploaded by CDK, so no account has to be bootstrapped for it.
        super().__init__(scope, f"{name}-serving", synthesizer=cdk.BootstraplessSynthesizer(), **more)
        container = sagemaker.CfnModel.ContainerDefinitionProperty(image=image, model_data_url=artifact)
        model = sagemaker.CfnModel(self, "Model", execution_role_arn=role, primary_container=container)
        variant = sagemaker.CfnEndpointConfig.ProductionVariantProperty(
            variant_name=VARIANT,
            model_name=model.attr_model_name,
            instance_type=instance_type,
            initial_instance_count=1,
            initial_variant_weight=1,
        )
        config = sagemaker.CfnEndpointConfig(self, "Configuration", production_variants=[variant])
        endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=name,
            endpoint_config_name=config.attr_endpoint_config_name,
            retain_all_variant_properties=True,  # the count that scaling has come to
        )
        self._scale(endpoint, most, target)
        cdk.Tags.of(self).add("app", name)
        cdk.CfnOutput(self, "EndpointName", value=endpoint.attr_endpoint_name)

    def _scale(self, endpoint: sagemaker.CfnEndpoint, most: int, target: float) -> None:
        """The plain resources: CDK's ScalableTarget would make a role that SageMaker's scaling never takes."""
        name = str(endpoint.endpoint_name)
        count = autoscaling.CfnScalableTarget(
            self,
            "Count",
            service_namespace="sagemaker",
            resource_id=f"endpoint/{name}/variant/{VARIANT}",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            min_capacity=1,
            max_capacity=most,
        )
        count.node.add_dependency(endpoint)
        metric = autoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
            predefined_metric_type="SageMakerVariantInvocationsPerInstance"
        )
        policy = autoscaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=target, predefined_metric_specification=metric
        )
        autoscaling.CfnScalingPolicy(
            self,
            "Invocations",
            policy_name=f"{name}-{VARIANT}-invocations",
            policy_type="TargetTrackingScaling",
            scaling_target_id=count.ref,
            target_tracking_scaling_policy_configuration=policy,
        )


app = cdk.App()
asked = {word: app.node.get_context(word) for word in ("image", "artifact", "role")}
Serving(app, app.node.get_context("name"), **asked)
app.synth()
