"""Lambda's own HTTP API: what boto3 and the AWS CLI speak to.

Paths, parameters and their limits come from the service's model that botocore carries, so that they are AWS's own.
The package turns HTTP into calls of `FunctionOperations` and `LambdaService`, and their answers into HTTP.
"""
