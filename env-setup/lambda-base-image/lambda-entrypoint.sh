#!/bin/sh
# What starts a container of an image function, as in AWS's image: the handler's name is the image's command. SAM CLI
# runs this below its runtime API; where there is none, SAM CLI's emulator of it is started first.
export _HANDLER="$1"
[ -n "$AWS_LAMBDA_RUNTIME_API" ] && exec /var/runtime/bootstrap
exec /var/rapid/aws-lambda-rie /var/runtime/bootstrap
