//! The built site, embedded: found by path, sent in the smallest form that the browser reads.
//!
//! What always holds: an answer comes from the table made at build time, never from a disk; what lies under
//! `/_app/immutable/` is named by its content and may be kept for ever; everything else is asked for again and
//! answered with 304 while it is the same.

use super::respond;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use ring::digest;
use std::collections::HashMap;
use std::sync::OnceLock;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/site.rs"));
}

/// The site of this binary.
pub(super) fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::new(embedded::FILES))
}

pub(super) struct Site {
    files: HashMap<&'static str, File>,
}

struct File {
    content_type: &'static str,
    plain: Form,
    brotli: Option<Form>,
    gzip: Option<Form>,
}

/// One encoding of a file, with a tag of its own.
struct Form {
    bytes: &'static [u8],
    etag: HeaderValue,
}

impl Site {
    fn new(embedded: &'static [(&'static str, &'static [u8])]) -> Self {
        let bytes: HashMap<&str, &'static [u8]> = embedded.iter().copied().collect();
        let form = |path: &str| bytes.get(path).map(|bytes| Form { bytes, etag: etag(bytes) });
        let is_variant = |path: &str| {
            let original = path.strip_suffix(".br").or_else(|| path.strip_suffix(".gz"));
            original.is_some_and(|original| bytes.contains_key(original))
        };
        let files = embedded.iter().filter(|(path, _)| !is_variant(path)).filter_map(|(path, _)| {
            let file = File {
                content_type: content_type(path),
                plain: form(path)?,
                brotli: form(&format!("{path}.br")),
                gzip: form(&format!("{path}.gz")),
            };
            Some((*path, file))
        });
        Site { files: files.collect() }
    }

    pub(super) fn answer(
        &self,
        base: &str,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Response {
        if self.files.is_empty() {
            return respond::sentence(
                StatusCode::NOT_FOUND,
                "This binary was built without the site: run `make build` (it needs Node) and start \
                 target/release/visavis. The server itself works: /ws, /api/ice, /healthz.",
            );
        }
        if let Some((path, file)) = self.find(path) {
            return file.answer(StatusCode::OK, caching(path), headers);
        }
        // `/chat/` is `/chat`: one page, one address.
        if let Some(bare) = path.strip_suffix('/')
            && !bare.starts_with("//")
            && self.find(bare).is_some()
        {
            return redirect(&format!("{base}{bare}"), query);
        }
        match self.files.get("/404.html") {
            // It may be asked for at any depth, so it names all else from the root of the host.
            Some(file) if !base.is_empty() => below(base, file),
            Some(file) => file.answer(StatusCode::NOT_FOUND, "no-cache", headers),
            None => respond::sentence(StatusCode::NOT_FOUND, "There is no such page."),
        }
    }

    fn find(&self, path: &str) -> Option<(&'static str, &File)> {
        let find = |path: &str| self.files.get_key_value(path).map(|(path, file)| (*path, file));
        match path {
            "/" => find("/index.html"),
            _ => find(path).or_else(|| find(&format!("{path}.html"))),
        }
    }

    /// The pages, for what the security headers must allow.
    pub(super) fn pages(&self) -> impl Iterator<Item = &str> {
        let pages = self.files.iter().filter(|(path, _)| path.ends_with(".html"));
        pages.filter_map(|(_, file)| std::str::from_utf8(file.plain.bytes).ok())
    }
}

impl File {
    fn answer(&self, status: StatusCode, caching: &'static str, headers: &HeaderMap) -> Response {
        let (form, encoding) = self.best_form(headers);
        let fresh = status == StatusCode::OK && matches_etag(headers, &form.etag);
        let mut response = Response::new(if fresh { Body::empty() } else { Body::from(form.bytes) });
        *response.status_mut() = if fresh { StatusCode::NOT_MODIFIED } else { status };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(ETAG, form.etag.clone());
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if !fresh {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if let Some(encoding) = encoding {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
        }
        response
    }

    fn best_form(&self, headers: &HeaderMap) -> (&Form, Option<&'static str>) {
        let accepted: Vec<&str> =
            headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
        for (form, encoding) in [(&self.brotli, "br"), (&self.gzip, "gzip")] {
            if let Some(form) = form
                && accepted.iter().any(|value| accepts(value, encoding))
            {
                return (form, Some(encoding));
            }
        }
        (&self.plain, None)
    }
}

/// The page for what is not there, on a site that lies below `base`.
fn below(base: &str, file: &File) -> Response {
    let page = String::from_utf8_lossy(file.plain.bytes);
    let page = page.replace("=\"/", &format!("=\"{base}/"));
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    response
}

fn redirect(path: &str, query: Option<&str>) -> Response {
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut response = respond::sentence(StatusCode::PERMANENT_REDIRECT, "This page has moved.");
    if let Ok(target) = target.parse() {
        response.headers_mut().insert(LOCATION, target);
    }
    response
}

fn caching(path: &str) -> &'static str {
    if path.starts_with("/_app/immutable/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn etag(bytes: &[u8]) -> HeaderValue {
    let hash = digest::digest(&digest::SHA256, bytes);
    let hex: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// `If-None-Match`, compared weakly: a proxy that compresses weakens our tags.
fn matches_etag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

/// Whether an `Accept-Encoding` names `encoding` without ruling it out by `q=0`.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight == 0.0)
        });
        named && !refused
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("avif") => "image/avif",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("xml") => "application/xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
