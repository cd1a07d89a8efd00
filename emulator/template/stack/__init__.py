"""The template as CloudFormation shows a stack that was made of it: resources, outputs and parameters."""
