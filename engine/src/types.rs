//! The types of `wit/`, as a guest has them and as JSON has them: the requests and responses of `reglet_host`, and what the exports
//! of a module answer. So a component is served and understood by the very code that serves and understands modules.

// Enums that only a guest makes are made nowhere else.
#![allow(dead_code)]

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use wasmtime::component::{ComponentType, Lift, Lower};

// --- What a plugin says of itself ---------------------------------------------------------------------------

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct Capability {
    kind: String,
    pattern: String,
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct PluginInfo {
    name: String,
    version: String,
    description: String,
    capabilities: Vec<Capability>,
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct FieldDef {
    name: String,
    #[component(name = "field-type")]
    #[serde(rename = "type")]
    field_type: String,
    required: bool,
    description: String,
}

/// Not a JSON Schema yet: the library makes one of the fields.
#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct ConfigSchema {
    fields: Vec<FieldDef>,
}

// --- Config and evidence ------------------------------------------------------------------------------------

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Config {
    values: Vec<(String, String)>,
}

/// An object: a string as it is, anything else as its text; null is as if it were not there.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Config;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
                let mut values = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    let text = value.get();
                    if text == "null" {
                        continue;
                    }
                    let value = match text.starts_with('"') {
                        true => serde_json::from_str(text).map_err(A::Error::custom)?,
                        false => text.to_owned(),
                    };
                    values.push((name, value));
                }
                Ok(Config { values })
            }
        }
        json.deserialize_map(Pairs)
    }
}

fn finite<S: Serializer>(number: f64, json: S) -> Result<S::Ok, S::Error> {
    match number.is_finite() {
        true => json.serialize_f64(number),
        false => Err(S::Error::custom(format!("a float is {number}, which JSON has no number for"))),
    }
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum Scalar {
    #[component(name = "string")]
    String(String),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "bool")]
    Bool(bool),
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => json.serialize_str(text),
            Self::Int(number) => json.serialize_i64(*number),
            Self::Float(number) => finite(*number, json),
            Self::Bool(value) => json.serialize_bool(*value),
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum Item {
    #[component(name = "string")]
    String(String),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "bool")]
    Bool(bool),
    #[component(name = "list")]
    List(Vec<Scalar>),
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => json.serialize_str(text),
            Self::Int(number) => json.serialize_i64(*number),
            Self::Float(number) => finite(*number, json),
            Self::Bool(value) => json.serialize_bool(*value),
            Self::List(items) => items.serialize(json),
        }
    }
}

/// A value of version 1.0.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum Value0 {
    #[component(name = "string")]
    String(String),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "bool")]
    Bool(bool),
    #[component(name = "list")]
    List(Vec<Item>),
}

impl Serialize for Value0 {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => json.serialize_str(text),
            Self::Int(number) => json.serialize_i64(*number),
            Self::Float(number) => finite(*number, json),
            Self::Bool(value) => json.serialize_bool(*value),
            Self::List(items) => items.serialize(json),
        }
    }
}

/// A value of version 1.1.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum Value1 {
    #[component(name = "string")]
    String(String),
    #[component(name = "int")]
    Int(i64),
    #[component(name = "float")]
    Float(f64),
    #[component(name = "bool")]
    Bool(bool),
    #[component(name = "list")]
    List(Vec<Item>),
    #[component(name = "json")]
    Json(String),
}

impl Serialize for Value1 {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::String(text) => json.serialize_str(text),
            Self::Int(number) => json.serialize_i64(*number),
            Self::Float(number) => finite(*number, json),
            Self::Bool(value) => json.serialize_bool(*value),
            Self::List(items) => items.serialize(json),
            Self::Json(text) => raw(text, json),
        }
    }
}

/// An error of version 1.0.
#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct Error0 {
    code: String,
    message: String,
}

/// An error of version 1.1.
#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct Error1 {
    code: String,
    message: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[component(name = "is-timeout")]
    #[serde(skip_serializing_if = "Option::is_none")]
    is_timeout: Option<bool>,
    #[component(name = "is-not-found")]
    #[serde(skip_serializing_if = "Option::is_none")]
    is_not_found: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_json")]
    details: Option<String>,
}

fn optional_json<S: Serializer>(text: &Option<String>, json: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => raw(text, json),
        None => json.serialize_none(),
    }
}

fn raw<S: Serializer>(text: &str, json: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => raw.serialize(json),
        Err(fault) => Err(S::Error::custom(format!("what should be JSON is not: {fault}"))),
    }
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct Evidence<V, E> {
    status: bool,
    error: Option<E>,
    timestamp: String,
    #[serde(serialize_with = "object", bound(serialize = "V: Serialize, E: Serialize"))]
    data: Vec<(String, V)>,
    raw: Option<String>,
}

/// What observe answers where it has no evidence.
#[derive(Serialize)]
pub struct Failed<E> {
    pub status: bool,
    pub error: E,
}

fn object<S: Serializer, V: Serialize>(pairs: &[(String, V)], json: S) -> Result<S::Ok, S::Error> {
    let mut map = json.serialize_map(Some(pairs.len()))?;
    for (name, value) in pairs {
        map.serialize_entry(name, value)
            .map_err(|fault| S::Error::custom(format!("data \"{}\": {fault}", name.escape_debug())))?;
    }
    map.end()
}

// --- Bytes, and lists of pairs ------------------------------------------------------------------------------

mod bytes {
    use super::*;

    pub fn serialize<S: Serializer>(bytes: &[u8], json: S) -> Result<S::Ok, S::Error> {
        json.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<u8>, D::Error> {
        let text = <std::borrow::Cow<str>>::deserialize(json)?;
        BASE64_STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}

fn optional_bytes<S: Serializer>(bytes: &Option<Vec<u8>>, json: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => bytes::serialize(bytes, json),
        None => json.serialize_none(),
    }
}

fn assignments<S: Serializer>(pairs: &[(String, String)], json: S) -> Result<S::Ok, S::Error> {
    json.collect_seq(pairs.iter().map(|(name, value)| format!("{name}={value}")))
}

/// {"Name": ["value", …], …}, in the order of the first of each name.
mod headers {
    use super::*;

    pub fn serialize<S: Serializer>(pairs: &[(String, String)], json: S) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&str> = Vec::new();
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in pairs {
            let known = values.entry(name).or_default();
            if known.is_empty() {
                names.push(name);
            }
            known.push(value);
        }
        json.collect_map(names.into_iter().map(|name| (name, &values[name])))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<(String, String)>, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(String, String)>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of lists")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, values)) = map.next_entry::<String, Vec<String>>()? {
                    pairs.extend(values.into_iter().map(|value| (name.clone(), value)));
                }
                Ok(pairs)
            }
        }
        json.deserialize_map(Pairs)
    }
}

// --- Requests -----------------------------------------------------------------------------------------------

#[derive(Serialize)]
pub struct FsRead<'a> {
    pub path: &'a str,
    pub offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

#[derive(Serialize)]
pub struct FsWrite<'a> {
    pub path: &'a str,
    #[serde(with = "bytes")]
    pub content: Vec<u8>,
    pub mode: WriteMode,
}

#[derive(ComponentType, Lift, Serialize, Clone, Copy)]
#[component(enum)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum WriteMode {
    #[component(name = "create")]
    Create,
    #[component(name = "truncate")]
    Truncate,
    #[component(name = "append")]
    Append,
}

#[derive(Serialize)]
pub struct FsStat<'a> {
    pub path: &'a str,
    pub follow: bool,
    pub readable: bool,
}

#[derive(Serialize)]
pub struct EnvGet {
    pub name: String,
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct Command {
    command: String,
    args: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<String>,
    #[serde(serialize_with = "assignments")]
    env: Vec<(String, String)>,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
}

#[derive(ComponentType, Lift, Serialize, Clone, Copy)]
#[component(enum)]
#[serde(rename_all = "UPPERCASE")]
#[repr(u8)]
pub enum RecordType {
    #[component(name = "a")]
    A,
    #[component(name = "aaaa")]
    Aaaa,
    #[component(name = "cname")]
    Cname,
    #[component(name = "mx")]
    Mx,
    #[component(name = "txt")]
    Txt,
    #[component(name = "ns")]
    Ns,
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct DnsQuery {
    hostname: String,
    #[component(name = "type")]
    #[serde(rename = "type")]
    record_type: RecordType,
    #[serde(skip_serializing_if = "Option::is_none")]
    nameserver: Option<String>,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct HttpCall {
    url: String,
    method: String,
    #[serde(with = "headers")]
    headers: Vec<(String, String)>,
    #[serde(serialize_with = "optional_bytes")]
    body: Option<Vec<u8>>,
    #[component(name = "follow-redirects")]
    follow_redirects: Option<bool>,
    #[component(name = "max-redirects")]
    max_redirects: Option<u32>,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
}

#[derive(ComponentType, Lift, Serialize)]
#[component(record)]
pub struct Target {
    host: String,
    port: u16,
    tls: bool,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
}

#[derive(Serialize)]
pub struct NetConnect {
    #[serde(flatten)]
    pub target: Target,
    #[serde(with = "bytes")]
    pub data: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

#[derive(ComponentType, Lift, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub enum MailSecurity {
    #[component(name = "plain")]
    Plain,
    #[component(name = "tls")]
    Tls,
    #[component(name = "starttls")]
    Starttls,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub struct MailServer {
    host: String,
    port: u16,
    security: MailSecurity,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u64>,
}

#[derive(Serialize)]
pub struct SmtpConnect {
    host: String,
    port: u16,
    tls: bool,
    starttls: bool,
    timeout_ms: Option<u64>,
}

impl From<MailServer> for SmtpConnect {
    fn from(server: MailServer) -> Self {
        SmtpConnect {
            host: server.host,
            port: server.port,
            tls: server.security == MailSecurity::Tls,
            starttls: server.security == MailSecurity::Starttls,
            timeout_ms: server.timeout_ms,
        }
    }
}

#[derive(ComponentType, Lift, Serialize, Clone, Copy)]
#[component(enum)]
#[serde(rename_all = "UPPERCASE")]
#[repr(u8)]
pub enum LogLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(Serialize)]
pub struct LogMessage {
    pub level: LogLevel,
    pub message: String,
    #[serde(serialize_with = "attributes")]
    pub attrs: Vec<(String, String)>,
}

fn attributes<S: Serializer>(pairs: &[(String, String)], json: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Attribute<'a> {
        key: &'a str,
        r#type: &'static str,
        value: &'a str,
    }
    json.collect_seq(pairs.iter().map(|(key, value)| Attribute { key, r#type: "string", value }))
}

// --- Responses ----------------------------------------------------------------------------------------------

#[derive(ComponentType, Lower, Deserialize)]
#[component(record)]
pub struct FileContent {
    #[serde(with = "bytes")]
    content: Vec<u8>,
    size: u64,
    truncated: bool,
}

#[derive(Deserialize)]
pub struct Written {
    pub written: u64,
}

#[derive(ComponentType, Lower, Deserialize, Clone, Copy)]
#[component(enum)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FileType {
    #[component(name = "file")]
    File,
    #[component(name = "directory")]
    Directory,
    #[component(name = "symlink")]
    Symlink,
    #[component(name = "fifo")]
    Fifo,
    #[component(name = "socket")]
    Socket,
    #[component(name = "block-device")]
    BlockDevice,
    #[component(name = "character-device")]
    CharacterDevice,
    #[component(name = "unknown")]
    Unknown,
}

#[derive(ComponentType, Lower, Deserialize)]
#[component(record)]
pub struct FileInfo {
    #[component(name = "type")]
    r#type: FileType,
    size: u64,
    #[serde(deserialize_with = "octal")]
    mode: u32,
    uid: u32,
    gid: u32,
    owner: Option<String>,
    group: Option<String>,
    #[component(name = "mod-time")]
    mod_time: String,
    target: Option<String>,
    readable: Option<bool>,
}

fn octal<'de, D: Deserializer<'de>>(json: D) -> Result<u32, D::Error> {
    u32::from_str_radix(&String::deserialize(json)?, 8).map_err(D::Error::custom)
}

/// What fs_stat answers: a file in one object with whether there is one.
pub struct Looked {
    pub info: Option<FileInfo>,
}

impl<'de> Deserialize<'de> for Looked {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Exists {
            exists: bool,
        }
        let text = <&RawValue>::deserialize(json)?.get();
        let exists: Exists = serde_json::from_str(text).map_err(D::Error::custom)?;
        let info = exists.exists.then(|| serde_json::from_str(text)).transpose().map_err(D::Error::custom)?;
        Ok(Looked { info })
    }
}

#[derive(Deserialize)]
pub struct Variable {
    pub value: Option<String>,
}

#[derive(ComponentType, Lower, Deserialize)]
#[component(record)]
pub struct CommandOutput {
    stdout: String,
    stderr: String,
    #[component(name = "stdout-truncated")]
    #[serde(default)]
    stdout_truncated: bool,
    #[component(name = "stderr-truncated")]
    #[serde(default)]
    stderr_truncated: bool,
    #[component(name = "exit-code")]
    exit_code: i32,
    signal: Option<String>,
    #[component(name = "duration-ms")]
    duration_ms: u64,
    #[component(name = "is-timeout")]
    #[serde(default)]
    is_timeout: bool,
}

#[derive(ComponentType, Lower, Deserialize)]
#[component(record)]
pub struct MxRecord {
    host: String,
    #[serde(rename = "pref")]
    preference: u16,
}

#[derive(ComponentType, Lower, Deserialize)]
#[component(record)]
pub struct DnsAnswer {
    records: Vec<String>,
    #[component(name = "mx-records")]
    mx_records: Vec<MxRecord>,
}

#[derive(ComponentType, Lower, Deserialize)]
#[component(record)]
pub struct HttpResponse {
    #[component(name = "status-code")]
    status_code: u16,
    #[serde(with = "headers")]
    headers: Vec<(String, String)>,
    #[serde(with = "bytes")]
    body: Vec<u8>,
    #[component(name = "body-truncated")]
    #[serde(default)]
    body_truncated: bool,
    proto: String,
    #[component(name = "latency-ms")]
    latency_ms: u64,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct TlsInfo {
    version: String,
    #[component(name = "cipher-suite")]
    cipher_suite: String,
    #[component(name = "server-name")]
    server_name: String,
    #[component(name = "cert-subject")]
    cert_subject: Option<String>,
    #[component(name = "cert-issuer")]
    cert_issuer: Option<String>,
    #[component(name = "cert-not-after")]
    cert_not_after: Option<String>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Connection {
    address: String,
    #[component(name = "remote-addr")]
    remote_addr: Option<String>,
    #[component(name = "local-addr")]
    local_addr: Option<String>,
    #[component(name = "response-time-ms")]
    response_time_ms: u64,
    tls: Option<TlsInfo>,
}

/// A connection as JSON has it: in one object with whatever else the function answers.
#[derive(Deserialize)]
pub struct Connected {
    address: String,
    remote_addr: Option<String>,
    local_addr: Option<String>,
    response_time_ms: u64,
    #[serde(default)]
    tls: bool,
    tls_version: Option<String>,
    tls_cipher_suite: Option<String>,
    tls_server_name: Option<String>,
    tls_cert_subject: Option<String>,
    tls_cert_issuer: Option<String>,
    tls_cert_not_after: Option<String>,
    banner: Option<String>,
    #[serde(default, deserialize_with = "bytes::deserialize")]
    data: Vec<u8>,
    data_end: Option<ExchangeEnd>,
}

impl From<Connected> for Connection {
    fn from(json: Connected) -> Self {
        let tls = json.tls.then(|| TlsInfo {
            version: json.tls_version.unwrap_or_default(),
            cipher_suite: json.tls_cipher_suite.unwrap_or_default(),
            server_name: json.tls_server_name.unwrap_or_default(),
            cert_subject: json.tls_cert_subject,
            cert_issuer: json.tls_cert_issuer,
            cert_not_after: json.tls_cert_not_after,
        });
        Connection {
            address: json.address,
            remote_addr: json.remote_addr,
            local_addr: json.local_addr,
            response_time_ms: json.response_time_ms,
            tls,
        }
    }
}

#[derive(ComponentType, Lower, Deserialize, Clone, Copy)]
#[component(enum)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ExchangeEnd {
    #[component(name = "closed")]
    Closed,
    #[component(name = "max-bytes")]
    MaxBytes,
    #[component(name = "deadline")]
    Deadline,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Exchange {
    connection: Connection,
    data: Vec<u8>,
    end: ExchangeEnd,
}

impl From<Connected> for Exchange {
    fn from(mut json: Connected) -> Self {
        let data = std::mem::take(&mut json.data);
        let end = json.data_end.unwrap_or(ExchangeEnd::Closed);
        Exchange { connection: json.into(), data, end }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct MailGreeting {
    connection: Connection,
    banner: String,
}

impl From<Connected> for MailGreeting {
    fn from(mut json: Connected) -> Self {
        let banner = json.banner.take().unwrap_or_default();
        MailGreeting { connection: json.into(), banner }
    }
}

// --- Errors of the host -------------------------------------------------------------------------------------

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Failure {
    kind: String,
    code: String,
    message: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Denial {
    kind: String,
    code: String,
    message: String,
    missing: Option<String>,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub enum HostError {
    #[component(name = "denied")]
    Denied(Denial),
    #[component(name = "timeout")]
    Timeout(Failure),
    #[component(name = "cancelled")]
    Cancelled,
    #[component(name = "not-found")]
    NotFound(Failure),
    #[component(name = "network")]
    Network(Failure),
    #[component(name = "invalid")]
    Invalid(Failure),
    #[component(name = "limit")]
    Limit(Failure),
    #[component(name = "internal")]
    Internal(Failure),
}

/// The member `error` of a response; see `src/host/guard.c`.
#[derive(Deserialize)]
pub struct JsonError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    is_timeout: bool,
    #[serde(default)]
    is_not_found: bool,
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    missing: Option<String>,
}

impl From<JsonError> for HostError {
    fn from(error: JsonError) -> Self {
        let JsonError { message, r#type: kind, code, is_timeout, is_not_found, details } = error;
        if kind == "capability" || kind == "ssrf_protection" {
            let missing = details.and_then(|details| details.missing);
            return HostError::Denied(Denial { kind, code, message, missing });
        }
        if code == "ECANCELED" {
            return HostError::Cancelled;
        }
        let variant = match kind.as_str() {
            _ if is_timeout => HostError::Timeout,
            _ if is_not_found || code == "ENOENT" => HostError::NotFound,
            _ if code == "EMSGSIZE" || code == "EFBIG" || code == "E2BIG" => HostError::Limit,
            "network" => HostError::Network,
            "validation" | "config" => HostError::Invalid,
            _ => HostError::Internal,
        };
        variant(Failure { kind, code, message })
    }
}

impl JsonError {
    /// Of a function of the embedding program: ENOSYS is that it has none of that name.
    pub fn of_call(mut self) -> HostError {
        self.is_not_found |= self.code == "ENOSYS";
        self.into()
    }
}

impl HostError {
    /// There is no function of the embedding program with a NUL in its name.
    pub fn no_function() -> Self {
        HostError::NotFound(Failure {
            kind: "internal".into(),
            code: "ENOSYS".into(),
            message: "no function of the host has a NUL in its name".into(),
        })
    }

    /// Of a file the host does not tell a plugin what grant is missing, for that depends on where a path leads: named here is what
    /// the plugin asked for.
    pub fn of_file(mut self, access: &str, path: &str) -> Self {
        if let HostError::Denied(denial) = &mut self {
            let mut missing = format!("fs:{access}:");
            for character in path.chars() {
                if "*?[]{}\\".contains(character) {
                    missing.push('\\');
                }
                missing.push(character);
            }
            denial.missing = Some(missing);
        }
        self
    }
}
