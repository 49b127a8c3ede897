//! What was uploaded? Archives, places in S3 and images, reduced to a fingerprint; nothing is ever unpacked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::refusal::{Refusal, Violations};

/// What runs: only its fingerprint matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) image: Option<String>,
    /// The object in S3 that it is read from each time, where Lambda keeps no copy.
    pub(crate) object: Option<Object>,
}

/// An object in S3, as `GetFunction` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Object {
    #[serde(rename = "S3Bucket")]
    bucket: String,
    #[serde(rename = "S3Key")]
    key: String,
    #[serde(rename = "S3ObjectVersion")]
    version: Option<String>,
}

impl Code {
    /// The bytes that count against the account's storage: none where Lambda keeps no copy.
    pub(crate) fn stored(&self) -> u64 {
        if self.object.is_some() { 0 } else { self.size }
    }
}

/// The members of `CreateFunction`'s `Code` and of `UpdateFunctionCode` that say what runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Package {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    s3_object_storage_mode: Option<String>,
    image_uri: Option<String>,
}

impl Package {
    pub(crate) fn read(&self) -> Result<Code, Refusal> {
        let sources = [self.zip_file.is_some(), self.s3_bucket.is_some() || self.s3_key.is_some(), self.image_uri.is_some()];
        if sources.into_iter().filter(|given| *given).count() != 1 {
            return Err(Refusal::invalid("Please provide exactly one source of code: ZipFile, S3Bucket with S3Key, or ImageUri"));
        }
        if let Some(uri) = &self.image_uri {
            return Ok(Code { sha256: hex_of(uri), size: 0, image: Some(uri.clone()), object: None });
        }
        if let Some(text) = &self.zip_file {
            let bytes = STANDARD.decode(text).map_err(|error| Refusal::unreadable(format!("ZipFile is not base64: {error}")))?;
            if !bytes.starts_with(b"PK") {
                return Err(Refusal::invalid("Could not unzip uploaded file. Please check your file, then try to upload again."));
            }
            let (sha256, size) = (STANDARD.encode(Sha256::digest(&bytes)), bytes.len() as u64);
            return Ok(Code { sha256, size, image: None, object: None });
        }
        let (Some(bucket), Some(key)) = (&self.s3_bucket, &self.s3_key) else {
            return Err(Refusal::invalid("Please provide both S3Bucket and S3Key"));
        };
        let place = format!("{bucket}/{key}/{}", self.s3_object_version.as_deref().unwrap_or_default());
        let object = match self.s3_object_storage_mode.as_deref() {
            None | Some("COPY") => None,
            Some("REFERENCE") => {
                Some(Object { bucket: bucket.clone(), key: key.clone(), version: self.s3_object_version.clone() })
            }
            Some(other) => {
                return Err(Violations::one(other, "s3ObjectStorageMode", "satisfy enum value set: [REFERENCE, COPY]"));
            }
        };
        Ok(Code { sha256: STANDARD.encode(Sha256::digest(&place)), size: 1_024, image: None, object })
    }
}

pub(crate) fn hex_of(text: &str) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
