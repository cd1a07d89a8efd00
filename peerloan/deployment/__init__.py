"""Ships the function's code over Lambda's API, and deletes old versions, on the local stack and on AWS alike."""
