"""Requests whose event is compared: the function answers what it got."""

from __future__ import annotations

import gzip

from tests.e2e.differential.case import Case, posting

KILOBYTE, MEGABYTE = 1024, 1024 * 1024
_TEXT = (("Content-Type", "text/plain"),)
_MULTIPART = (
    b'--frontier\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nline\r\n--frontier--\r\n"
)

METHODS = (
    Case("get"),
    Case("delete", method="DELETE"),
    Case("options", method="OPTIONS"),
    Case("post", method="POST", headers=_TEXT, body=b"body"),
    Case("put", method="PUT", headers=_TEXT, body=b"body"),
    Case("patch", method="PATCH", headers=_TEXT, body=b"body"),
    Case("get-with-a-body", headers=_TEXT, body=b"body"),
    Case("delete-with-a-body", method="DELETE", headers=_TEXT, body=b"body"),
)

PATHS = (
    Case("root", "/"),
    Case("a-trailing-slash", "/echo/", status=404),
    Case("a-parameter", "/echo/ada"),
    Case("two-parameters", "/echo/engine/of/ada"),
    Case("a-parameter-with-an-encoded-space", "/echo/ada%20lovelace"),
    Case("a-parameter-with-a-plus", "/echo/ada+lovelace"),
    Case("a-parameter-in-encoded-unicode", "/echo/%E2%82%AC%C3%BC"),
    Case("a-parameter-with-an-encoded-slash", "/echo/ada%2Flovelace"),
    Case("a-parameter-with-an-encoded-percent", "/echo/100%25"),
    Case("a-parameter-with-an-encoded-question-mark", "/echo/what%3Fa=1?b=2"),
    Case("a-parameter-encoded-twice", "/echo/ada%252Flovelace"),
    Case("a-parameter-that-is-not-utf-8", "/echo/%FF"),
    Case("a-parameter-with-reserved-characters", "/echo/a;b=c,d@e:f!$&'()*"),
    Case("a-greedy-parameter", "/files/a/b/c.txt"),
    Case("a-greedy-parameter-of-one-segment", "/files/a"),
    Case("a-greedy-parameter-with-a-trailing-slash", "/files/a/b/"),
    Case("a-greedy-parameter-with-a-double-slash", "/files/a//b"),
    Case("a-greedy-parameter-with-dots", "/files/a/../b/./c"),
    Case("a-greedy-parameter-with-encoded-dots", "/files/%2E%2E/b"),
    Case("a-greedy-parameter-with-an-encoded-slash", "/files/a%2Fb/c"),
    Case("a-plain-route-before-a-greedy-one", "/files/readme"),
    Case("a-greedy-route-by-its-method", "/files/readme", "DELETE"),
    Case("an-encoded-letter-in-a-plain-path", "/%65cho"),
    Case("a-leading-double-slash", "//echo", status=404),
    Case("a-path-in-capitals", "/ECHO", status=404),
)

QUERIES = (
    Case("a-query", "/echo?a=1&b=2"),
    Case("a-query-with-duplicates", "/echo?a=1&b=2&a=3"),
    Case("a-query-with-empty-values", "/echo?a=&b&c=3"),
    Case("a-bare-question-mark", "/echo?"),
    Case("a-query-with-plus-signs", "/echo?a=one+two&b=one%2Btwo"),
    Case("a-query-with-encoded-delimiters", "/echo?a=1%262%3D3&b%3D=x"),
    Case("a-query-in-encoded-unicode", "/echo?na%C3%AFve=%E2%82%AC"),
    Case("a-query-that-is-not-utf-8", "/echo?a=%FF"),
    Case("a-query-with-a-comma", "/echo?a=1,2&a=3"),
    Case("a-query-with-a-semicolon", "/echo?a=1;b=2"),
    Case("a-query-with-brackets", "/echo?a[]=1&a[]=2"),
    Case("a-query-with-a-question-mark", "/echo?a=b?c=d"),
    Case("a-query-with-a-slash", "/echo?path=/a/b"),
    Case("a-query-with-empty-pairs", "/echo?&&a=1&"),
    Case("a-long-query", "/echo?a=" + "x" * 4000),
)

HEADERS = (
    Case("headers-in-mixed-case", headers=(("X-MiXed-CASE", "Value"), ("lower", "Value"))),
    Case("a-header-twice", headers=(("X-Twice", "one"), ("X-Twice", "two"))),
    Case("a-header-twice-in-two-spellings", headers=(("X-Twice", "one"), ("x-twice", "two"))),
    Case("an-empty-header", headers=(("X-Empty", ""),)),
    Case("a-header-with-spaces-around", headers=(("X-Spaces", "  one  two  "),)),
    Case("a-header-with-a-comma", headers=(("X-Comma", "one, two"),)),
    Case("a-header-with-an-underscore", headers=(("X_Under_Score", "one"),)),
    Case("a-header-in-latin-1", headers=(("X-Latin", "caf\u00e9"),)),
    Case("a-header-in-utf-8", headers=(("X-Unicode", "\u20ac".encode().decode("latin-1")),)),
    Case("a-long-header", headers=(("X-Long", "x" * 4000),)),
    Case("accept-and-languages", headers=(("Accept", "text/html;q=0.9, */*"), ("Accept-Language", "de, en;q=0.5"))),
    Case("an-authorization-header", headers=(("Authorization", "Bearer a.b.c"),)),
    Case("an-origin-without-cors", headers=(("Origin", "https://example.com"),)),
    Case("x-forwarded-for-of-a-proxy", headers=(("X-Forwarded-For", "203.0.113.7, 198.51.100.2"),)),
    Case("x-forwarded-proto-of-a-proxy", headers=(("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"))),
    Case(
        "a-trace-id-of-the-client",
        headers=(("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),),
    ),
    Case("hop-by-hop-headers", headers=(("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"))),
    Case("a-cookie", headers=(("Cookie", "a=1"),)),
    Case("several-cookies", headers=(("Cookie", "a=1; b=2;c=3"),)),
    Case("cookies-in-two-headers", headers=(("Cookie", "a=1"), ("Cookie", "b=2"))),
    Case("an-empty-cookie-header", headers=(("Cookie", ""),)),
    Case("odd-cookies", headers=(("Cookie", 'quoted="a b"; empty=; bare; a=1; a=2; equals=b=c; enc=%20'),)),
)

BODIES = (
    posting("json", "application/json", b'{"a": [1, 2.5, null], "\xc3\xa4": "\xe2\x82\xac"}'),
    posting("json-with-a-charset", "application/json; charset=utf-8", b'{"a": 1}'),
    posting("json-of-a-vendor", "application/vnd.api+json", b'{"a": 1}'),
    posting("json-that-is-broken", "application/json", b'{"a": '),
    posting("text", "text/plain", b"line one\r\nline two\n"),
    posting("text-in-unicode", "text/plain; charset=utf-8", "na\u00efve \U0001f600".encode()),
    posting("text-in-latin-1", "text/plain; charset=iso-8859-1", b"caf\xe9"),
    posting("text-with-a-null-byte", "text/plain", b"a\x00b"),
    posting("html", "text/html", b"<p>one</p>"),
    posting("xml", "application/xml", b"<a>1</a>"),
    posting("javascript", "application/javascript", b"let a = 1"),
    posting("a-form", "application/x-www-form-urlencoded", b"a=1&b=one+two&a=%E2%82%AC"),
    posting("a-multipart-form", "multipart/form-data; boundary=frontier", _MULTIPART),
    posting("octets-that-are-text", "application/octet-stream", b"plain"),
    posting("octets", "application/octet-stream", bytes(range(256))),
    posting("an-image", "image/png", b"\x89PNG\r\n\x1a\n\x00\xff"),
    posting("no-content-type", None, b'{"a": 1}'),
    posting("no-content-type-and-binary", None, b"\xff\xfe\x00"),
    posting("gzip", "application/json", gzip.compress(b'{"a": 1}', mtime=0), ("Content-Encoding", "gzip")),
    posting("an-empty-body", "application/json", b""),
    posting("a-chunked-body", "application/json", b'{"a": "in chunks"}', is_chunked=True),
    posting("a-megabyte-of-text", "text/plain", b"x" * MEGABYTE),
    posting("a-megabyte-of-octets", "application/octet-stream", b"\x00\xff" * (MEGABYTE // 2)),
    # The event carries the headers too: what is over 6 MB is the event, not the body.
    posting("an-event-just-over-6-megabytes", "text/plain", b"x" * 6 * MEGABYTE, status=413),
    posting("octets-over-6-megabytes-as-base64", "application/octet-stream", b"x" * 5 * MEGABYTE, status=413),
    posting("a-body-over-10-megabytes", "text/plain", b"x" * (10 * MEGABYTE + 1), status=413),
)

NO_ROUTE = (
    Case("an-unknown-path", "/nothing/here", status=404),
    Case("an-unknown-method", "/only-get", "POST", _TEXT, b"body", status=404),
    Case("head-of-a-get-route", "/only-get", "HEAD", status=404),
    Case("options-of-a-get-route", "/only-get", "OPTIONS", status=404),
    Case("a-missing-greedy-parameter", "/files/", status=404),
    Case("a-segment-too-many", "/echo/a/b", status=404),
)
