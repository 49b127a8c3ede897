//! What was uploaded? Archives, places in S3 and images, reduced to a fingerprint; nothing is ever unpacked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// What runs: only its fingerprint matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) image: Option<String>,
}

/// The members of `CreateFunction`'s `Code` and of `UpdateFunctionCode` that say what runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Package {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    image_uri: Option<String>,
}

impl Package {
    pub(crate) fn read(&self) -> Result<Code, Refusal> {
        let sources = [self.zip_file.is_some(), self.s3_bucket.is_some() || self.s3_key.is_some(), self.image_uri.is_some()];
        if sources.into_iter().filter(|given| *given).count() != 1 {
            return Err(Refusal::invalid("Please provide exactly one source of code: ZipFile, S3Bucket with S3Key, or ImageUri"));
        }
        if let Some(uri) = &self.image_uri {
            return Ok(Code { sha256: hex_of(uri), size: 0, image: Some(uri.clone()) });
        }
        if let Some(text) = &self.zip_file {
            let bytes = STANDARD.decode(text).map_err(|error| Refusal::unreadable(format!("ZipFile is not base64: {error}")))?;
            if !bytes.starts_with(b"PK") {
                return Err(Refusal::invalid("Could not unzip uploaded file. Please check your file, then try to upload again."));
            }
            return Ok(Code { sha256: STANDARD.encode(Sha256::digest(&bytes)), size: bytes.len() as u64, image: None });
        }
        let (Some(bucket), Some(key)) = (&self.s3_bucket, &self.s3_key) else {
            return Err(Refusal::invalid("Please provide both S3Bucket and S3Key"));
        };
        let object = format!("{bucket}/{key}/{}", self.s3_object_version.as_deref().unwrap_or_default());
        Ok(Code { sha256: STANDARD.encode(Sha256::digest(&object)), size: 1_024, image: None })
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
