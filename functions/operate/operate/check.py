"""The handler of CheckFunction, which CodeDeploy calls. Importing this module builds the function."""

from operate.app import build_check_for_lambda

handler = build_check_for_lambda()
