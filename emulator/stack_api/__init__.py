"""What AWS's and SAM's everyday commands read beside Lambda: CloudFormation, CloudWatch Logs and API Gateway v2."""
