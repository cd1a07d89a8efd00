"""Prints what it is told to."""


def handler(event, context):
    for line in event.get("print", ["hello world"]):
        print(line, end="" if line == event.get("unfinished") else "\n")
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {"said": len(event.get("print", [1]))}
