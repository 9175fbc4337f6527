use super::*;

static FILES: &[(&str, &[u8])] = &[
    ("/404.html", b"lost"),
    ("/_app/immutable/a.js", b"js"),
    ("/_app/immutable/a.js.br", b"br of js"),
    ("/_app/immutable/a.js.gz", b"gz of js"),
    ("/_app/version.json", b"{}"),
    ("/chat.html", b"chat"),
    ("/index.html", b"home"),
    ("/index.html.gz", b"gz of home"),
    ("/rooms/one.html", b"one"),
];

fn ask(path: &str, headers: &[(&str, &str)]) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    Site::new(FILES).answer("", path, None, &map)
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn length(response: &Response) -> u64 {
    use hyper::body::Body as _;
    response.body().size_hint().exact().unwrap()
}

#[test]
fn a_path_without_extension_is_its_page() {
    for (path, status, bytes) in [
        ("/", 200, 4),
        ("/chat", 200, 4),
        ("/chat.html", 200, 4),
        ("/rooms/one", 200, 3),
        ("/nowhere", 404, 4),
    ] {
        let response = ask(path, &[]);
        assert_eq!((response.status().as_u16(), length(&response)), (status, bytes), "{path}");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&response, "cache-control"), "no-cache");
    }
}

#[test]
fn what_is_not_in_the_table_is_not_found() {
    for path in [
        "/../Cargo.toml",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/%2e%2e/index.html",
        "/_app/immutable/",
        "",
        "/_app/immutable/a.js.br",
        "/.html",
    ] {
        assert_eq!(ask(path, &[]).status(), 404, "{path}");
    }
}

#[test]
fn a_slash_too_many_leads_to_the_page() {
    let response = Site::new(FILES).answer("/talk", "/chat/", Some("kind=text"), &HeaderMap::new());
    assert_eq!((response.status().as_u16(), header(&response, "location")), (308, "/talk/chat?kind=text"));
    assert_eq!(ask("//chat/", &[]).status(), 404);
}

#[test]
fn the_smallest_form_that_the_browser_reads_is_sent() {
    for (accepted, encoding, bytes) in [
        ("gzip, deflate, br, zstd", "br", 8),
        ("gzip;q=1.0, br;q=0", "gzip", 8),
        ("GZIP", "gzip", 8),
        ("br;q=0.0, gzip;q=0", "", 2),
        ("identity", "", 2),
        ("brr", "", 2),
    ] {
        let response = ask("/_app/immutable/a.js", &[("accept-encoding", accepted)]);
        assert_eq!(
            (header(&response, "content-encoding"), length(&response)),
            (encoding, bytes),
            "{accepted}"
        );
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&response, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header(&response, "vary"), "accept-encoding");
    }
    assert_eq!(header(&ask("/", &[("accept-encoding", "br")]), "content-encoding"), "");
}

#[test]
fn what_the_browser_has_is_not_sent_again() {
    let first = ask("/", &[("accept-encoding", "gzip")]);
    let etag = header(&first, "etag").to_owned();
    assert_ne!(etag, header(&ask("/", &[]), "etag"), "each form has its own tag");
    for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let again = ask("/", &[("accept-encoding", "gzip"), ("if-none-match", &tags)]);
        assert_eq!((again.status().as_u16(), length(&again)), (304, 0));
        assert_eq!((header(&again, "etag"), header(&again, "cache-control")), (etag.as_str(), "no-cache"));
    }
    assert_eq!(ask("/", &[("if-none-match", &etag)]).status(), 200, "another form");
    assert_eq!(ask("/nowhere", &[("if-none-match", "*")]).status(), 404);
}

#[test]
fn without_a_site_the_way_to_one_is_told() {
    let response = Site::new(&[]).answer("", "/", None, &HeaderMap::new());
    assert_eq!(response.status(), 404);
}
