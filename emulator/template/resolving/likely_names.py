"""Names, addresses and ARNs that resources would likely have on AWS, of types that the emulator doesn't imitate. Pure.

Source: "Return values" of each type in CloudFormation's template reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SCOPE = "{region}:{account}"
# What follows ``arn:aws:``; other types have their service and their kind in it, in small letters.
_ARNS = {
    "AWS::SQS::Queue": "sqs:{scope}:{name}",
    "AWS::SNS::Topic": "sns:{scope}:{name}",
    "AWS::DynamoDB::GlobalTable": "dynamodb:{scope}:table/{name}",
    "AWS::StepFunctions::StateMachine": "states:{scope}:stateMachine:{name}",
    "AWS::StepFunctions::Activity": "states:{scope}:activity:{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{scope}:secret:{name}",
    "AWS::Events::EventBus": "events:{scope}:event-bus/{name}",
    "AWS::Cognito::UserPool": "cognito-idp:{scope}:userpool/{name}",
    "AWS::CloudWatch::Alarm": "cloudwatch:{scope}:alarm:{name}",
    "AWS::RDS::DBInstance": "rds:{scope}:db:{name}",
    "AWS::RDS::DBCluster": "rds:{scope}:cluster:{name}",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "elasticloadbalancing:{scope}:loadbalancer/app/{name}/0",
    "AWS::IAM::User": "iam::{account}:user/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
}
# Types whose ``Ref`` is the ARN.
_NAMED_BY_ARN = frozenset({
    "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::StepFunctions::Activity", "AWS::IAM::ManagedPolicy",
    "AWS::SecretsManager::Secret", "AWS::ElasticLoadBalancingV2::LoadBalancer",
})  # fmt: skip
# Their attributes are whatever the stack or the provider returns.
_WITH_OWN_ATTRIBUTES = ("Custom::", "AWS::CloudFormation::")
_QUEUE = "AWS::SQS::Queue"


def name_property(kind: str) -> tuple[str, ...]:
    """Return the properties that may name a resource of a type, ``QueueName`` of a queue."""
    return f"{kind.rpartition('::')[2]}Name", "Name"


def likely_ref(kind: str, name: str, scope: Mapping[str, Any]) -> str:
    """Return what ``Ref`` of a resource would likely be; ``scope`` has ``region`` and ``account``."""
    if kind == _QUEUE:
        return likely_attribute(kind, name, "QueueUrl", scope) or name
    return _arn(kind, name, scope) if kind in _NAMED_BY_ARN else name


def likely_attribute(kind: str, name: str, attribute: str, scope: Mapping[str, Any]) -> str | None:
    """Return what ``Fn::GetAtt`` of a resource would likely be: its ARN or its name; None for any other attribute."""
    if kind == _QUEUE and attribute == "QueueUrl":
        return f"https://sqs.{scope['region']}.amazonaws.com/{scope['account']}/{name}"
    if kind.startswith(_WITH_OWN_ATTRIBUTES):
        return None
    if attribute.endswith("Arn"):
        return _arn(kind, name, scope)
    is_name = attribute in (*name_property(kind), f"{kind.rpartition('::')[2]}Id", "Id")
    return name if is_name else None


def _arn(kind: str, name: str, scope: Mapping[str, Any]) -> str:
    _, service, resource = kind.lower().split("::", 2) if kind.count("::") > 1 else ("", "custom", "resource")
    form = _ARNS.get(kind, f"{service}:{{scope}}:{resource}/{{name}}")
    return "arn:aws:" + form.format(name=name, scope=_SCOPE.format(**scope), **scope)
