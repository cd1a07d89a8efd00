"""The HTTP side of the function: routes, bodies, problems and the API's own documentation."""
