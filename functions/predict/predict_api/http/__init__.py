"""HTTP in, HTTP out: routes, bodies, problems and the API's own documentation."""
