"""Echoes events, and authorizes as the request itself asks to be."""

import json
import time

calls = {"authorizer": 0, "echo": 0}


def echo(event, context):
    calls["echo"] += 1
    query = event.get("queryStringParameters") or {}
    time.sleep(float(query.get("sleep", 0)))
    headers = {"Content-Type": "application/json", "X-Answer": "1", "Access-Control-Allow-Origin": "the function's"}
    return {"statusCode": 200, "headers": headers, "body": json.dumps({"event": event, "calls": calls["echo"]})}


def blue(event, context):
    return {"statusCode": 200, "body": json.dumps({"blue": event})}


def simple(event, context):
    calls["authorizer"] += 1
    match event["identitySource"][0]:
        case "raise":
            raise ValueError("as asked")
        case "odd":
            return {"allowed": True}
        case "no":
            return {"isAuthorized": False}
    return {"isAuthorized": True, "context": {"calls": calls["authorizer"], "asked": event}}


def policy(event, context):
    calls["authorizer"] += 1
    arn = event["methodArn"].rpartition("/")[0] + "/" + event["identitySource"]
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn}
    return {
        "principalId": "p",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"calls": calls["authorizer"], "arn": event["methodArn"]},
    }
