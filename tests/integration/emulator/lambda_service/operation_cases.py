"""A request for each operation of Lambda's API that the emulator imitates, and what must be there before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.integration.emulator.lambda_client import saying

Step = tuple[str, dict[str, Any]]
NOBODY = {"FunctionName": "nobody"}
BAD_MARKER = {"Marker": "x"}
ROLE = "arn:aws:iam::123456789012:role/any"
CREATE: Step = (
    "CreateFunction",
    {"Role": ROLE, "Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": saying("made")}},
)
VERSION: Step = ("PublishVersion", {})
ALIAS: Step = ("CreateAlias", {"Name": "live", "FunctionVersion": "1"})
RETRIES: Step = ("PutFunctionEventInvokeConfig", {"MaximumRetryAttempts": 1})
RESERVED: Step = ("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 1})
PROVISIONED: Step = ("PutProvisionedConcurrencyConfig", {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1})
TAGS: Step = ("TagResource", {"Tags": {"a": "b", "c": "d"}})
PERMISSION: Step = (
    "AddPermission",
    {
        "StatementId": "s",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::b",
    },
)
LAYER_ARN = "arn:aws:lambda:us-east-1:123456789012:layer:Shared"
LAYER = {"LayerName": "Shared", "VersionNumber": 1}
SIGNING = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"


@dataclass(frozen=True)
class Case:
    """An operation on a function of its own, which is named like the operation; its name is added to the parameters."""

    parameters: dict[str, Any] = field(default_factory=dict)
    before: tuple[Step, ...] = (CREATE,)
    # Parameters that are refused; None where nothing is.
    refused: dict[str, Any] | None = field(default_factory=lambda: dict(NOBODY))
    # The error that every request gets, for what no function here has.
    always: str | None = None


CASES = {
    "AddPermission": Case(PERMISSION[1]),
    "CreateAlias": Case(
        {"Name": "a", "FunctionVersion": "1", "Description": "d",
         "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}},
        (CREATE, VERSION, ("UpdateFunctionConfiguration", {"Timeout": 9}), VERSION),
    ),
    "CreateFunction": Case(
        {**CREATE[1], "Description": "d", "Timeout": 5, "MemorySize": 256, "Tags": {"a": "b"}, "Publish": True,
         "Environment": {"Variables": {"AB": "c"}}, "Layers": [f"{LAYER_ARN}:1"], "Architectures": ["arm64"],
         "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
         "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k", "PackageType": "Zip",
         "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"},
         "TracingConfig": {"Mode": "Active"}, "EphemeralStorage": {"Size": 1024},
         "LoggingConfig": {"LogFormat": "JSON"}, "SnapStart": {"ApplyOn": "PublishedVersions"}},
        (),
        {"FunctionName": "Plain"},
    ),
    "DeleteAlias": Case({"Name": "live"}, (CREATE, VERSION, ALIAS)),
    "DeleteFunction": Case(),
    "DeleteFunctionConcurrency": Case(before=(CREATE, RESERVED)),
    "DeleteFunctionEventInvokeConfig": Case(before=(CREATE, RETRIES)),
    "DeleteProvisionedConcurrencyConfig": Case({"Qualifier": "1"}, (CREATE, VERSION, PROVISIONED)),
    "GetAccountSettings": Case(refused=None),
    "GetAlias": Case({"Name": "live"}, (CREATE, VERSION, ALIAS)),
    "GetCodeSigningConfig": Case({"CodeSigningConfigArn": SIGNING}, always="ResourceNotFoundException"),
    "GetEventSourceMapping": Case({"UUID": "01234567-89ab-cdef-0123-456789abcdef"}, always="ResourceNotFoundException"),
    "GetFunction": Case({"Qualifier": "1"}, (CREATE, VERSION, TAGS, RESERVED)),
    "GetFunctionCodeSigningConfig": Case(),
    "GetFunctionConcurrency": Case(before=(CREATE, RESERVED)),
    "GetFunctionConfiguration": Case(),
    "GetFunctionEventInvokeConfig": Case(before=(CREATE, RETRIES)),
    "GetFunctionRecursionConfig": Case(),
    "GetFunctionScalingConfig": Case({"Qualifier": "1"}, (CREATE, VERSION)),
    "GetFunctionUrlConfig": Case(always="ResourceNotFoundException"),
    "GetLayerVersion": Case(LAYER, refused={**LAYER, "VersionNumber": 9}),
    "GetLayerVersionByArn": Case({"Arn": f"{LAYER_ARN}:1"}, refused={"Arn": f"{LAYER_ARN}:9"}),
    "GetLayerVersionPolicy": Case(LAYER, always="ResourceNotFoundException"),
    "GetPolicy": Case(before=(CREATE, PERMISSION)),
    "GetProvisionedConcurrencyConfig": Case({"Qualifier": "1"}, (CREATE, VERSION, PROVISIONED)),
    "GetRuntimeManagementConfig": Case(),
    "Invoke": Case({"Payload": b"{}", "LogType": "Tail"}),
    "ListAliases": Case(before=(CREATE, VERSION, ALIAS)),
    "ListCapacityProviders": Case(refused=None),
    "ListCodeSigningConfigs": Case(refused=None),
    "ListDurableExecutionsByFunction": Case(),
    "ListEventSourceMappings": Case(refused=None),
    "ListFunctionEventInvokeConfigs": Case(before=(CREATE, RETRIES)),
    "ListFunctionUrlConfigs": Case(),
    "ListFunctions": Case({"FunctionVersion": "ALL"}, refused=BAD_MARKER),
    "ListLayerVersions": Case({"LayerName": "Shared"}, refused={"LayerName": "Shared", **BAD_MARKER}),
    "ListLayers": Case({"CompatibleRuntime": "python3.13"}, refused=BAD_MARKER),
    "ListProvisionedConcurrencyConfigs": Case(before=(CREATE, VERSION, PROVISIONED)),
    "ListTags": Case(before=(CREATE, TAGS)),
    "ListVersionsByFunction": Case(before=(CREATE, VERSION)),
    "PublishVersion": Case({"Description": "d"}),
    "PutFunctionConcurrency": Case(RESERVED[1]),
    "PutFunctionEventInvokeConfig": Case(
        {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60,
         "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}}},
    ),
    "PutProvisionedConcurrencyConfig": Case(PROVISIONED[1], (CREATE, VERSION)),
    "RemovePermission": Case({"StatementId": "s"}, (CREATE, PERMISSION)),
    "TagResource": Case(TAGS[1]),
    "UntagResource": Case({"TagKeys": ["a", "c"]}, (CREATE, TAGS)),
    "UpdateAlias": Case({"Name": "live", "Description": "d"}, (CREATE, VERSION, ALIAS)),
    "UpdateFunctionCode": Case({"ZipFile": saying("changed"), "Publish": True}),
    "UpdateFunctionConfiguration": Case({"Timeout": 9, "ImageConfig": {"Command": ["a"]}, "FileSystemConfigs": [
        {"Arn": "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0",
         "LocalMountPath": "/mnt/a"},
    ]}),
    "UpdateFunctionEventInvokeConfig": Case({"MaximumRetryAttempts": 0}, (CREATE, RETRIES)),
}  # fmt: skip
