"""Lambda's own HTTP API: what boto3 and the AWS CLI speak to.

Paths, parameters and their limits come from the service's model in botocore, so they are AWS's own. The package turns
HTTP into calls of `Operations` and `LambdaService`, and their answers into HTTP.
"""
