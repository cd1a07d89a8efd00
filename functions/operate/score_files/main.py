"""The handler that Lambda calls. Importing this module builds the function: that is Lambda's init phase."""

from score_files.app import build_for_lambda

handler = build_for_lambda()
