"""The page at /docs: Swagger UI in one page, with its scripts and styles from Powertools. It needs no internet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

_ASSETS = "aws_lambda_powertools.event_handler.openapi.swagger_ui"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="swagger-ui"></div>
<script>{script}</script>
<script>
SwaggerUIBundle({{
  dom_id: "#swagger-ui",
  spec: {document},
  deepLinking: true,
  docExpansion: "list",
  tryItOutEnabled: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
}});
</script>
</body>
</html>
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """Return the HTML page that shows an OpenAPI document."""
    assets = resources.files(_ASSETS)
    return _PAGE.format(
        title=document["info"]["title"],
        style=assets.joinpath("swagger-ui.min.css").read_text(encoding="utf-8"),
        script=assets.joinpath("swagger-ui-bundle.min.js").read_text(encoding="utf-8"),
        # Inside a script element, "</" could end it.
        document=json.dumps(document).replace("</", "<\\/"),
    )
