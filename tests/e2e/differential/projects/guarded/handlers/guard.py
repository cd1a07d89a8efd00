"""Lets a request through if it asks to be, and fails if it asks for that."""

ANSWERS = {
    "allow": lambda: {"isAuthorized": True},
    "allow-with-context": lambda: {"isAuthorized": True, "context": {"who": "ada", "number": 1, "yes": True}},
    "deny": lambda: {"isAuthorized": False},
    "deny-in-a-string": lambda: {"isAuthorized": "false"},
    "nothing": lambda: None,
    "an-empty-object": dict,
}


def handler(event, context):
    return ANSWERS[event["identitySource"][0]]()
